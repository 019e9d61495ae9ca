"""A log that was changed, cut, reordered or padded is found out; a whole one is not accused."""

from dataclasses import fields, replace
from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cv_yolo.domain.promotion.audit import Action, Entry, head, verify
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from tests.builders import NOON, a_log, an_entry

LAWS = settings(deadline=None, database=None)
PROMOTED, STAGING = Action.PROMOTED, Stage.STAGING
LOGS = st.lists(
    st.tuples(st.sampled_from(Action), st.sampled_from(HELD_BY_ONE), st.sampled_from("12345")), min_size=1, max_size=8
).map(lambda moves: a_log(*moves))
TEXTS = st.text(max_size=5)
EDITS = {
    "number": st.integers(1, 20),
    "at": st.integers(1, 1000).map(lambda seconds: NOON - timedelta(seconds=seconds)),
    "action": st.sampled_from(Action),
    "stage": st.sampled_from(Stage),
    "evaluations": st.lists(TEXTS, max_size=2).map(tuple),
    "provisional": st.booleans(),
} | {
    name: st.none() | TEXTS
    for name in ("former", "decision", "verdict", "policy", "policy_sha256", "test_revision", "reason")
}
EDITS |= {field.name: TEXTS for field in fields(Entry) if field.name not in EDITS}
THREE = a_log((PROMOTED, STAGING, "1"), (PROMOTED, STAGING, "2"), (PROMOTED, STAGING, "3"))


def sentences(entries, anchor=None):
    return [(finding.number, finding.sentence) for finding in verify(entries, anchor)]


@LAWS
@given(entries=LOGS, known=st.integers(0, 8))
def test_a_whole_log_is_not_accused_however_old_its_anchor_is(entries, known):
    assert verify(entries, head(entries[:known])) == ()


@LAWS
@given(entries=LOGS, data=st.data())
def test_any_edit_of_any_field_is_found(entries, data):
    place = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(sorted(EDITS)))
    edited = replace(entries[place], **{name: data.draw(EDITS[name])})
    assume(edited != entries[place])
    assert verify((*entries[:place], edited, *entries[place + 1 :]), head(entries))


@LAWS
@given(entries=LOGS, data=st.data())
def test_any_loss_is_found(entries, data):
    first = data.draw(st.integers(0, len(entries) - 1))
    last = data.draw(st.integers(first, len(entries) - 1))
    assert verify((*entries[:first], *entries[last + 1 :]), head(entries))


@LAWS
@given(entries=LOGS, data=st.data())
def test_any_swap_is_found_even_without_an_anchor(entries, data):
    assume(len(entries) > 1)
    first = data.draw(st.integers(0, len(entries) - 2))
    second = data.draw(st.integers(first + 1, len(entries) - 1))
    swapped = list(entries)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert verify(swapped, None)


@LAWS
@given(entries=LOGS, data=st.data())
def test_any_repetition_is_found_even_without_an_anchor(entries, data):
    again = data.draw(st.sampled_from(entries))
    place = data.draw(st.integers(0, len(entries)))
    assert verify((*entries[:place], again, *entries[place:]), None)


@LAWS
@given(entries=LOGS, other=LOGS)
def test_a_rewritten_log_is_found(entries, other):
    assume(other != entries)
    assume(other[: len(entries)] != entries)
    assert verify(other, head(entries))


def test_an_empty_log_without_an_anchor_is_whole():
    assert verify((), None) == ()
    assert head(()) is None


def test_an_edit_in_the_middle_is_named():
    edited = (THREE[0], replace(THREE[1], reason="no reason"), THREE[2])
    assert sentences(edited) == [(2, "Entry 2 is not the one that entry 3 followed: one of the two was changed.")]


def test_an_edit_of_the_first_entrys_link_is_named():
    assert sentences((an_entry(previous="ab"),)) == [(1, "Entry 1 names an entry before it: it was changed.")]


def test_an_edit_of_the_last_entry_is_named_by_the_anchor():
    edited = (*THREE[:2], replace(THREE[2], version="9"))
    assert sentences(edited, head(THREE)) == [
        (3, "Entry 3 is not the one that the registry has seen: it was changed."),
    ]


def test_entries_lost_in_the_middle_are_named():
    entries = a_log(*[(PROMOTED, STAGING, "1")] * 5)
    assert sentences((entries[0], *entries[3:])) == [(2, "Entries 2 to 3 are missing.")]
    assert sentences(entries[1:]) == [(1, "Entry 1 is missing.")]


def test_entries_lost_at_the_end_are_named_by_the_anchor():
    assert sentences(THREE[:2], head(THREE)) == [(3, "Entry 3 is missing at the end: the registry has seen entry 3.")]
    assert sentences((), head(THREE)) == [(1, "Entries 1 to 3 are missing at the end: the registry has seen entry 3.")]


def test_entries_in_another_order_are_named():
    assert sentences((THREE[1], THREE[0], THREE[2])) == [(1, "Entry 1 stands after entry 2.")]


def test_a_repeated_entry_is_named():
    assert sentences((*THREE, THREE[1])) == [(2, "Entry 2 is there more than once.")]


@pytest.mark.parametrize("anchor", ["", "3", f"3 {'A' * 64}", f"0 {'a' * 64}", f"{10**12} {'a' * 64}", "nonsense"])
def test_an_anchor_that_cannot_be_read_is_named(anchor):
    assert sentences(THREE, anchor) == [(0, f"The registry's note of the last entry cannot be read: {anchor!r}.")]
