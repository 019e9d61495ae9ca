"""Whether confidence means what it says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.calibration import calibration_measure
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.operating_point import right_and_listed
from tests.random_boxes import random_pictures, repeated, table_of

LAWS = settings(max_examples=60, deadline=None, database=None)
SEEDS = st.integers(0, 100_000)

BINS = range(10)
SQUARE, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60)


def a_picture(*, right=(), wrong=(), crowd=None):
    """One right detection on a box of its own for each confidence, and one on nothing; `crowd` is one on a crowd."""
    boxes = [(20 * place, 0, 20 * place + 10, 10) for place in range(len(right))]
    in_crowd = [] if crowd is None else [ELSEWHERE]
    nothing = [(0, 100, 10, 110)] * len(wrong)
    return (
        GroundTruth(
            image="1.jpg",
            boxes_xyxy=np.array([*boxes, *in_crowd], dtype=np.float64).reshape(-1, 4),
            class_ids=np.zeros(len(boxes) + len(in_crowd), dtype=np.int64),
            crowds=np.array([False] * len(boxes) + [True] * len(in_crowd), dtype=bool),
        ),
        Detections(
            image="1.jpg",
            boxes_xyxy=np.array([*boxes, *nothing, *in_crowd], dtype=np.float64).reshape(-1, 4),
            class_ids=np.zeros(len(boxes) + len(nothing) + len(in_crowd), dtype=np.int64),
            confidences=np.array([*right, *wrong, *([] if crowd is None else [crowd])], dtype=np.float64),
        ),
    )


def matching_of(table):
    return match(table, find_overlaps(table, least=float(IOU_THRESHOLDS[0])))


def figures_of(pictures, draw=None, *, threshold=0.0):
    table = table_of(pictures)
    measure = calibration_measure(table, matching_of(table), confidence_threshold=threshold)
    draws = np.ones((1, len(pictures))) if draw is None else np.array([draw], dtype=np.float64)
    return dict(zip(measure.names, measure.compute(draws)[0].tolist(), strict=True))


def bin_of(figures, place):
    return tuple(figures[f"calibration/{place}/{figure}"] for figure in ("count", "confidence", "precision"))


def same(first, second):
    assert first.keys() == second.keys()
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=0, atol=1e-9)


def test_by_hand_a_bin_counts_how_many_how_sure_and_how_right_its_detections_are():
    figures = figures_of([a_picture(right=[0.82, 0.84, 0.86], wrong=[0.88, 0.12])])
    assert bin_of(figures, 8) == pytest.approx((4, 0.85, 3 / 4))
    assert bin_of(figures, 1) == pytest.approx((1, 0.12, 0.0))


def test_by_hand_the_error_weighs_the_gap_of_each_bin_with_its_detections():
    """Bin 8: |3/4 - 0.85| of 4; bin 1: |0 - 0.12| of 1."""
    figures = figures_of([a_picture(right=[0.82, 0.84, 0.86], wrong=[0.88, 0.12])])
    assert figures["calibration/d_ece"] == pytest.approx((4 * 0.1 + 1 * 0.12) / 5)


def test_by_hand_the_error_is_over_the_detections_in_use_and_the_bins_over_all():
    figures = figures_of([a_picture(right=[0.82, 0.84, 0.86], wrong=[0.88, 0.12])], threshold=0.84)
    assert figures["calibration/d_ece"] == pytest.approx(0.86 - 2 / 3)
    assert bin_of(figures, 8) == pytest.approx((4, 0.85, 3 / 4))
    assert bin_of(figures, 1)[0] == 1


def test_gaps_within_a_bin_cancel_and_those_of_two_bins_do_not():
    within, across = a_picture(right=[0.55], wrong=[0.55]), a_picture(right=[0.75], wrong=[0.25])
    assert figures_of([within])["calibration/d_ece"] == pytest.approx(0.05)
    assert figures_of([across])["calibration/d_ece"] == pytest.approx(0.25)


def test_a_bin_holds_its_lower_bound_and_the_last_one_both():
    confidences = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    figures = figures_of([a_picture(wrong=confidences)])
    assert [figures[f"calibration/{place}/count"] for place in BINS] == [1] * 9 + [2]


def test_an_empty_bin_has_a_count_of_zero_and_no_rates():
    count, confidence, precision = bin_of(figures_of([a_picture(right=[0.95])]), 0)
    assert count == 0
    assert np.isnan([confidence, precision]).all()


def test_without_detections_in_use_there_is_no_error():
    for pictures in ([], [a_picture()], [a_picture(right=[0.4])]):
        assert np.isnan(figures_of(pictures, threshold=0.5)["calibration/d_ece"])


def test_a_detection_that_claims_a_crowd_is_left_out():
    same(figures_of([a_picture(right=[0.85], crowd=0.95)]), figures_of([a_picture(right=[0.85])]))


@LAWS
@given(SEEDS)
def test_the_bins_add_up_to_all_that_is_right_or_wrong(seed):
    pictures = random_pictures(seed)
    table, figures = table_of(pictures), figures_of(pictures)
    right, listed = right_and_listed(table, matching_of(table))
    rows = np.array([bin_of(figures, place) for place in BINS if figures[f"calibration/{place}/count"]])
    count, confidence, precision = rows.reshape(-1, 3).T
    assert count.sum() == np.count_nonzero(listed)
    assert (count * precision).sum() == pytest.approx(np.count_nonzero(right))
    assert (count * confidence).sum() == pytest.approx(table.found.confidence[listed].sum())


@LAWS
@given(SEEDS, st.floats(0, 1))
def test_the_error_is_at_least_the_gap_of_all_detections_together_and_at_most_one(seed, threshold):
    pictures = random_pictures(seed)
    table = table_of(pictures)
    right, listed = right_and_listed(table, matching_of(table))
    in_use = listed & (table.found.confidence >= threshold)
    error = figures_of(pictures, threshold=threshold)["calibration/d_ece"]
    if in_use.any():
        gap = abs(right[in_use].mean() - table.found.confidence[in_use].mean())
        assert gap - 1e-9 <= error <= 1
    else:
        assert np.isnan(error)


@LAWS
@given(SEEDS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_a_draw_gives_the_figures_of_a_split_with_each_image_as_often(seed, times):
    pictures = random_pictures(seed)
    draw = times[: len(pictures)]
    same(figures_of(pictures, draw, threshold=0.3), figures_of(repeated(pictures, draw), threshold=0.3))
