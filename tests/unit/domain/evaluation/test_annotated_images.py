"""What a detector in use makes of each image."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.annotated_images import annotate_images, in_use
from cv_yolo.domain.evaluation.error_types import ErrorType
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import LAWS, a_random_split, table_of

A, B, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60), (200, 200, 210, 210)


def annotated_of(truths, found, threshold=0.5):
    return annotate_images(table_of(truths, found), confidence_threshold=threshold)


def test_each_image_has_its_own_boxes_in_order():
    first, second, third = annotated_of(
        [a_truth(A, image="a"), a_truth(image="b"), a_truth(B, A, image="c", classes=[1, 0])],
        [some_detections(image="a"), some_detections(A, image="b"), some_detections(B, image="c", classes=[1])],
    )
    assert [each.image for each in (first, second, third)] == ["a", "b", "c"]
    assert [(mark.xyxy, mark.class_id, mark.found) for mark in third.truths] == [(B, 1, True), (A, 0, False)]
    assert (len(first.truths), len(first.detections)) == (1, 0)
    assert (len(second.truths), len(second.detections)) == (0, 1)
    assert [(each.misses, each.false_positives, each.errors) for each in (first, second, third)] == [
        (1, 0, 1),
        (0, 1, 1),
        (1, 0, 1),
    ]


def test_a_detection_says_in_which_way_it_is_wrong():
    found = some_detections(
        A, A, (0, 0, 10, 3), B, ELSEWHERE, classes=[0, 0, 0, 0, 1], confidences=[0.9, 0.8, 0.75, 0.7, 0.6]
    )
    (annotated,) = annotated_of([a_truth(A, B, classes=[0, 1])], [found])
    assert {mark.confidence: mark.error for mark in annotated.detections} == {
        0.9: None,
        0.8: ErrorType.DUPLICATE,
        0.75: ErrorType.LOCALISATION,
        0.7: ErrorType.CLASSIFICATION,
        0.6: ErrorType.BACKGROUND,
    }
    assert (annotated.misses, annotated.false_positives, annotated.errors) == (1, 4, 5)


def test_a_crowd_is_not_asked_for_and_what_claims_it_is_not_wrong():
    (annotated,) = annotated_of([replace(a_truth(A, B), crowds=np.array([True, True]))], [some_detections(A)])
    assert [(mark.crowd, mark.found) for mark in annotated.truths] == [(True, True), (True, False)]
    assert annotated.errors == 0


def test_detections_below_the_threshold_are_not_shown_and_find_nothing():
    (annotated,) = annotated_of([a_truth(A, B)], [some_detections(A, B, confidences=[0.5, 0.49])])
    assert [mark.confidence for mark in annotated.detections] == [0.5]
    assert [mark.found for mark in annotated.truths] == [True, False]


def test_without_a_threshold_nothing_is_shown_and_everything_is_missed():
    (annotated,) = annotated_of([a_truth(A, B)], [some_detections(A, B)], threshold=None)
    assert (annotated.detections, annotated.misses) == ((), 2)


def test_corners_are_rounded_to_a_hundredth_of_a_pixel():
    (annotated,) = annotated_of([a_truth((0.123, 1, 10.999, 9))], [some_detections((0.126, 1, 10.994, 9))])
    assert annotated.truths[0].xyxy == (0.12, 1.0, 11.0, 9.0)
    assert annotated.detections[0].xyxy == (0.13, 1.0, 10.99, 9.0)


@pytest.mark.parametrize("threshold", [0.0, 0.4, 0.9])
def test_boxes_in_use_keep_their_ranks(threshold):
    table = table_of(*a_random_split(5))
    used = in_use(table, threshold)
    sure = table.found.confidence >= threshold
    assert used.found.confidence.tolist() == table.found.confidence[sure].tolist()
    assert used.found.rank.tolist() == table.found.rank[sure].tolist()
    assert used.truths is table.truths


@LAWS
@given(st.integers(0, 10_000))
def test_every_truth_is_found_or_missed_and_every_detection_right_or_wrong(seed):
    """Without crowds as many detections are right as truths are found."""
    truths, found = a_random_split(seed)
    for annotated, truth, each in zip(annotated_of(truths, found), truths, found, strict=True):
        assert len(annotated.truths) == len(truth.class_ids)
        assert len(annotated.detections) == np.count_nonzero(each.confidences >= 0.5)
        assert len(annotated.detections) - annotated.false_positives == len(annotated.truths) - annotated.misses
