"""What was written comes back as it was; anything else is refused."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.promotion.audit import Action, read_entry
from cv_yolo.domain.promotion.versions import Stage
from tests.builders import an_entry

LAWS = settings(deadline=None, database=None)
TEXT = st.text(max_size=20)
LINE = an_entry().canonical


@LAWS
@given(
    changes=st.fixed_dictionaries(
        {
            "action": st.sampled_from(Action),
            "stage": st.sampled_from(Stage),
            "version": TEXT,
            "actor": TEXT,
            "reason": st.none() | TEXT,
            "former": st.none() | TEXT,
            "evaluations": st.lists(TEXT, max_size=3).map(tuple),
            "provisional": st.booleans(),
            "number": st.integers(1, 10**9),
        }
    )
)
def test_every_entry_comes_back_as_it_was_written(changes):
    entry = an_entry(**changes)
    assert read_entry(entry.canonical) == entry


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"version":"3"', '"version":3', "not in the form in which entries are written: it was changed"),
        ('"version":"3"', '"version":null', "not in the form in which entries are written"),
        ('"number":1', '"number":"1"', "not in the form"),
        ('"number":1', '"number": 1', "not in the form"),
        ('"number":1', '"number":1,"number":1', "not in the form"),
        ('"number":1', '"number":1.0', "not in the form"),
        ('"provisional":false', '"provisional":0', "not in the form"),
        ('"evaluations":["run-1","run-2"]', '"evaluations":"ab"', "not in the form"),
        ("12:00:00.000000+00:00", "12:00:00+00:00", "not in the form"),
        ("12:00:00.000000+00:00", "13:00:00.000000+01:00", "not an entry of the log: an entry's time is in UTC"),
        ("12:00:00.000000+00:00", "12:00:00.000000", "not an entry of the log: an entry's time is in UTC"),
        ('"number":1', '"number":0', "not an entry of the log: entries are numbered from 1, not 0"),
        ('"number":1', '"number":Infinity', "not an entry of the log: cannot convert float infinity"),
        ('"number":1', '"number":[]', r"not an entry of the log: int\(\) argument must be"),
        ('"action":"promoted"', '"action":"pushed"', "not an entry of the log: the action 'pushed' is unknown"),
        ('"actor":"anna@desk",', "", "not an entry of the log: missing 1 required keyword-only argument: 'actor'"),
        ('"number":1', '"extra":1,"number":1', "not an entry of the log: got an unexpected keyword argument 'extra'"),
        ("{", "", "not an entry of the log: "),
    ],
)
def test_what_was_changed_is_refused_with_the_reason(old, new, reason):
    assert old in LINE
    with pytest.raises(ValueError, match=f"^{reason}"):
        read_entry(LINE.replace(old, new, 1))


@pytest.mark.parametrize("line", ["", "7", "[]", json.dumps(None), "[" * 100_000])
def test_what_is_no_entry_at_all_is_refused(line):
    with pytest.raises(ValueError, match=r"^not an entry of the log: "):
        read_entry(line)
