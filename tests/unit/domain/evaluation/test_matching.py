"""Which detection claims which ground truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import iou
from cv_yolo.domain.evaluation import matching
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.split_boxes import gather
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import LAWS, a_random_split, matching_of, table_of

HALF = np.array([0.5])


def claims(truth, found, *, thresholds=HALF, **how):
    """By threshold: which detection (the surest is 0) claims which truth."""
    table = gather([truth], [found], classes=2)
    matched = match(table, find_overlaps(table, least=0.1), iou_thresholds=thresholds, **how)
    return [
        dict(zip(matched.detection[rows].tolist(), matched.truth[rows].tolist(), strict=True))
        for rows in (matched.threshold == index for index in range(len(thresholds)))
    ]


def boxes_of_overlap(*shares):
    """Boxes from the top left corner, each with that part of the area of a box of 100 × 10 px."""
    return [(0.0, 0.0, 100.0 * share, 10.0) for share in shares]


WHOLE = (0.0, 0.0, 100.0, 10.0)


def test_each_ground_truth_is_claimed_once_by_the_surest_detection():
    found = some_detections(*boxes_of_overlap(0.9, 0.6), confidences=[0.3, 0.8])
    assert claims(a_truth(WHOLE), found) == [{0: 0}]


def test_a_detection_claims_the_ground_truth_it_overlaps_most():
    assert claims(a_truth(*boxes_of_overlap(0.6, 0.8, 0.7)), some_detections(WHOLE)) == [{0: 1}]


def test_a_detection_whose_first_choice_is_taken_claims_the_next():
    found = some_detections(WHOLE, WHOLE, confidences=[0.9, 0.8])
    assert claims(a_truth(*boxes_of_overlap(0.6, 0.8)), found) == [{0: 1, 1: 0}]


def test_of_equal_overlaps_the_last_is_claimed():
    assert claims(a_truth(*boxes_of_overlap(0.7, 0.7, 0.6)), some_detections(WHOLE)) == [{0: 1}]


def test_an_overlap_of_exactly_the_threshold_is_enough_and_less_is_not():
    assert claims(a_truth(WHOLE), some_detections(*boxes_of_overlap(0.5))) == [{0: 0}]
    assert claims(a_truth(WHOLE), some_detections(*boxes_of_overlap(0.4999))) == [{}]


def test_each_threshold_is_matched_again():
    found = some_detections(*boxes_of_overlap(0.6, 0.9), confidences=[0.9, 0.8])
    assert claims(a_truth(WHOLE), found, thresholds=np.array([0.5, 0.75])) == [{0: 0}, {1: 0}]


def test_a_whole_overlap_satisfies_even_a_threshold_of_one():
    assert claims(a_truth(WHOLE), some_detections(*boxes_of_overlap(1 - 1e-12)), thresholds=np.array([1.0])) == [{0: 0}]


def test_a_box_of_another_class_or_of_another_image_is_not_claimed():
    assert claims(a_truth(WHOLE, classes=[0]), some_detections(WHOLE, classes=[1])) == [{}]
    table = gather(
        [a_truth(WHOLE, image="a"), a_truth(image="b")],
        [some_detections(image="a"), some_detections(WHOLE, image="b")],
        classes=1,
    )
    assert len(find_overlaps(table, least=0.0).iou) == 0


def test_an_overlap_of_exactly_the_least_is_found_and_one_below_is_not():
    table = gather([a_truth(WHOLE)], [some_detections(*boxes_of_overlap(0.5, 0.4999))], classes=1)
    assert find_overlaps(table, least=0.5).iou.tolist() == [0.5]


def test_across_classes_a_box_of_another_class_is_near_but_one_of_another_image_is_not():
    table = gather(
        [a_truth(WHOLE, image="a", classes=[1]), a_truth(WHOLE, image="b", classes=[1])],
        [some_detections(WHOLE, image="a"), some_detections(image="b")],
        classes=2,
    )
    near = find_overlaps(table, least=0.1, across_classes=True)
    assert (near.detection.tolist(), near.truth.tolist(), near.iou.tolist()) == ([0], [0], [1.0])


def test_a_crowd_is_overlapped_by_as_much_of_the_detection_as_lies_in_it():
    """The box fills a tenth of the crowd, and half of it lies outside."""
    crowd = replace(a_truth((0, 0, 100, 10)), crowds=np.array([True]))
    table = gather([crowd], [some_detections((90, 0, 110, 10))], classes=1)
    assert find_overlaps(table, least=0.1).iou.tolist() == [0.5]


def test_a_crowd_can_be_claimed_again_and_again():
    crowd = replace(a_truth(WHOLE), crowds=np.array([True]))
    assert claims(crowd, some_detections(WHOLE, WHOLE, WHOLE, confidences=[0.9, 0.8, 0.7])) == [{0: 0, 1: 0, 2: 0}]


def test_a_box_that_is_asked_for_is_preferred_to_a_crowd_that_overlaps_more():
    truth = replace(a_truth(WHOLE, *boxes_of_overlap(0.6)), crowds=np.array([True, False]))
    found = some_detections(WHOLE, WHOLE, confidences=[0.9, 0.8])
    assert claims(truth, found) == [{0: 1, 1: 0}]


def test_boxes_outside_the_size_range_are_ignored_and_those_on_its_limits_are_not():
    truth = a_truth((0, 0, 10, 10), (0, 0, 20, 20), (0, 0, 30, 30), (0, 0, 31, 30))
    found = some_detections((0, 0, 9, 10), (0, 0, 10, 10), (0, 0, 30, 30), (0, 0, 30, 31))
    matched = matching_of(gather([truth], [found], classes=1), area_range_px=(100, 900))
    assert matched.ignored.tolist() == [False, False, False, True]
    assert matched.outside.tolist() == [True, False, False, True]


def test_a_detection_claims_a_box_outside_the_size_range_only_where_no_other_is_left():
    truth = a_truth(WHOLE, *boxes_of_overlap(0.6))
    found = some_detections(WHOLE, WHOLE, confidences=[0.9, 0.8])
    assert claims(truth, found, area_range_px=(0, 700)) == [{0: 1, 1: 0}]


def test_without_ground_truth_or_without_detections_nothing_is_claimed():
    assert claims(a_truth(), some_detections(WHOLE)) == [{}]
    assert claims(a_truth(WHOLE), some_detections()) == [{}]


@LAWS
@given(st.integers(0, 10_000), st.sampled_from([None, 3]))
def test_claims_are_one_to_one_and_near_enough(seed, levels):
    table = table_of(*a_random_split(seed, levels=levels, crowds=0.2))
    matched = matching_of(table)
    once = list(zip(matched.threshold, matched.detection, strict=True))
    assert len(set(once)) == len(once)
    single = ~table.truths.crowd[matched.truth]
    once = list(zip(matched.threshold[single], matched.truth[single], strict=True))
    assert len(set(once)) == len(once)
    assert (table.found.image[matched.detection] == table.truths.image[matched.truth]).all()
    assert (table.found.class_id[matched.detection] == table.truths.class_id[matched.truth]).all()
    near = iou(table.found.boxes_xyxy[matched.detection], table.truths.boxes_xyxy[matched.truth])
    assert (near[single] >= IOU_THRESHOLDS[matched.threshold][single]).all()


@LAWS
@given(st.integers(0, 10_000), st.integers(0, len(IOU_THRESHOLDS) - 1))
def test_no_detection_would_rather_have_a_box_that_was_free_when_it_chose(seed, index):
    """A detection that could have had a better box lost it to a surer one."""
    table = table_of(*a_random_split(seed))
    near = find_overlaps(table, least=0.5)
    matched = matching_of(table)
    at_it = matched.threshold == index
    claimed = dict(zip(matched.detection[at_it], matched.truth[at_it], strict=True))
    by_whom = {truth: detection for detection, truth in claimed.items()}
    overlap = dict(zip(zip(near.detection, near.truth, strict=True), near.iou, strict=True))
    for (detection, truth), how_much in overlap.items():
        own = overlap[detection, claimed[detection]] if detection in claimed else -1.0
        if how_much >= IOU_THRESHOLDS[index] and how_much > own:
            assert table.found.confidence[by_whom[truth]] > table.found.confidence[detection]


@LAWS
@given(st.integers(0, 10_000))
def test_claims_come_by_threshold_and_then_by_rank(seed):
    matched = matching_of(table_of(*a_random_split(seed, levels=3)))
    order = list(zip(matched.threshold.tolist(), matched.detection.tolist(), strict=True))
    assert order == sorted(order)


@pytest.mark.parametrize("across_classes", [False, True])
def test_looking_for_overlaps_in_portions_finds_the_same(across_classes, monkeypatch):
    table = table_of(*a_random_split(3, images=20))
    at_once = find_overlaps(table, least=0.1, across_classes=across_classes)
    monkeypatch.setattr(matching, "PAIRS_AT_ONCE", 5)
    in_portions = find_overlaps(table, least=0.1, across_classes=across_classes)
    assert len(at_once.iou) > 20
    for name in ("detection", "truth", "iou"):
        np.testing.assert_array_equal(getattr(in_portions, name), getattr(at_once, name))
