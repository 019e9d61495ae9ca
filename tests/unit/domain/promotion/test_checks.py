"""Required classes and the floor under each class: as bad as the worst of them, and missing is not zero."""

from dataclasses import replace

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.judgement import judge
from tests.builders import a_curve, a_subject
from tests.unit.domain.promotion.test_judgement import a_case, a_model, outcomes, the_check

PASSED, FAILED, UNDECIDED, WAIVED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED
NAMES = ("helmet", "vest", "gloves")


def of_classes(aps, *, boxes=None, images=40):
    """A model with these values and reaches of AP50 by class; a class that is not named has no boxes in test."""
    others = {f"class/{name}/ap_50": value for name, value in aps.items()}
    scored = a_model(0.6, images=images, others=others, classes=NAMES)
    counts = dict.fromkeys(aps, 50) | (boxes or {})
    curves = tuple(a_curve(name=name, truths=count) for name, count in counts.items() if count)
    return replace(scored, evaluation=replace(scored.evaluation, curves=curves))


GOOD = {"helmet": (0.7, 0.05), "vest": (0.6, 0.05), "gloves": (0.5, 0.05)}
REQUIRED, FLOOR = {"required_classes": "all"}, {"class_floor": 0.2}


def test_nothing_is_asked_of_classes_where_the_policy_asks_nothing():
    assert outcomes(a_case(of_classes(GOOD))) == {"test_images": PASSED, "champion": PASSED}


def test_required_classes_that_are_surely_found_pass():
    check = the_check(a_case(of_classes(GOOD), **REQUIRED), "required_classes")
    assert [(each.name, each.outcome) for each in check.classes] == [(name, PASSED) for name in NAMES]
    assert (check.outcome, check.metric, check.required, check.required_boxes) == (PASSED, "ap_50", 0.0, 10)
    assert (check.lowest.name, check.lowest.measured.value) == ("gloves", 0.5)


def test_a_required_class_that_is_never_found_fails():
    model = of_classes(GOOD | {"vest": (0.0, 0.0)})
    check = the_check(a_case(model, **REQUIRED), "required_classes")
    assert (check.outcome, check.lowest.name) == (FAILED, "vest")
    assert [each.name for each in check.by_outcome[FAILED]] == ["vest"]


def test_only_the_classes_that_are_named_are_required():
    model = of_classes(GOOD | {"vest": (0.0, 0.0)})
    check = the_check(a_case(model, required_classes=("helmet", "helmet")), "required_classes")
    assert (check.outcome, [each.name for each in check.classes]) == (PASSED, ["helmet"])


def test_a_required_class_without_test_boxes_is_undecided_and_not_passed():
    model = of_classes({"helmet": (0.7, 0.05), "vest": (0.6, 0.05)})
    check = the_check(a_case(model, **REQUIRED), "required_classes")
    assert (check.outcome, check.lowest.name, check.lowest.boxes) == (UNDECIDED, "gloves", 0)


@pytest.mark.parametrize(("boxes", "outcome"), [(9, UNDECIDED), (10, PASSED)])
def test_a_required_class_needs_enough_boxes(boxes, outcome):
    check = the_check(a_case(of_classes(GOOD, boxes={"vest": boxes}), **REQUIRED), "required_classes")
    assert check.outcome is outcome
    assert [each.name for each in check.by_outcome[UNDECIDED]] == (["vest"] if outcome is UNDECIDED else [])
    fewer = a_case(of_classes(GOOD, boxes={"vest": 9}), required_boxes=9, **REQUIRED)
    assert the_check(fewer, "required_classes").outcome is PASSED


def test_a_required_class_that_is_never_found_fails_however_few_boxes_it_has():
    model = of_classes(GOOD | {"vest": (0.0, 0.0)}, boxes={"vest": 4})
    assert the_check(a_case(model, **REQUIRED), "required_classes").outcome is FAILED


def test_a_class_without_an_interval_settles_nothing():
    model = of_classes(GOOD | {"vest": (0.6, None)})
    assert outcomes(a_case(model, **REQUIRED, **FLOOR)) == {
        "test_images": PASSED,
        "required_classes": UNDECIDED,
        "class_floor": UNDECIDED,
        "champion": PASSED,
    }


def test_the_floor_holds_for_every_class():
    model = of_classes(GOOD | {"vest": (0.1, 0.02)})
    check = the_check(a_case(model, **FLOOR), "class_floor")
    assert (check.outcome, check.required, check.required_boxes) == (FAILED, 0.2, 1)
    assert [each.name for each in check.by_outcome[FAILED]] == ["vest"]


def test_a_class_about_the_floor_says_how_many_images_would_settle_it():
    check = the_check(a_case(of_classes(GOOD | {"vest": (0.25, 0.1)}), **FLOOR), "class_floor")
    assert check.outcome is UNDECIDED
    assert check.more_images == pytest.approx(120, abs=1)
    both = of_classes(GOOD | {"vest": (0.25, 0.1), "gloves": (0.3, None)})
    assert the_check(a_case(both, **FLOOR), "class_floor").more_images is None


def test_a_class_with_a_floor_of_its_own_is_judged_by_that_one():
    model = of_classes(GOOD | {"vest": (0.1, 0.02)})
    case = a_case(model, class_floor=0.2, floors={"class/vest/ap_50": 0.05})
    assert outcomes(case)["class_floor"] is PASSED
    assert outcomes(case)["floor class/vest/ap_50"] is PASSED
    every = {f"class/{name}/ap_50": 0.0 for name in NAMES}
    assert "class_floor" not in outcomes(a_case(model, class_floor=0.2, floors=every))


def test_the_floor_of_a_class_without_test_boxes_is_undecided():
    check = the_check(a_case(of_classes({"helmet": (0.7, 0.05)}), **FLOOR), "class_floor")
    assert (check.outcome, check.lowest.name, check.lowest.boxes) == (UNDECIDED, "vest", 0)


def test_on_too_few_images_a_provisional_gate_goes_by_the_values():
    found = a_case(of_classes(GOOD, images=10), provisional=True, **REQUIRED)
    assert the_check(found, "required_classes").outcome is WAIVED
    lost = a_case(of_classes(GOOD | {"vest": (0.0, 0.0)}, images=10), provisional=True, **REQUIRED)
    assert the_check(lost, "required_classes").outcome is FAILED
    absent = a_case(of_classes({"helmet": (0.7, 0.05)}, images=10), provisional=True, **REQUIRED)
    assert the_check(absent, "required_classes").outcome is UNDECIDED
    strict = a_case(of_classes(GOOD, images=10), **REQUIRED)
    assert the_check(strict, "required_classes").outcome is UNDECIDED


def test_on_several_grounds_each_is_named_and_the_worst_counts():
    model = of_classes({"helmet": (0.0, 0.0), "vest": (0.6, 0.05)})
    check = the_check(a_case(model, **REQUIRED), "required_classes")
    assert (check.outcome, check.lowest.name) == (FAILED, "helmet")
    assert {outcome: [each.name for each in same] for outcome, same in check.by_outcome.items() if same} == {
        FAILED: ["helmet"],
        UNDECIDED: ["gloves"],
        PASSED: ["vest"],
    }


def test_class_floors_are_judged_without_a_champion_too():
    checks, _ = judge(a_case(of_classes(GOOD), **REQUIRED, **FLOOR), use=1)
    assert [check.kind for check in checks] == ["test_images", "required_classes", "class_floor", "champion"]


def test_the_classes_are_those_of_the_data_set():
    assert a_subject(classes=NAMES).classes == NAMES
