"""What a mean hides: classes, slices and sizes of which nothing is found, and classes that were not measured."""

import pytest

from cv_yolo.domain.evaluation.gaps import Gap, GapKind, gaps
from tests.builders import a_curve, a_subject, an_estimate, an_evaluation

NEVER, UNUSED, UNMEASURED = GapKind
NAMES = ("person", "helmet", "vest")


def of(figures, *, boxes=None, slices=None, classes=NAMES):
    """An evaluation with these figures alone; each class has 12 boxes unless `boxes` says otherwise."""
    counts = dict.fromkeys(classes, 12) | (boxes or {})
    return an_evaluation(
        subject=a_subject(classes=classes),
        figures={name: an_estimate(value) for name, value in figures.items()},
        curves=tuple(a_curve(name=name, truths=count) for name, count in counts.items() if count),
        slices=slices or {},
    )


ALL = {f"class/{name}/ap_50": 0.5 for name in NAMES}


def test_without_missed_classes_there_is_no_gap():
    assert gaps(an_evaluation()) == ()
    assert gaps(of(ALL)) == ()


@pytest.mark.parametrize(("value", "kinds"), [(0.0, [NEVER]), (0.0004, [NEVER]), (0.0006, [])])
def test_blank_names_are_never_found(value, kinds):
    assert [gap.kind for gap in gaps(of(ALL | {"class/helmet/ap_50": value}))] == kinds


def test_a_class_that_is_never_found_is_named_with_its_boxes_the_one_with_most_first():
    found = gaps(of(ALL | {"class/helmet/ap_50": 0.0, "class/vest/ap_50": 0.0}, boxes={"vest": 69}))
    assert found == (
        Gap(group="class", name="vest", kind=NEVER, count=69),
        Gap(group="class", name="helmet", kind=NEVER, count=12),
    )


def test_a_class_without_boxes_is_not_measured_and_not_passed():
    figures = {name: value for name, value in ALL.items() if "vest" not in name}
    assert gaps(of(figures, boxes={"vest": 0})) == (Gap(group="class", name="vest", kind=UNMEASURED, count=0),)


def test_a_class_with_boxes_whose_figure_is_absent_is_not_measured_either():
    figures = {name: value for name, value in ALL.items() if "vest" not in name}
    assert gaps(of(figures)) == (Gap(group="class", name="vest", kind=UNMEASURED, count=12),)


@pytest.mark.parametrize(("recall", "kinds"), [(0.0, [UNUSED]), (0.01, [])])
def test_a_class_that_is_found_only_below_the_threshold_in_use_is_a_gap(recall, kinds):
    assert [gap.kind for gap in gaps(of(ALL | {"class/helmet/recall": recall}))] == kinds


def test_a_class_that_is_never_found_is_named_once():
    assert len(gaps(of(ALL | {"class/helmet/ap_50": 0.0, "class/helmet/recall": 0.0}))) == 1


def test_a_slice_that_is_never_found_is_a_gap_and_one_without_boxes_is_not():
    figures = ALL | {"slice/light=night/map_50": 0.0, "slice/light=day/map_50": 0.4, "slice/light=dusk/map_50": 0.2}
    figures |= {"slice/light=dusk/recall": 0.0}
    slices = {"light=night": 12, "light=day": 20, "light=dusk": 5, "light=none": 3}
    assert gaps(of(figures, slices=slices)) == (
        Gap(group="slice", name="light=night", kind=NEVER, count=12),
        Gap(group="slice", name="light=dusk", kind=UNUSED, count=5),
    )


def test_a_size_that_is_never_found_is_a_gap_and_one_without_boxes_is_not():
    assert gaps(of(ALL | {"map_small": 0.0, "map_large": 0.3, "size/large/recall": 0.0})) == (
        Gap(group="size", name="small", kind=NEVER),
        Gap(group="size", name="large", kind=UNUSED),
    )


def test_classes_come_before_slices_and_sizes_and_the_gravest_first():
    figures = {"class/person/ap_50": 0.5, "class/helmet/ap_50": 0.2, "class/helmet/recall": 0.0, "map_small": 0.0}
    found = gaps(of(figures | {"class/vest/ap_50": 0.0, "slice/a=b/map_50": 0.0}, slices={"a=b": 3}))
    assert [(gap.name, gap.kind) for gap in found] == [
        ("vest", NEVER),
        ("helmet", UNUSED),
        ("a=b", NEVER),
        ("small", NEVER),
    ]
