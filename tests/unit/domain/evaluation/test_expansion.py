"""How much wider an interval must be since there are few images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cv_yolo.domain.evaluation.expansion import SUREST, expanded, students_quantile
from cv_yolo.domain.evaluation.intervals import Bootstrapped, estimates
from tests.unit.domain.splits import LAWS

CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
FIGURES = arrays(np.float64, st.integers(2, 60), elements=st.floats(-1, 1, allow_subnormal=False))


def normal_influences(count):
    """Figures with the kurtosis of a normal distribution, 3; `count` is a multiple of 6."""
    return np.repeat([-1.0, 0.0, 1.0], [count // 6, count - count // 3, count // 6])


@pytest.mark.parametrize("freedom", [5, 8, 20, 60, 300])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_students_quantile_is_that_of_scipy(freedom, confidence):
    tail = (1 + confidence) / 2
    assert students_quantile(stats.norm.ppf(tail), freedom) == pytest.approx(stats.t.ppf(tail, freedom), rel=2e-3)


@pytest.mark.parametrize("images", [30, 60, 240])
def test_normal_influences_ask_for_students_interval_with_one_degree_of_freedom_less_than_images(images):
    reach = np.sqrt(images / (images - 1)) * stats.t.ppf(0.975, images - 1)
    assert expanded(0.95, normal_influences(images)) == pytest.approx(2 * stats.norm.cdf(reach) - 1, abs=1e-5)


def test_influences_that_come_from_a_few_images_ask_for_more():
    few = np.zeros(60)
    few[:3] = 1.0
    assert expanded(0.95, few) > expanded(0.95, normal_influences(60)) + 0.005


@LAWS
@given(CONFIDENCES, FIGURES)
def test_a_calibrated_level_is_neither_lowered_nor_raised_beyond_what_resamples_support(confidence, jackknife):
    assert confidence <= expanded(confidence, jackknife) <= max(confidence, SUREST)


@LAWS
@given(FIGURES)
def test_a_surer_interval_stays_surer(jackknife):
    asked = [expanded(confidence, jackknife) for confidence in (0.5, 0.8, 0.9, 0.95, 0.99)]
    assert asked == sorted(asked)


def test_the_more_images_the_less_is_added():
    added = [expanded(0.95, normal_influences(images)) - 0.95 for images in (12, 30, 60, 240)]
    assert added == sorted(added, reverse=True)
    assert added[0] > 0.02
    assert added[-1] < 0.003


@pytest.mark.parametrize("jackknife", [[], [np.nan, np.nan], [0.4], [0.4, 0.4, 0.4]])
def test_where_nothing_is_known_of_the_influences_nothing_is_added(jackknife):
    assert expanded(0.95, np.array(jackknife)) == 0.95


def test_figures_that_leaving_out_does_not_define_are_passed_over():
    influences = normal_influences(24)
    assert expanded(0.95, np.append(influences, np.nan)) == expanded(0.95, influences)


def test_the_intervals_of_figures_are_expanded():
    """The resamples are even, so the quantiles are the confidence that was asked of them."""
    samples, influences = np.linspace(-1, 1, 2001), normal_influences(24)
    found = Bootstrapped(names=("figure",), point=np.zeros(1), samples=samples[:, None], jackknife=influences[:, None])
    interval = estimates(found, confidence=0.9)["figure"].interval
    assert interval.high == pytest.approx(expanded(0.9, influences), abs=1e-3)
    assert interval.low == pytest.approx(-interval.high, abs=1e-9)
    assert interval.high > 0.91
