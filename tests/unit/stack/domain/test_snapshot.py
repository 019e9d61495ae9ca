"""Snapshots of servers before and after a backup, and whether others hold the same."""

import pytest

from cv_yolo_stack.domain.snapshot import (
    AUDIT,
    KindComparison,
    compare,
    entry_name,
    hash_of,
    model_of_entry,
    settled,
    tally,
)

BEFORE = {"runs": {"a": "1", "b": "2", "c": "3"}, AUDIT: {"det v 1": "x"}}
AFTER = {"runs": {"a": "1", "b": "9", "d": "4"}, AUDIT: {"det v 1": "x", "other 1": "y"}}


def test_unchanged_items_are_expected_and_changing_ones_skipped() -> None:
    snapshot = settled(BEFORE, AFTER)
    assert snapshot.settled == {"runs": {"a": "1"}, AUDIT: {"det v 1": "x"}}
    assert snapshot.moving == {"runs": ("b", "c", "d"), AUDIT: ("other 1",)}
    assert snapshot.models == ("det v", "other")


def test_changing_items_are_not_compared() -> None:
    found = {"runs": {"a": "1", "b": "5", "d": "4"}, AUDIT: {"det v 1": "x"}}
    assert all(each.agrees for each in compare(settled(BEFORE, AFTER), found))


def test_missing_different_and_unknown_items_are_named() -> None:
    snapshot = settled({"runs": {"a": "1", "b": "2", "c": "3"}}, {"runs": {"a": "1", "b": "2", "c": "3"}})
    (found,) = compare(snapshot, {"runs": {"a": "1", "b": "9", "z": "3"}})
    assert found == KindComparison(kind="runs", expected=3, missing=("c",), different=("b",), unknown=("z",))
    assert found.same == 1
    assert not found.agrees


def test_a_kind_that_is_no_longer_in_the_snapshot_is_missing() -> None:
    snapshot = settled({"runs": {"a": "1"}}, {"runs": {"a": "1"}})
    assert [each.missing for each in compare(snapshot, {})] == [("a",)]


@pytest.mark.parametrize("found", [{}, {"a": "2"}, {"a": "1", "b": "1"}])
def test_each_kind_of_difference_is_reported(found: dict[str, str]) -> None:
    assert tally("things", {"a": "1"}, {"a": "1"}).agrees
    assert not tally("things", {"a": "1"}, found).agrees


def test_the_hash_is_of_the_content_whatever_the_order_of_keys() -> None:
    assert hash_of({"a": 1, "b": [1, 2]}) == hash_of({"b": [1, 2], "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": 2})
    assert hash_of("lone \udc80 byte")
    assert hash_of("/home/anna/x", lambda text: text.replace("/home/anna", "HOME")) == hash_of("HOME/x")


def test_an_entry_is_named_by_model_and_number() -> None:
    assert model_of_entry(entry_name("my model", 12)) == "my model"
