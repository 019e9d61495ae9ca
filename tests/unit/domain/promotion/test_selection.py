"""Which run of a grid is put forward."""

import numpy as np
import pytest

from cv_yolo.domain.evaluation.intervals import Bootstrapped, Method
from cv_yolo.domain.promotion.selection import rank, select
from cv_yolo.domain.training.runs import RunStatus
from tests.builders import a_row


def a_run_of(run_id, map_50, **changes):
    return a_row(run_id=run_id, name=f"name of {run_id}", map_50=map_50, **changes)


def figures(value, *, noise=0.0, other=0.9):
    """A run's map_50, with resamples that lie `noise` around it, and another figure that must not matter."""
    around = np.linspace(-noise, noise, 41)
    return Bootstrapped(
        names=("map_50", "other"),
        point=np.array([value, other]),
        samples=np.stack([value + around, np.full(41, other)], axis=1),
        jackknife=np.stack([value + around[::4], np.full(11, other)], axis=1),
    )


def chosen(rows, found, **how):
    return select(rows, found, **({"metric": "map_50", "confidence": 0.95} | how))


def test_runs_are_ranked_by_the_metric_the_best_first():
    rows = [a_run_of("a", 0.3), a_run_of("b", 0.7), a_run_of("c", 0.5)]
    assert [row.run_id for row in rank(rows, "map_50")] == ["b", "c", "a"]


def test_of_equal_runs_the_cheaper_comes_first_then_the_quicker_then_the_smaller_name():
    rows = [
        a_row(run_id="costly", name="a", epochs=9),
        a_row(run_id="not timed", name="a"),
        a_row(run_id="slow", name="a", latency_ms=9.0),
        a_row(run_id="quick, later", name="c", latency_ms=4.0),
        a_row(run_id="quick", name="b", latency_ms=4.0),
    ]
    assert [row.run_id for row in rank(rows, "map_50")] == ["quick", "quick, later", "slow", "not timed", "costly"]


def test_runs_that_did_not_finish_or_lack_the_score_are_not_ranked():
    rows = [
        a_row(run_id="failed", status=RunStatus.FAILED),
        a_row(run_id="running", status=RunStatus.RUNNING),
        a_row(run_id="without", scores={"other": 1.0}),
        a_row(run_id="fine"),
    ]
    assert [row.run_id for row in rank(rows, "map_50")] == ["fine"]


def test_the_cheapest_run_within_noise_of_the_best_is_chosen():
    rows = [
        a_run_of("best", 0.62, epochs=9),
        a_run_of("close", 0.60, epochs=3),
        a_run_of("closer", 0.61, epochs=5),
        a_run_of("worse", 0.40, epochs=1),
    ]
    found = {
        "best": figures(0.62, noise=0.1),
        "close": figures(0.60, noise=0.02),
        "closer": figures(0.61, noise=0.02),
        "worse": figures(0.40, noise=0.02),
    }
    selection = chosen(rows, found)
    assert (selection.metric, selection.best, selection.chosen) == ("map_50", "best", "close")
    assert selection.within_noise == ("best", "closer", "close")
    assert list(selection.differences) == ["closer", "close", "worse"]
    assert selection.differences["worse"].value == pytest.approx(0.22)
    assert selection.differences["worse"].interval.low > 0


def test_the_best_is_chosen_where_all_others_are_surely_worse():
    rows = [a_run_of("best", 0.62, epochs=9), a_run_of("cheap", 0.60, epochs=1)]
    selection = chosen(rows, {"best": figures(0.62), "cheap": figures(0.60)})
    assert (selection.chosen, selection.within_noise) == ("best", ("best",))


def test_a_difference_that_images_share_counts_however_much_the_images_differ():
    """Each alone is uncertain by 0.3; on every draw the best is better by 0.02."""
    rows = [a_run_of("best", 0.62, epochs=9), a_run_of("cheap", 0.60, epochs=1)]
    selection = chosen(rows, {"best": figures(0.62, noise=0.3), "cheap": figures(0.60, noise=0.3)})
    assert selection.chosen == "best"
    difference = selection.differences["cheap"].interval
    assert (difference.low, difference.high) == pytest.approx((0.02, 0.02))


def test_runs_that_are_equal_on_every_draw_are_within_noise():
    rows = [a_run_of("costly", 0.62, epochs=9), a_run_of("cheap", 0.62, epochs=1)]
    selection = chosen(rows, {"costly": figures(0.62, noise=0.1), "cheap": figures(0.62, noise=0.1)})
    assert (selection.best, selection.chosen, selection.within_noise) == ("cheap", "cheap", ("cheap", "costly"))


@pytest.mark.parametrize(("confidence", "expected"), [(0.99, "cheap"), (0.5, "best")])
def test_how_sure_the_difference_must_be_is_shown(confidence, expected):
    rows = [a_run_of("best", 0.62, epochs=9), a_run_of("cheap", 0.60, epochs=1)]
    found = {"best": figures(0.62, noise=0.03), "cheap": figures(0.60)}
    assert chosen(rows, found, confidence=confidence).chosen == expected


def test_a_run_whose_difference_is_not_known_is_within_noise_of_the_best():
    unknown = figures(0.60)
    unknown.samples[:, 0] = np.nan
    rows = [a_run_of("best", 0.62, epochs=9), a_run_of("cheap", 0.60, epochs=1)]
    selection = chosen(rows, {"best": figures(0.62), "cheap": unknown})
    assert selection.chosen == "cheap"
    assert selection.differences["cheap"].interval is None


def test_a_run_whose_figures_are_missing_is_not_chosen_though_it_is_the_best():
    rows = [a_run_of("best", 0.62), a_run_of("second", 0.60)]
    selection = chosen(rows, {"second": figures(0.60)})
    assert (selection.best, selection.chosen, selection.differences) == ("second", "second", {})


def test_a_run_that_found_nothing_and_so_has_fewer_figures_is_compared_all_the_same():
    rows = [a_run_of("best", 0.62), a_run_of("found nothing", 0.0)]
    selection = chosen(rows, {"best": figures(0.62), "found nothing": figures(0.0).only({"map_50"})})
    assert selection.chosen == "best"
    assert selection.differences["found nothing"].value == pytest.approx(0.62)


def test_without_any_scored_run_nothing_is_chosen():
    assert chosen([], {}) is None
    assert chosen([a_run_of("a", 0.5)], {}) is None
    assert chosen([a_row(run_id="a", status=RunStatus.FAILED)], {"a": figures(0.5)}) is None


def test_the_interval_of_a_difference_is_bias_corrected_where_that_is_defined():
    rows = [a_run_of("best", 0.62), a_run_of("other", 0.60)]
    found = {"best": figures(0.62, noise=0.1), "other": figures(0.60)}
    assert chosen(rows, found).differences["other"].interval.method is Method.BCA
