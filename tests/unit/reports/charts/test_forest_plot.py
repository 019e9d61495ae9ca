"""Intervals as strips of inline SVG."""

from xml.etree import ElementTree as ET

import pytest

from cv_yolo.reports.charts.axes import axis_over
from cv_yolo.reports.charts.forest_plot import Lane, interval_plot, scale, swatch
from tests.builders import an_estimate

AXIS = axis_over([0.0, 1.0], rounded=True)


def drawn(*lanes, **changes):
    return ET.fromstring(interval_plot(AXIS, lanes, **changes))


def lines(svg, kind):
    return [line for line in svg.iter("line") if line.get("class") == kind]


def test_an_interval_reaches_from_its_low_to_its_high_end_and_is_marked_at_its_value():
    svg = drawn(Lane(estimate=an_estimate(0.5, reach=0.2), kind="second"))
    reach = lines(svg, "reach")
    assert (reach[0].get("x1"), reach[0].get("x2")) == ("30.00%", "70.00%")
    assert [mark.get("x") for mark in svg.iter("svg") if mark is not svg] == ["50.00%"]


def test_a_figure_without_an_interval_is_a_mark_alone():
    svg = drawn(Lane(estimate=an_estimate(0.5, reach=None), kind="first"))
    assert lines(svg, "reach") == []
    assert len(list(svg.iter("path"))) == 1


def test_a_figure_that_is_absent_leaves_its_lane_empty():
    one, two = (
        drawn(Lane(estimate=None, kind="first")),
        drawn(Lane(estimate=None, kind="first"), Lane(estimate=None, kind="second")),
    )
    assert list(one.iter("path")) == []
    assert float(two.get("height")) > float(one.get("height"))


def test_each_kind_has_a_shape_of_its_own_and_a_difference_a_third_one():
    shapes = [
        next(drawn(Lane(estimate=an_estimate(), kind=kind)).iter("path")).get("d")
        for kind in ("first", "second", "good", "bad")
    ]
    assert len(set(shapes)) == 3
    assert shapes[2] == shapes[3]


@pytest.mark.parametrize(("value", "x", "width"), [(0.25, "0.00%", "25.00%"), (-0.25, "-25.00%", "25.00%")])
def test_a_bar_goes_from_zero_to_its_value_on_either_side(value, x, width):
    svg = drawn(Lane(estimate=an_estimate(value, reach=0.1), kind="second"), bars=True)
    (bar,) = svg.iter("rect")
    assert (bar.get("x"), bar.get("width")) == (x, width)
    assert len(lines(svg, "whisker")) == 3


def test_the_bars_of_two_models_differ_in_more_than_colour():
    first, second = drawn(*(Lane(estimate=an_estimate(), kind=kind) for kind in ("first", "second")), bars=True).iter(
        "rect"
    )
    assert first.get("fill-opacity") != second.get("fill-opacity")


def test_a_limit_stands_out_from_the_grid():
    (limit,) = lines(drawn(line_at=0.5), "limit")
    assert limit.get("x1") == "50.00%"
    assert len(lines(drawn(), "grid")) == len(AXIS.ticks)


def test_a_scale_names_its_ticks_under_its_title():
    html = scale(AXIS, "a < b")
    assert html.startswith("a &lt; b<svg")
    assert [text.text for text in ET.fromstring(html[html.index("<svg") :]).iter("text")] == [
        AXIS.text(tick) for tick in AXIS.ticks
    ]


@pytest.mark.parametrize("kind", ["first", "second"])
def test_a_swatch_is_the_mark_alone(kind):
    assert len(list(ET.fromstring(swatch(kind)).iter("path"))) == 1


def test_what_stands_in_words_beside_it_is_not_read_out_twice():
    assert drawn().get("aria-hidden") == "true"
