"""Average precision, recall and counts: laws that hold for any detections, and figures worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS
from cv_yolo.domain.evaluation.metrics import (
    RECALL_POINTS,
    average_precision,
    count_table,
    precision_at_recall,
    recall,
    truth_counts,
)
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import (
    CLASSES,
    FAR_AWAY,
    LAWS,
    a_random_split,
    matching_of,
    ranking_of,
    table_of,
    with_detection,
)

SEEDS = st.integers(0, 10_000)
AT = st.integers(0, len(IOU_THRESHOLDS) - 1)
IMAGES = 5
ONCE = np.ones((1, IMAGES))
TREE = CLASSES.index("tree")


def precisions(truths, found, **how):
    """Average precision, (T, K), of the split as it is."""
    return average_precision(ranking_of(truths, found, **how), np.ones((1, len(truths))))[0]


@LAWS
@given(SEEDS, st.permutations(range(IMAGES)))
def test_the_order_of_the_images_does_not_matter_where_confidences_are_distinct(seed, order):
    truths, found = a_random_split(seed, crowds=0.2)
    there = precisions([truths[index] for index in order], [found[index] for index in order])
    np.testing.assert_allclose(there, precisions(truths, found), rtol=0, atol=1e-12)


@LAWS
@given(SEEDS, st.integers(0, IMAGES - 1), st.integers(0, 2))
def test_a_wrong_detection_less_sure_than_all_others_changes_nothing(seed, image, class_id):
    """It stands behind all that was found: no recall is reached by it, and no precision before it is touched."""
    truths, found = a_random_split(seed, crowds=0.2)
    more = with_detection(found, image, FAR_AWAY, class_id=class_id, confidence=0.05)
    np.testing.assert_array_equal(precisions(truths, more), precisions(truths, found))


@LAWS
@given(SEEDS, st.integers(0, IMAGES - 1), st.integers(0, 1), st.floats(0.01, 0.99))
def test_a_wrong_detection_of_whatever_confidence_never_raises_average_precision(seed, image, class_id, confidence):
    """It claims nothing, so that all others keep their claims, and each has as much or less precision than before."""
    truths, found = a_random_split(seed, crowds=0.2)
    more = with_detection(found, image, FAR_AWAY, class_id=class_id, confidence=confidence)
    after, before = precisions(truths, more), precisions(truths, found)
    assert (after <= before + 1e-12)[~np.isnan(before)].all()


@LAWS
@given(SEEDS, st.integers(0, IMAGES - 1), st.booleans())
def test_a_detection_less_sure_than_all_others_never_lowers_average_precision(seed, image, on_a_truth):
    """It chooses last: right, it adds to recall behind all others; wrong, it changes nothing (above)."""
    truths, found = a_random_split(seed, crowds=0.2)
    on_a_truth = on_a_truth and len(truths[image].boxes_xyxy)
    box = truths[image].boxes_xyxy[0] if on_a_truth else (50, 50, 90, 90)
    class_id = truths[image].class_ids[0] if on_a_truth else 0
    after = precisions(truths, with_detection(found, image, box, class_id=class_id, confidence=0.05))
    before = precisions(truths, found)
    assert (after >= before - 1e-12)[~np.isnan(before)].all()


@LAWS
@given(SEEDS, AT, st.randoms(use_true_random=False))
def test_turning_a_wrong_detection_into_a_right_one_never_lowers_average_precision(seed, at, chance):
    """Moved onto a box that no detection claims at this threshold, it takes nothing from others: one wrong turns right.

    It is a law of one threshold: at another one, another one may have claimed that box.
    """
    truths, found = a_random_split(seed)
    table = table_of(truths, found)
    matched = matching_of(table)
    here = matched.threshold == at
    free = np.setdiff1d(np.arange(len(table.truths.image)), matched.truth[here])
    wrong = np.setdiff1d(np.arange(len(table.found.image)), matched.detection[here])
    pairs = [
        (detection, truth)
        for detection in wrong
        for truth in free
        if table.found.image[detection] == table.truths.image[truth]
        and table.found.class_id[detection] == table.truths.class_id[truth]
    ]
    assume(pairs)
    detection, truth = chance.choice(pairs)
    image = int(table.found.image[detection])
    each = found[image]
    moved = each.boxes_xyxy.copy()
    moved[each.confidences == table.found.confidence[detection]] = table.truths.boxes_xyxy[truth]
    better = [*found[:image], replace(each, boxes_xyxy=moved), *found[image + 1 :]]
    after, before = precisions(truths, better)[at], precisions(truths, found)[at]
    assert (after >= before - 1e-12)[~np.isnan(before)].all()
    more, less = (np.nansum(recall(ranking_of(truths, each), ONCE)[0, at]) for each in (better, found))
    assert more > less


@LAWS
@given(SEEDS, st.sampled_from([None, 2, 5]))
def test_figures_are_shares_and_there_is_none_without_truth(seed, levels):
    ranking = ranking_of(*a_random_split(seed, levels=levels, crowds=0.2))
    absent = ranking.truths.sum(axis=0) == 0
    assert absent[TREE]
    for figures in (average_precision(ranking, ONCE), recall(ranking, ONCE)):
        assert figures.shape == (1, len(IOU_THRESHOLDS), len(CLASSES))
        assert (np.isnan(figures) == absent).all()
        assert ((figures >= 0) & (figures <= 1))[..., ~absent].all()


@LAWS
@given(SEEDS, st.sampled_from([None, 4]))
def test_average_precision_never_exceeds_the_part_of_the_recall_points_that_is_reached(seed, levels):
    ranking = ranking_of(*a_random_split(seed, levels=levels))
    reached = np.searchsorted(RECALL_POINTS, recall(ranking, ONCE), side="right") / len(RECALL_POINTS)
    figures = average_precision(ranking, ONCE)
    assert (figures <= reached + 1e-12)[~np.isnan(figures)].all()


@LAWS
@given(SEEDS)
def test_a_perfect_detector_scores_one_at_every_threshold(seed):
    truths, _ = a_random_split(seed)
    sure = np.random.default_rng(seed)
    found = [
        some_detections(
            *each.boxes_xyxy, image=each.image, classes=each.class_ids, confidences=sure.random(len(each.class_ids))
        )
        for each in truths
    ]
    ranking = ranking_of(truths, found)
    for figures in (average_precision(ranking, ONCE), recall(ranking, ONCE)):
        np.testing.assert_allclose(figures[~np.isnan(figures)], 1.0, rtol=1e-12)


@LAWS
@given(SEEDS, AT, st.sampled_from([None, 4]))
def test_average_precision_is_the_mean_height_of_its_curve(seed, at, levels):
    ranking = ranking_of(*a_random_split(seed, levels=levels, crowds=0.2))
    draws = np.random.default_rng(seed).multinomial(IMAGES, [1 / IMAGES] * IMAGES, size=4).astype(np.float64)
    curves = precision_at_recall(ranking, draws, threshold=at)
    np.testing.assert_allclose(curves.mean(axis=2), average_precision(ranking, draws)[:, at], rtol=0, atol=1e-12)
    assert (np.diff(curves, axis=2) <= 1e-12)[~np.isnan(curves[..., 1:])].all()


@LAWS
@given(SEEDS, st.lists(st.booleans(), min_size=IMAGES, max_size=IMAGES))
def test_an_image_that_is_not_drawn_is_as_good_as_not_there(seed, drawn):
    truths, found = a_random_split(seed, levels=3, crowds=0.2)
    draw = np.array([drawn], dtype=np.float64)
    kept = np.flatnonzero(drawn)
    without = ranking_of([truths[index] for index in kept], [found[index] for index in kept])
    whole, part = ranking_of(truths, found), np.ones((1, len(kept)))
    for figure in (average_precision, recall, precision_at_recall):
        np.testing.assert_allclose(figure(whole, draw), figure(without, part), rtol=0, atol=1e-12)


@LAWS
@given(SEEDS, st.integers(2, 5))
def test_drawing_all_images_equally_often_changes_nothing(seed, times):
    ranking = ranking_of(*a_random_split(seed, levels=3, crowds=0.2))
    for figure in (average_precision, recall, precision_at_recall):
        np.testing.assert_allclose(figure(ranking, times * ONCE), figure(ranking, ONCE), rtol=0, atol=1e-12)


@LAWS
@given(SEEDS)
def test_many_draws_at_once_give_what_each_gives_alone(seed):
    ranking = ranking_of(*a_random_split(seed, crowds=0.2))
    draws = np.random.default_rng(seed).integers(0, 3, size=(6, IMAGES)).astype(np.float64)
    for figure in (average_precision, recall, precision_at_recall):
        alone = np.concatenate([figure(ranking, draw[None]) for draw in draws])
        np.testing.assert_allclose(figure(ranking, draws), alone, rtol=0, atol=1e-12)


def test_precision_is_interpolated_to_a_hundred_and_one_recalls_at_an_overlap_of_one_half():
    """One of two found by the first detection, hardly: the first 51 recalls (0.00 to 0.50) are reached."""
    ranking = ranking_of(
        [a_truth((0, 0, 10, 10), (50, 50, 60, 60), classes=[TREE, TREE])],
        [some_detections((0, 0, 10, 5), classes=[TREE])],
    )
    curves = precision_at_recall(ranking, np.ones((1, 1)))
    assert curves.shape == (1, len(CLASSES), 101)
    np.testing.assert_allclose(curves[0, TREE, :51], 1.0)
    np.testing.assert_array_equal(curves[0, TREE, 51:], 0.0)
    assert np.isnan(curves[0, :TREE]).all()
    assert precision_at_recall(ranking, np.ones((1, 1)), threshold=1)[0, TREE].tolist() == [0.0] * 101


def test_where_nothing_was_detected_precision_and_recall_are_zero():
    ranking = ranking_of([a_truth((0, 0, 10, 10))], [some_detections()])
    once = np.ones((1, 1))
    assert average_precision(ranking, once)[0, :, 0].tolist() == [0.0] * 10
    assert recall(ranking, once)[0, :, 0].tolist() == [0.0] * 10
    assert precision_at_recall(ranking, once)[0, 0].tolist() == [0.0] * 101


def test_only_the_surest_detections_of_an_image_count():
    """The second is right; but of the one surest it is not."""
    truths = [a_truth((0, 0, 9, 9))]
    found = [some_detections((50, 50, 60, 60), (0, 0, 9, 9), confidences=[0.9, 0.5])]
    assert precisions(truths, found)[0, 0] == pytest.approx(1 / 2)
    assert precisions(truths, found, max_detections=1)[0, 0] == 0.0


def test_a_detection_outside_the_size_range_is_not_wrong_but_one_within_it_is():
    truths = [a_truth((0, 0, 20, 20))]
    small, large = (50, 50, 55, 55), (50, 50, 75, 75)
    for surer, expected in ((small, 1.0), (large, 1 / 2)):
        found = [some_detections(surer, (0, 0, 20, 20), confidences=[0.9, 0.5])]
        assert precisions(truths, found, area_range_px=(100, 1000))[0, 0] == pytest.approx(expected)


def test_a_detection_outside_the_size_range_that_claims_a_box_within_it_is_right():
    """21 × 20 px are too large; the box that it claims is not. Behind a wrong one its precision is a half."""
    truths = [a_truth((0, 0, 20, 20))]
    found = [some_detections((50, 50, 65, 65), (0, 0, 21, 20), confidences=[0.9, 0.5])]
    assert precisions(truths, found, area_range_px=(100, 400))[0, 0] == pytest.approx(1 / 2)


def test_a_detection_that_claims_a_box_outside_the_size_range_is_neither_right_nor_wrong():
    truths = [a_truth((0, 0, 20, 20), (50, 50, 90, 90))]
    found = [some_detections((50, 50, 80, 90), (0, 0, 20, 20), confidences=[0.9, 0.5])]
    assert precisions(truths, found, area_range_px=(100, 1500))[0, 0] == pytest.approx(1.0)


def test_counts_are_of_each_image_and_class():
    table = table_of(
        [a_truth((0, 0, 9, 9), (0, 0, 9, 9), image="a", classes=[1, 1]), a_truth((0, 0, 9, 9), image="b")],
        [some_detections(image="a"), some_detections(image="b")],
    )
    everything = np.array([True, True, True])
    assert truth_counts(table, everything).tolist() == [[0, 2, 0], [1, 0, 0]]
    assert truth_counts(table, ~everything).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert count_table(table, np.array([1]), np.array([3]), groups=4).tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
