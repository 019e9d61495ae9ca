"""Average precision and the operating point: laws that hold for any detections."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.metrics import (
    IOU_THRESHOLDS,
    MatchedClass,
    average_precision,
    best_operating_point,
    interpolated_precision,
    match_split,
)
from tests.builders import a_truth, some_detections

LAWS = settings(max_examples=40, deadline=None, database=None)


def a_split(seed, *, distinct=True):
    """Five images of persons and dogs, with detections near them and anywhere."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for image in range(5):
        low = rng.uniform(0, 100, size=(4, 2))
        annotated = np.concatenate([low, low + rng.uniform(20, 60, size=(4, 2))], axis=1)
        detected = np.concatenate([annotated, annotated[:2]]) + rng.normal(0, 5, size=(6, 4))
        confidences = rng.uniform(0.1, 0.9, size=6) if distinct else rng.integers(1, 5, size=6) / 5
        name = f"{image}.jpg"
        truths.append(a_truth(*annotated, image=name, classes=[0, 0, 0, 1]))
        found.append(some_detections(*detected, image=name, confidences=confidences, classes=[0, 0, 1, 1, 0, 0]))
    return truths, found


def precisions(truths, found):
    return np.array([average_precision(each) for each in match_split(truths, found)])


@LAWS
@given(st.integers(0, 10_000), st.permutations(range(5)))
def test_the_order_of_the_images_does_not_matter_where_confidences_are_distinct(seed, order):
    truths, found = a_split(seed)
    there = precisions([truths[index] for index in order], [found[index] for index in order])
    np.testing.assert_allclose(there, precisions(truths, found), rtol=0, atol=1e-12)


@LAWS
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_a_detection_less_sure_than_all_others_never_lowers_average_precision(seed, image):
    truths, found = a_split(seed)
    before = precisions(truths, found)
    extra = np.random.default_rng(seed).uniform(0, 80, size=2)
    box = truths[image].boxes_xyxy[0] if seed % 2 else np.concatenate([extra, extra + 30])
    found[image] = some_detections(
        *found[image].boxes_xyxy,
        box,
        image=found[image].image,
        classes=[*found[image].class_ids, 0],
        confidences=[*found[image].confidences, 0.05],
    )
    assert (precisions(truths, found) >= before - 1e-12).all()


@LAWS
@given(st.integers(0, 10_000))
def test_a_perfect_detector_scores_one_at_every_threshold(seed):
    truths, _ = a_split(seed)
    confidences = np.random.default_rng(seed).uniform(0.1, 0.9, size=(5, 4))
    found = [
        some_detections(*truth.boxes_xyxy, image=truth.image, classes=truth.class_ids, confidences=sure)
        for truth, sure in zip(truths, confidences, strict=True)
    ]
    np.testing.assert_allclose(precisions(truths, found), 1.0, rtol=1e-12)
    point = best_operating_point(match_split(truths, found))
    assert (point.precision, point.recall, point.f1) == (1.0, 1.0, 1.0)
    assert point.confidence_threshold == confidences.min()


@LAWS
@given(st.integers(0, 10_000), st.booleans())
def test_average_precision_is_a_share_at_each_threshold(seed, distinct):
    figures = precisions(*a_split(seed, distinct=distinct))
    assert figures.shape == (2, len(IOU_THRESHOLDS))
    assert ((figures >= 0) & (figures <= 1)).all()


@LAWS
@given(st.integers(0, 10_000), st.booleans())
def test_the_operating_point_has_the_highest_f1_of_all_thresholds(seed, distinct):
    matched = match_split(*a_split(seed, distinct=distinct))
    point = best_operating_point(matched)
    thresholds = sorted({float(value) for each in matched for value in each.confidences}, reverse=True)
    tried = [_scores_at(threshold, matched) for threshold in thresholds]
    best = max(range(len(tried)), key=lambda index: (tried[index][2], -index))
    assert point.f1 == pytest.approx(tried[best][2])
    assert point.confidence_threshold == thresholds[best]
    assert (point.precision, point.recall) == pytest.approx(tried[best][:2])


