"""Axes with round ticks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.reports.charts.axes import axis_over


def test_values_lie_where_they_belong():
    axis = axis_over([0.0, 1.0])
    assert [axis.share(value) for value in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize(("value", "text"), [(0.2, "0.2"), (-0.2, "−0.2"), (-1e-12, "0.0")])
def test_a_tick_has_as_many_decimals_as_its_axis_needs_and_a_minus_where_it_is_negative(value, text):
    assert axis_over([0.0, 1.0], rounded=True).text(value) == text


def test_few_ticks_suffice_in_a_narrow_strip():
    assert axis_over([0.0, 1.0], ticks=2, rounded=True).ticks == (0.0, 0.5, 1.0)


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8))
def test_a_rounded_axis_holds_every_value_and_ends_at_ticks(values):
    axis = axis_over(values, rounded=True)
    slack = 1e-6 * max(1.0, *(abs(value) for value in values))
    assert axis.low - slack <= min(values) <= max(values) <= axis.high + slack
    assert abs(axis.ticks[0] - axis.low) <= slack
    assert abs(axis.ticks[-1] - axis.high) <= slack
