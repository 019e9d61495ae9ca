"""All figures of an evaluation by name."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.all_metrics import all_figures, main_measure, match_all_sizes, only_images
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import CLASSES, LAWS, a_random_split, table_of

SEEDS = st.integers(0, 10_000)
IMAGES = 5
COCO = {"map_50_95", "map_50", "map_75", "map_small", "map_medium", "map_large"}
COCO |= {"ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"}


def figures_of(truths, found, *, slices=None, threshold=0.4, draws=None):
    """All figures by name, of the split as it is or of one draw."""
    matched = match_all_sizes(table_of(truths, found))
    measure = all_figures(matched, CLASSES, slices or {}, confidence_threshold=threshold)
    assert len(set(measure.names)) == len(measure.names)
    computed = measure.compute(np.ones((1, len(truths))) if draws is None else draws)
    return dict(zip(measure.names, computed[0].tolist(), strict=True))


def start(names):
    return {name.split("/")[0] for name in names}


def test_all_kinds_of_figures_are_there():
    truths, found = a_random_split(1)
    figures = figures_of(truths, found, slices={"night=yes": np.array([True] * IMAGES)})
    whole = {name for name in figures if "/" not in name}
    assert whole == COCO | {"precision", "recall", "f1"}
    assert start(set(figures) - whole) == {"class", "size", "slice", "error", "calibration"}
    for name in ("ap_50", "ap_50_95", "precision", "recall", "f1"):
        assert {f"class/{each}/{name}" for each in CLASSES} <= set(figures)
    assert {f"size/{size}/f1" for size in ("small", "medium", "large")} <= set(figures)
    assert {name for name in figures if name.startswith("slice/")} == {
        f"slice/night=yes/{name}" for name in ("map_50_95", "map_50", "precision", "recall", "f1")
    }


def test_without_a_confidence_threshold_there_are_no_figures_in_use():
    truths, found = a_random_split(1)
    figures = figures_of(truths, found, threshold=None, slices={"night=yes": np.array([True] * IMAGES)})
    assert {name for name in figures if "/" not in name} == COCO
    assert not {name.rsplit("/", 1)[-1] for name in figures} & {"precision", "recall", "f1", "d_ece"}
    assert "slice/night=yes/map_50" in figures


@LAWS
@given(SEEDS, st.sampled_from([None, 3]))
def test_the_means_are_over_the_classes_that_have_truth(seed, levels):
    figures = figures_of(*a_random_split(seed, levels=levels, crowds=0.2))
    for mean, each in (("map_50", "ap_50"), ("map_50_95", "ap_50_95")):
        known = [figures[f"class/{name}/{each}"] for name in CLASSES]
        known = [value for value in known if not np.isnan(value)]
        expected = np.mean(known) if known else np.nan
        assert figures[mean] == pytest.approx(expected, abs=1e-12, nan_ok=True)
    assert np.isnan(figures["class/tree/ap_50"])


@LAWS
@given(SEEDS)
def test_recall_never_falls_with_more_detections(seed):
    figures = figures_of(*a_random_split(seed))
    assume(not np.isnan(figures["ar_1"]))
    assert figures["ar_1"] <= figures["ar_10"] <= figures["ar_100"] <= 1


@LAWS
@given(SEEDS, st.sampled_from([None, 0.4]))
def test_metrics_in_a_comparison_equal_those_of_each_model(seed, threshold):
    table = table_of(*a_random_split(seed, crowds=0.2))
    draws = np.random.default_rng(seed).integers(0, 3, size=(4, IMAGES)).astype(np.float64)
    main = main_measure(table, confidence_threshold=threshold)
    whole = all_figures(match_all_sizes(table), CLASSES, {}, confidence_threshold=threshold)
    assert main.names == ("map_50_95", "map_50", *(() if threshold is None else ("precision", "recall", "f1")))
    places = [whole.names.index(name) for name in main.names]
    np.testing.assert_array_equal(main.compute(draws), whole.compute(draws)[:, places])


@LAWS
@given(SEEDS, st.lists(st.booleans(), min_size=IMAGES, max_size=IMAGES))
def test_the_figures_of_a_slice_are_those_of_its_images_alone(seed, inside):
    truths, found = a_random_split(seed, levels=4, crowds=0.2)
    kept = np.flatnonzero(inside)
    whole = figures_of(truths, found, slices={"night=yes": np.array(inside)})
    alone = figures_of([truths[index] for index in kept], [found[index] for index in kept])
    for name in ("map_50_95", "map_50", "precision", "recall", "f1"):
        assert whole[f"slice/night=yes/{name}"] == pytest.approx(alone[name], abs=1e-12, nan_ok=True)


@LAWS
@given(SEEDS)
def test_an_image_outside_a_slice_counts_nothing_however_often_it_is_drawn(seed):
    truths, found = a_random_split(seed)
    slices = {"night=yes": np.array([True, True, False, True, False])}
    once, often = (
        figures_of(truths, found, slices=slices, draws=np.array([[1.0, 2, outside, 1, outside]])) for outside in (1, 7)
    )
    for name in (name for name in once if name.startswith("slice/")):
        assert often[name] == pytest.approx(once[name], abs=1e-12, nan_ok=True)


def test_figures_of_a_size_that_no_truth_has_are_absent():
    figures = figures_of([a_truth((0, 0, 10, 10))], [some_detections((0, 0, 10, 10))])
    assert (figures["map_small"], figures["ar_small"]) == pytest.approx((1.0, 1.0))
    assert np.isnan([figures[f"{kind}_{size}"] for kind in ("map", "ar") for size in ("medium", "large")]).all()


def test_a_draw_without_any_truth_has_no_figure():
    truths = [a_truth((0, 0, 10, 10), image="a"), a_truth(image="b")]
    found = [some_detections(image="a"), some_detections((0, 0, 9, 9), image="b")]
    figures = figures_of(truths, found, draws=np.array([[0.0, 1.0]]))
    assert np.isnan([figures[name] for name in (*COCO, "recall")]).all()
    assert figures["precision"] == 0.0


def test_the_threshold_of_the_best_f1_is_over_all_sizes():
    truths = [a_truth((0, 0, 10, 10), (0, 0, 200, 200))]
    found = [some_detections((0, 0, 10, 10), (0, 0, 200, 200), confidences=[0.9, 0.3])]
    assert match_all_sizes(table_of(truths, found)).best_confidence_threshold == 0.3


def test_the_boxes_of_some_images_keep_all_their_columns():
    table = table_of(*a_random_split(2))
    inside = np.array([True, False, True, False, True])
    some = only_images(table, inside)
    assert some.images == table.images
    for part in ("truths", "found"):
        before, after = getattr(table, part), getattr(some, part)
        rows = inside[before.image]
        assert 0 < rows.sum() < len(rows)
        for name in before.__slots__:
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name)[rows])
