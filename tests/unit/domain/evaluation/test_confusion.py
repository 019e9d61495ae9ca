"""Which class a detector in use takes for which."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.confusion import confusion_measure
from tests.random_boxes import CLASSES, random_pictures, repeated, table_of

LAWS = settings(max_examples=60, deadline=None, database=None)
SEEDS = st.integers(0, 100_000)

DOG, CAR = 1, 2
SQUARE, NEAR, ELSEWHERE = (0, 0, 10, 10), (0, 0, 10, 8), (50, 50, 60, 60)


def a_picture(truths, detections, *, crowds=None):
    """Boxes as `(corners, class)` and `(corners, class, confidence)`."""
    return (
        GroundTruth(
            image="1.jpg",
            boxes_xyxy=np.array([box for box, _ in truths], dtype=np.float64).reshape(-1, 4),
            class_ids=np.array([class_id for _, class_id in truths], dtype=np.int64),
            crowds=None if crowds is None else np.array(crowds, dtype=bool),
        ),
        Detections(
            image="1.jpg",
            boxes_xyxy=np.array([box for box, _, _ in detections], dtype=np.float64).reshape(-1, 4),
            class_ids=np.array([class_id for _, class_id, _ in detections], dtype=np.int64),
            confidences=np.array([confidence for _, _, confidence in detections], dtype=np.float64),
        ),
    )


def cells_of(pictures, draw=None, *, threshold=0.25):
    """The cells that are not zero, by what follows `confusion/`."""
    measure = confusion_measure(table_of(pictures), confidence_threshold=threshold)
    draws = np.ones((1, len(pictures))) if draw is None else np.array([draw], dtype=np.float64)
    figures = zip(measure.names, measure.compute(draws)[0].tolist(), strict=True)
    return {name.removeprefix("confusion/"): count for name, count in figures if count}


def test_a_detection_of_the_right_class_is_on_the_diagonal():
    assert cells_of([a_picture([(SQUARE, DOG)], [(NEAR, DOG, 0.9)])]) == {"1/1": 1}


def test_a_detection_of_another_class_is_where_truth_and_prediction_cross():
    assert cells_of([a_picture([(SQUARE, DOG)], [(NEAR, CAR, 0.9)])]) == {"1/2": 1}


def test_a_missed_box_was_taken_for_background_and_a_detection_on_nothing_found_in_it():
    assert cells_of([a_picture([(SQUARE, DOG)], [(ELSEWHERE, CAR, 0.9)])]) == {"1/background": 1, "background/2": 1}


def test_the_surer_detection_claims_the_box_whatever_its_class():
    picture = a_picture([(SQUARE, DOG)], [(SQUARE, DOG, 0.8), (NEAR, CAR, 0.9)])
    assert cells_of([picture]) == {"1/2": 1, "background/1": 1}


def test_a_detection_claims_the_box_it_overlaps_most_whatever_its_class():
    picture = a_picture([(SQUARE, DOG), (NEAR, CAR)], [(NEAR, DOG, 0.9)])
    assert cells_of([picture]) == {"2/1": 1, "1/background": 1}


@pytest.mark.parametrize(("threshold", "cells"), [(0.9, {"1/1": 1}), (0.91, {"1/background": 1})])
def test_only_detections_with_at_least_the_confidence_threshold_are_in_use(threshold, cells):
    picture = a_picture([(SQUARE, DOG)], [(SQUARE, DOG, 0.9), (ELSEWHERE, CAR, 0.5)])
    assert cells_of([picture], threshold=threshold) == cells


def test_a_crowd_and_what_claims_it_count_nowhere():
    picture = a_picture([(SQUARE, DOG), (ELSEWHERE, CAR)], [(SQUARE, CAR, 0.9)], crowds=[True, False])
    assert cells_of([picture]) == {"2/background": 1}


def test_the_cells_are_in_the_order_of_the_classes_with_the_background_last():
    found = [(SQUARE, CAR, 0.9), (SQUARE, DOG, 0.8), ((80, 80, 90, 90), DOG, 0.7)]
    measure = confusion_measure(
        table_of([a_picture([(SQUARE, DOG), (ELSEWHERE, DOG)], found)]), confidence_threshold=0.0
    )
    assert measure.names == ("confusion/1/2", "confusion/1/background", "confusion/background/1")


def test_without_any_box_there_are_no_cells():
    for pictures in ([], [a_picture([], [])]):
        measure = confusion_measure(table_of(pictures), confidence_threshold=0.25)
        assert measure.names == ()
        assert measure.compute(np.ones((3, len(pictures)))).shape == (3, 0)


@LAWS
@given(SEEDS, st.floats(0, 1))
def test_each_row_adds_up_to_the_boxes_of_its_class(seed, threshold):
    pictures = random_pictures(seed)
    rows = Counter()
    for name, count in cells_of(pictures, threshold=threshold).items():
        rows[name.split("/")[0]] += int(count)
    truths = table_of(pictures).truths
    for class_id in range(CLASSES):
        assert rows[str(class_id)] == np.count_nonzero((truths.class_id == class_id) & ~truths.crowd)


@LAWS
@given(SEEDS, st.floats(0, 1))
def test_each_column_adds_up_to_the_detections_of_its_class_where_there_is_no_crowd(seed, threshold):
    pictures = random_pictures(seed, crowds=0.0)
    columns = Counter()
    for name, count in cells_of(pictures, threshold=threshold).items():
        columns[name.split("/")[1]] += int(count)
    found = table_of(pictures).found
    for class_id in range(CLASSES):
        expected = np.count_nonzero((found.class_id == class_id) & (found.confidence >= threshold))
        assert columns[str(class_id)] == expected


@LAWS
@given(SEEDS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_draw_gives_the_cells_of_a_split_with_each_image_as_often(seed, times):
    pictures = random_pictures(seed)
    draw = times[: len(pictures)]
    assert cells_of(pictures, draw) == cells_of(repeated(pictures, draw))