def _scores_at(threshold, matched):
    sure = [each.correct[0][each.confidences >= threshold] for each in matched]
    right, predicted = sum(int(each.sum()) for each in sure), sum(len(each) for each in sure)
    truths = sum(each.truths for each in matched)
    return right / predicted, right / truths, 2 * right / (predicted + truths)


def test_detections_of_equal_confidence_are_taken_together():
    """Taken apart, the right one alone would score an F1 of 1; but no threshold separates the two."""
    matched = MatchedClass(
        class_id=0, confidences=np.array([0.7, 0.7]), correct=np.array([[True, False]] * 10), truths=1
    )
    point = best_operating_point([matched])
    assert (point.precision, point.recall, point.f1) == (0.5, 1.0, pytest.approx(2 / 3))


def test_without_detections_there_is_no_operating_point():
    assert best_operating_point([]) is None
    assert best_operating_point(match_split([a_truth((0, 0, 9, 9))], [some_detections()])) is None


def test_a_detector_that_is_always_wrong_has_a_point_at_its_surest_guess():
    found = some_detections((50, 50, 60, 60), (70, 70, 80, 80), confidences=[0.4, 0.8])
    point = best_operating_point(match_split([a_truth((0, 0, 9, 9))], [found]))
    assert (point.f1, point.precision, point.recall, point.confidence_threshold) == (0.0, 0.0, 0.0, 0.8)


def test_classes_that_are_annotated_nowhere_are_left_out():
    found = some_detections((0, 0, 9, 9), (0, 0, 9, 9), classes=[2, 5])
    matched = match_split([a_truth((0, 0, 9, 9), classes=[2])], [found])
    assert [(each.class_id, each.truths, len(each.confidences)) for each in matched] == [(2, 1, 1)]


def test_matched_detections_come_with_the_surest_first_and_earlier_images_before_later_ones():
    truths = [a_truth((0, 0, 9, 9), image="a"), a_truth((0, 0, 9, 9), image="b")]
    found = [
        some_detections((50, 50, 60, 60), (0, 0, 9, 9), image="a", confidences=[0.5, 0.2]),
        some_detections((0, 0, 9, 9), image="b", confidences=[0.5]),
    ]
    (matched,) = match_split(truths, found)
    assert matched.confidences.tolist() == [0.5, 0.5, 0.2]
    assert matched.correct[0].tolist() == [False, True, True]


def test_only_the_hundred_surest_detections_of_an_image_count():
    boxes = [(50, 50, 60, 60)] * 100 + [(0, 0, 9, 9)]
    confidences = [0.9] * 100 + [0.5]
    (matched,) = match_split([a_truth((0, 0, 9, 9))], [some_detections(*boxes, confidences=confidences)])
    assert len(matched.confidences) == 100
    assert not matched.correct.any()


@pytest.mark.parametrize("images", [("b",), (), ("a", "b")])
def test_ground_truth_and_detections_of_other_images_are_refused(images):
    with pytest.raises(ValueError, match="not of the same images"):
        match_split([a_truth(image="a")], [some_detections(image=image) for image in images])


def test_nothing_annotated_and_nothing_found_is_nothing_matched():
    assert match_split([a_truth()], [some_detections()]) == ()
    assert match_split([], []) == ()


def test_precision_is_interpolated_to_a_hundred_and_one_recalls():
    """One of two found by the first detection: the first 51 recalls (0.00 to 0.50) are reached."""
    figures = interpolated_precision(np.array([True, False]), 2)
    assert figures.shape == (101,)
    np.testing.assert_allclose(figures[:51], 1.0)
    np.testing.assert_array_equal(figures[51:], 0.0)


def test_without_detections_precision_is_zero_at_every_recall():
    np.testing.assert_array_equal(interpolated_precision(np.empty(0, dtype=bool), 3), np.zeros(101))
