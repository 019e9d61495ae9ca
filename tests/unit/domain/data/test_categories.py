"""What a category id stands for is declared, or the results are refused: ids are never shifted in silence."""

import pytest

from cv_yolo.domain.data.categories import Categories, counted_categories, stated_categories
from cv_yolo.errors import InputError

CLASSES = ("person", "dog")
COCO = Categories(source="instances.json", names={1: "person", 18: "dog", 90: "toothbrush"})


def stated(*, named=None, first=None, recorded=None):
    return stated_categories("results.json", CLASSES, named=named, first=first, recorded=recorded or {})


def test_ids_with_gaps_find_the_place_of_their_name():
    assert COCO.places([90, 1, 18, 1], results="results.json") == [2, 0, 1, 0]


def test_ids_that_nothing_names_are_refused_and_counted():
    with pytest.raises(InputError) as refused:
        COCO.places([1, 2, 2, 91], results="results.json")
    assert refused.value.message == (
        "results.json: category ids that instances.json does not name: 2 (2 results), 91 (1 result)"
    )
    assert "--categories FILE" in refused.value.hint


def test_of_many_unknown_ids_a_few_are_named():
    with pytest.raises(InputError, match=r"50 \(1 result\), 51 .* 54 \(1 result\) and 3 more$"):
        COCO.places(list(range(50, 58)), results="results.json")


def test_classes_may_be_counted_from_any_number():
    counted = counted_categories(CLASSES, first=1)
    assert counted.names == {1: "person", 2: "dog"}
    assert counted.places([2, 1], results="results.json") == [1, 0]


@pytest.mark.parametrize(("first", "ids", "meant"), [(0, [1, 2], 1), (1, [0, 1], 0), (3, [1, 1], 1)])
def test_ids_that_fit_when_counted_from_elsewhere_are_refused_with_that_guess(first, ids, meant):
    with pytest.raises(InputError) as refused:
        counted_categories(CLASSES, first=first).places(ids, results="results.json")
    assert refused.value.hint == f"the ids run from {min(ids)} to {max(ids)}: is it --first-class {meant}?"


@pytest.mark.parametrize(("first", "ids"), [(1, [1, 2, 90]), (0, [5, 6]), (0, [-1])])
def test_ids_that_cannot_be_counted_need_names(first, ids):
    with pytest.raises(InputError, match=f"--first-class {first} does not name") as refused:
        counted_categories(CLASSES, first=first).places(ids, results="results.json")
    assert "--categories FILE" in refused.value.hint


def test_a_file_says_what_ids_stand_for_before_a_person_and_a_person_before_the_data_set():
    recorded = {"person": 1, "dog": 18}
    assert stated(named=COCO, recorded=recorded) is COCO
    assert stated(first=1, recorded=recorded).names == {1: "person", 2: "dog"}
    by_data = stated(recorded=recorded)
    assert by_data.names == {1: "person", 18: "dog"}
    assert by_data.source == "`category_ids` in data.yaml"


def test_without_anybody_who_says_it_results_are_refused():
    with pytest.raises(InputError, match="nothing says which classes its category ids stand for") as refused:
        stated()
    for way_out in ("--categories FILE", "`category_ids` in data.yaml", "--first-class 0 or 1"):
        assert way_out in refused.value.hint
