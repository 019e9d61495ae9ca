"""Precision, recall and F1 of a detector in use."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.operating_point import best_confidence_threshold, in_use_measure, right_and_listed
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import CLASSES, LAWS, a_random_split, matching_of, table_of

A, B, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60), (200, 200, 210, 210)


def figures(truths, found, threshold, *, sizes=(), draws=None):
    """The figures in use by name, of the split as it is or of one draw."""
    table = table_of(truths, found)
    matchings = {"": matching_of(table)} | {name: matching_of(table, area_range_px=limits) for name, limits in sizes}
    measure = in_use_measure(table, matchings, CLASSES, confidence_threshold=threshold)
    computed = measure.compute(np.ones((1, len(truths))) if draws is None else draws)
    return dict(zip(measure.names, computed[0].tolist(), strict=True))


def best(truths, found):
    table = table_of(truths, found)
    return best_confidence_threshold(table, matching_of(table))


@LAWS
@given(st.integers(0, 10_000), st.sampled_from([None, 3, 6]))
def test_the_threshold_of_the_best_f1_is_as_good_as_any_and_of_equal_ones_the_highest(seed, levels):
    truths, found = a_random_split(seed, levels=levels, crowds=0.2)
    threshold = best(truths, found)
    confidences = np.unique(np.concatenate([each.confidences for each in found]))
    tried = {value: figures(truths, found, value)["f1"] for value in confidences.tolist()}
    if threshold is None:
        assert np.isnan(list(tried.values())).all()  # nothing was detected, or crowds alone
        return
    highest = max(value for value in tried.values() if not np.isnan(value))
    assert figures(truths, found, threshold)["f1"] == pytest.approx(highest, abs=1e-12)
    assert threshold == max(value for value, f1 in tried.items() if f1 == highest)


def test_without_detections_there_is_no_best_threshold():
    assert best([a_truth(A)], [some_detections()]) is None


def test_detections_in_crowds_alone_make_no_best_threshold():
    assert best([replace(a_truth(A), crowds=np.array([True]))], [some_detections(A)]) is None


def test_a_detector_that_is_always_wrong_has_its_surest_guess_as_threshold():
    assert best([a_truth(A)], [some_detections(B, ELSEWHERE, confidences=[0.4, 0.8])]) == 0.8


def test_detections_of_equal_confidence_are_taken_together():
    """Taken apart, the right one alone would score an F1 of 1; but no threshold separates it from the wrong one.

    Together with the wrong one F1 is 2/3, and 4/5 with one more that is right.
    """
    truths = [a_truth(A, B)]
    found = [some_detections(A, ELSEWHERE, B, confidences=[0.7, 0.7, 0.3])]
    assert best(truths, found) == 0.3
    assert best([a_truth(A)], [some_detections(A, ELSEWHERE, confidences=[0.7, 0.7])]) == 0.7


def test_the_best_threshold_is_over_all_classes_together():
    truths = [a_truth(A, B, classes=[0, 1])]
    found = [some_detections(A, ELSEWHERE, B, classes=[0, 0, 1], confidences=[0.9, 0.6, 0.4])]
    assert best(truths, found) == 0.4


def test_detections_below_the_threshold_do_not_count_and_those_on_it_do():
    truths, found = [a_truth(A, B)], [some_detections(A, ELSEWHERE, B, confidences=[0.9, 0.5, 0.49])]
    found_figures = figures(truths, found, 0.5)
    assert (found_figures["precision"], found_figures["recall"], found_figures["f1"]) == (0.5, 0.5, 0.5)


def test_each_class_has_its_own_metrics():
    truths = [a_truth(A, B, classes=[0, 1])]
    found = [some_detections(A, B, ELSEWHERE, classes=[0, 0, 0], confidences=[0.9, 0.8, 0.7])]
    found_figures = figures(truths, found, 0.1)
    assert found_figures["class/person/precision"] == pytest.approx(1 / 3)
    assert found_figures["class/person/recall"] == 1.0
    assert np.isnan(found_figures["class/dog/precision"])
    assert found_figures["class/dog/recall"] == found_figures["class/dog/f1"] == 0.0
    assert np.isnan([found_figures[f"class/tree/{name}"] for name in ("precision", "recall", "f1")]).all()
    assert (found_figures["precision"], found_figures["recall"]) == pytest.approx((1 / 3, 1 / 2))


def test_each_size_range_has_its_own_metrics():
    """The small box is found; a small detection on nothing is wrong among the small, and outside among the large."""
    truths = [a_truth(A, (50, 50, 150, 150))]
    found = [some_detections(A, ELSEWHERE, confidences=[0.9, 0.8])]
    sizes = (("size/small", (0, 1024)), ("size/large", (9216, 1e10)))
    found_figures = figures(truths, found, 0.5, sizes=sizes)
    assert (found_figures["size/small/precision"], found_figures["size/small/recall"]) == (0.5, 1.0)
    assert np.isnan(found_figures["size/large/precision"])
    assert found_figures["size/large/recall"] == 0.0
    assert found_figures["recall"] == 0.5


def test_a_draw_counts_each_image_as_often_as_it_is_drawn():
    truths = [a_truth(A, image="a"), a_truth(A, image="b")]
    found = [some_detections(A, image="a"), some_detections(B, image="b")]
    assert figures(truths, found, 0.5, draws=np.array([[3.0, 1.0]]))["recall"] == 3 / 4


def test_a_detection_that_claims_a_crowd_is_neither_right_nor_listed():
    table = table_of(
        [replace(a_truth(A, B), crowds=np.array([True, False]))],
        [some_detections(A, B, ELSEWHERE, confidences=[0.9, 0.8, 0.7])],
    )
    right, listed = right_and_listed(table, matching_of(table))
    assert (right.tolist(), listed.tolist()) == ([False, True, False], [False, True, True])


def test_right_is_judged_at_the_first_threshold_alone():
    """An overlap of 0.6 claims its box at IoU 0.5, and none at 0.75."""
    table = table_of([a_truth(A)], [some_detections((0, 0, 10, 6))])
    for thresholds, expected in (([0.5, 0.75], [True]), ([0.75, 0.5], [False])):
        right, _ = right_and_listed(table, matching_of(table, iou_thresholds=np.array(thresholds)))
        assert right.tolist() == expected
