"""The test of Mann and Whitney and Cliff's delta, against counts of pairs and published values."""

import numpy as np
import pytest

from cv_yolo.domain.data.gate import SampleDifference, difference


def test_delta_is_how_much_more_often_the_second_is_larger():
    first, second = [1.0, 2.0, 4.0], [2.0, 3.0, 5.0, 7.0]
    larger = sum(b > a for a in first for b in second)
    smaller = sum(b < a for a in first for b in second)
    assert difference(first, second).delta == pytest.approx((larger - smaller) / 12)


def test_the_p_value_is_that_of_the_normal_approximation():
    # R: wilcox.test(1:10, 6:15, exact=FALSE)$p.value
    assert difference(list(range(1, 11)), list(range(6, 16))).p_value == pytest.approx(0.0051, abs=3e-4)


def test_samples_that_do_not_overlap_differ_as_much_as_can_be():
    found = difference([1.0] * 20, [2.0] * 20)
    assert found.delta == 1
    assert found.p_value < 1e-6


@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], []), ([3.0, 3.0], [3.0])])
def test_nothing_to_compare_is_no_difference(first, second):
    assert difference(first, second) == SampleDifference(delta=0.0, p_value=1.0)


def test_equal_distributions_are_rarely_said_to_differ():
    rng = np.random.default_rng(0)
    found = [difference(rng.normal(size=30), rng.normal(size=40)).p_value < 0.05 for _ in range(400)]
    assert np.mean(found) < 0.08
