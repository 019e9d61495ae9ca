"""Splits by the hash of groups: stable, whole, and as close to the fractions as a hash comes."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.splitting import Fractions, best_seed, joined_groups, side_of
from cv_yolo.errors import InputError

USUAL = Fractions(train=0.8, val=0.1, test=0.1)
KEYS = st.lists(st.text(max_size=8), max_size=40)


@pytest.mark.parametrize(
    ("text", "parts"),
    [("0.8/0.1/0.1", (0.8, 0.1, 0.1)), ("0.75/0.25", (0.75, 0.25, 0.0)), ("0.5/0.5/0", (0.5, 0.5, 0))],
)
def test_fractions_are_read(text, parts):
    found = Fractions.parse(text)
    assert (found.train, found.val, found.test) == parts
    assert Fractions.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", "0.8", "0.8/0.1", "0.8/0.1/0.1/0", "a/b", "1/0/0", "0/0.5/0.5", "-0.1/1/0.1", "nan/0.5/0.5", "80/10/10"],
)
def test_what_are_no_fractions_is_refused_with_an_example(text):
    with pytest.raises(InputError) as refusal:
        Fractions.parse(text)
    assert "0.8/0.1/0.1" in refusal.value.hint


@settings(max_examples=100, deadline=None, database=None)
@given(st.text(), st.integers(0, 1000), st.floats(0.1, 0.8))
def test_a_side_follows_from_seed_group_and_fractions_alone(group, seed, train):
    fractions = Fractions(train=train, val=1 - train, test=0.0)
    assert side_of(group, fractions, seed) is side_of(group, fractions, seed)
    assert side_of(group, fractions, seed) is not Split.TEST


def test_sides_stay_as_they_are_in_every_version():
    assert [side_of(f"image {number}", USUAL, 0).value for number in range(12)] == SIDES


def test_the_parts_are_those_of_the_fractions():
    sides = Counter(side_of(str(number), USUAL, 3) for number in range(20_000))
    for split, part in USUAL.by_split.items():
        assert sides[split] / 20_000 == pytest.approx(part, abs=0.01)


@settings(max_examples=200, deadline=None, database=None)
@given(KEYS, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=20))
def test_a_group_is_never_divided(keys, pairs):
    pairs = [(one, other) for one, other in pairs if max(one, other) < len(keys)]
    groups = joined_groups(keys, pairs)
    by_key = {}
    for key, group in zip(keys, groups, strict=True):
        assert by_key.setdefault(key, group) == group
    assert all(groups[one] == groups[other] for one, other in pairs)
    assert all(group in keys for group in groups)


@settings(max_examples=200, deadline=None, database=None)
@given(KEYS, KEYS)
def test_added_images_move_no_other(keys, more):
    before, after = joined_groups(keys, []), joined_groups([*keys, *more], [])
    assert after[: len(keys)] == before


def test_groups_that_are_joined_take_the_smallest_key():
    assert joined_groups(["c", "a", "b", "d", "c"], [(0, 2), (2, 1)]) == ["a", "a", "a", "d", "a"]


def test_the_best_seed_gives_every_split_every_class_that_can_be_there():
    contents = {f"image {number}": {"images": 1, "rare" if number < 4 else "common": 2} for number in range(40)}
    fractions = Fractions(train=0.6, val=0.2, test=0.2)
    seed = best_seed(contents, fractions)
    sides = {name: {side_of(group, fractions, seed) for group in contents if name in contents[group]} for name in NAMES}
    assert all(found == set(Split) for found in sides.values())
    assert best_seed(dict(reversed(contents.items())), fractions) == seed


def test_many_groups_are_divided_by_few_seeds():
    assert best_seed({str(number): {"images": 1} for number in range(300_001)}, USUAL) == 0


NAMES = ("rare", "common")
SIDES = [*["train"] * 7, "val", "train", "train", "test", "train"]
