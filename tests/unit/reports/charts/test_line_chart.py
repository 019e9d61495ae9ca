"""The line chart."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.reports.charts.line_chart import (
    COLOURS,
    DASHES,
    MARKERS,
    PLOT_HEIGHT,
    TOP,
    Labels,
    Series,
    line_chart,
    shortened,
)

FLOATS = st.floats(-1e6, 1e6, allow_nan=False)
NAMES = st.text(max_size=40)


def a_series(*points, name="e3_s320", slot=0, **changes):
    return Series(name=name, points=points, slot=slot, **changes)


def chart(*series, title="mAP50", description="", **changes):
    labels = Labels(title=title, x="epoch", y="score", description=description)
    return ET.fromstring(line_chart(series, labels, **changes))


def texts(svg):
    return [element.text for element in svg.iter("text")]


def ticks(svg, anchor):
    reported = [each.text.replace("−", "-") for each in svg.iter("text") if each.get("text-anchor") == anchor]
    return [float(text) for text in reported if is_number(text)]


def is_number(text):
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def line_points(svg):
    return [
        [tuple(float(number) for number in pair.split(",")) for pair in line.get("points").split()]
        for line in svg.iter("polyline")
    ]


def test_a_chart_has_a_title_for_those_who_hear_it_and_for_those_who_see_it():
    svg = chart(a_series((1, 0.2), (2, 0.4)))
    assert svg.get("role") == "img"
    assert svg.find("title").text == "mAP50"
    assert {"mAP50", "epoch", "score", "e3_s320"} <= set(texts(svg))


def test_every_line_differs_from_its_neighbours_in_more_than_colour():
    looks = [(slot % len(COLOURS), slot % len(DASHES), slot % len(MARKERS)) for slot in range(60)]
    assert len(set(looks)) == 60
    assert all(sum(a == b for a, b in zip(*pair, strict=True)) == 0 for pair in pairwise(looks))


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_stands_out_from_white(colour):
    container = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in container]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 3


def test_higher_values_are_drawn_higher_and_later_ones_further_right():
    ((first, second),) = line_points(chart(a_series((1, 0.2), (2, 0.4))))
    assert second[0] > first[0]
    assert second[1] < first[1]


def test_epochs_have_whole_ticks():
    assert ticks(chart(a_series((1, 0.2), (2, 0.4), (3, 0.5))), "middle") == [1, 2, 3]


def test_scores_between_0_and_1_have_round_ticks():
    svg = chart(a_series((0.0, 0.9), (0.5, 0.1)), x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    assert ticks(svg, "middle") == ticks(svg, "end") == [0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_a_range_is_widened_where_the_values_go_beyond_it():
    assert ticks(chart(a_series((1, 1.7), (2, 0.4)), y_range=(0.0, 1.0)), "end")[-1] >= 1.7


def test_a_range_begins_at_zero_on_request():
    assert ticks(chart(a_series((1, 0.5), (2, 0.6)), y_range=(0.0, 0.0)), "end")[0] == 0


def test_a_single_point_is_marked_since_it_has_no_line():
    svg = chart(a_series((1, 0.25)))
    titles = [title.text for path in svg.iter("path") for title in path.iter("title")]
    assert titles == ["e3_s320: 0.250 at 1"]
    assert ticks(svg, "middle") == [1]


def test_marked_points_shows_their_values():
    svg = chart(a_series((0.0, 1.0), (1.0, 0.0), marked=((0.58, 0.72),)))
    assert "e3_s320: 0.720 at 0.58" in [title.text for title in svg.iter("title")]


@pytest.mark.parametrize("values", [(2.0, 2.0), (0.0, 0.0), (-3.0, -3.0), (0.1 + 0.2, 0.3), (0.0, 5e-324)])
def test_a_constant_line_is_drawn_level_in_the_middle_of_the_plot(values):
    svg = chart(a_series((1, values[0]), (2, values[1])))
    ((first, second),) = line_points(svg)
    assert first[1] == second[1] == TOP + PLOT_HEIGHT / 2
    assert len(ticks(svg, "end")) >= 2


@pytest.mark.parametrize("series", [(), (a_series(),)])
def test_a_chart_without_values_says_so(series):
    svg = chart(*series)
    assert "no values" in texts(svg)
    assert "e3_s320" not in texts(svg)


def test_a_series_without_points_has_no_place_in_the_legend():
    svg = chart(a_series((1, 0.2)), a_series(name="failed", slot=1))
    assert "failed" not in texts(svg)


def test_a_long_legend_is_wrapped_into_rows_and_the_picture_grows():
    one = chart(a_series((1, 0.2)))
    many = chart(*(a_series((1, 0.2), name=f"run number {slot}", slot=slot) for slot in range(6)))
    assert float(many.get("height")) > float(one.get("height"))
    assert many.get("viewBox").endswith(many.get("height"))


@pytest.mark.parametrize(("text", "short"), [("e3_s320", "e3_s320"), ("e3_s320_long", "e3_s320_l…")])
def test_a_long_name_is_shortened(text, short):
    assert shortened(text, 10) == short


def test_a_band_is_a_shape_from_its_upper_to_its_lower_edge_and_widens_the_chart():
    svg = chart(a_series((0.0, 1.0), (1.0, 0.5), band=((0.0, 0.9, 1.0), (1.0, 0.2, 1.9))))
    (band,) = svg.iter("polygon")
    heights = [float(point.split(",")[1]) for point in band.get("points").split()]
    assert heights[0] < heights[3]
    assert heights[1] < heights[2]
    assert ticks(svg, "end")[-1] >= 1.9


def test_whiskers_stand_at_their_points_from_low_to_high():
    svg = chart(a_series((0.5, 0.6), whiskers=((0.5, 0.4, 0.8),)), y_range=(0.0, 1.0))
    assert any(path.get("fill") == "none" and "V" in path.get("d") for path in svg.iter("path"))


def test_the_diagonal_is_where_a_perfect_line_would_lie():
    plain, with_diagonal = (chart(a_series((0.0, 1.0)), diagonal=diagonal) for diagonal in (False, True))
    dashed = [
        [path for path in svg.iter("path") if path.get("stroke-dasharray") == "5 4"] for svg in (plain, with_diagonal)
    ]
    assert [len(paths) for paths in dashed] == [0, 1]


def test_a_chart_can_be_described_to_those_who_hear_it():
    assert chart(a_series((1, 0.2)), description="It rises.").find("desc").text == "It rises."
    assert chart(a_series((1, 0.2))).find("desc") is None


def test_names_with_markup_are_text():
    svg = chart(a_series((1, 0.2), name="<b>&\"'"), title="a < b & c")
    assert "<b>&\"'" in texts(svg)
    assert svg.find("title").text == "a < b & c"


@given(
    series=st.lists(st.tuples(NAMES, st.lists(st.tuples(FLOATS, FLOATS), max_size=5)), max_size=8),
    title=NAMES,
)
def test_any_finite_values_and_any_names_make_well_formed_xml_within_the_picture(series, title):
    svg = chart(*(a_series(*points, name=name, slot=slot) for slot, (name, points) in enumerate(series)), title=title)
    width, height = (float(part) for part in svg.get("viewBox").split()[2:])
    assert all(-1 <= x <= width and -1 <= y <= height for line in line_points(svg) for x, y in line)
