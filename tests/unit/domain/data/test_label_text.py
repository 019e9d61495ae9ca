"""YOLO's label text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.label_text import (
    Box,
    LabelText,
    Outlines,
    count_boxes,
    format_label_text,
    parse_label_text,
    read_label_lines,
)
from cv_yolo.errors import DatasetError


def parse(text, *, classes=2, width_px=640, height_px=480):
    return parse_label_text(text, source="a.txt", class_count=classes, width_px=width_px, height_px=height_px)


INSIDE = st.tuples(
    st.integers(0, 79), st.floats(0.3, 0.7), st.floats(0.3, 0.7), st.floats(0.01, 0.6), st.floats(0.01, 0.6)
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(INSIDE, max_size=6, unique_by=lambda row: tuple(round(value, 6) for value in row[1:])))
def test_label_text_keeps_six_decimals(rows):
    boxes = tuple(Box(class_id=row[0], xywhn=row[1:]) for row in rows)
    read = parse(format_label_text(boxes), classes=80)
    assert [box.class_id for box in read.boxes] == [box.class_id for box in boxes]
    for mine, theirs in zip(read.boxes, boxes, strict=True):
        assert mine.xywhn == pytest.approx(theirs.xywhn, abs=5.1e-7)
    assert format_label_text(read.boxes) == format_label_text(boxes)


def test_label_text_is_a_line_for_each_box():
    text = format_label_text((Box(class_id=2, xywhn=(0.5, 0.25, 1.0, 1 / 3)),))
    assert text == "2 0.500000 0.250000 1.000000 0.333333\n"


ONE = (Box(class_id=0, xywhn=(0.5, 0.5, 0.1, 0.1)),)


@pytest.mark.parametrize(
    "text",
    [
        "0 0.5 0.5 0.1 0.1",
        "\n  \n0 0.5 0.5 0.1 0.1\n",
        "\ufeff0 0.5 0.5 0.1 0.1\n",
        "0 0.5 0.5 0.1 0.1\r\n\r\n",
        "\r0 0.5 0.5 0.1 0.1\r",
        "0.0 0.5 0.5 0.1 0.1",
        "0.000000 .5 +0.5 1e-1 1.0E-1",
        "0\t0.5\t0.5 0.1   0.1 ",
        "\ufeff\r\n00 0.50 0.50 0.10 0.10",
    ],
)
def test_one_box_may_be_written_in_many_ways(text):
    assert parse(text) == LabelText(boxes=ONE)


def test_blank_lines_are_counted():
    with pytest.raises(DatasetError, match=r"^a\.txt:3: "):
        parse("\r\n\nx\n")


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", " \t\r\n"])
def test_an_empty_label_file_is_an_image_without_objects(text):
    assert parse(text) == LabelText(boxes=())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 0.5 0.5 0.1", r"4 fields, expected 5 \(class x y width height\)$"),
        ("0", r"1 field, expected 5 \(class x y width height\), separated by spaces$"),
        ("0,0.5,0.5,0.1,0.1", r"1 field, expected 5 \(class x y width height\), separated by spaces$"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 fields, expected 5 .* is the last one a confidence"),
        ("a b c d e f", r"6 fields, expected 5 \(class x y width height\)$"),
        ("0 .1 .1 .5 .1 .5 .5 .1 .5", r"9 fields, expected 5: a rotated box \(OBB: class and four corners\)"),
        ("0 .1 .1 .5 .1 .5 .5", r"7 fields, expected 5: a segmentation polygon \(class and 3 points\)"),
        ("0 .1 .1 .5 .1 .5 .5 .1 .5 .05 .3", r"11 fields, .* a segmentation polygon \(class and 5 points\)"),
        ("a b c d e f g h i", r"9 fields, expected 5 \(class x y width height\)$"),
        ("0 .1 .1 .5 .1 .5 .5 .1", r"8 fields, expected 5 \(class x y width height\)$"),
        ("person 0.5 0.5 0.1 0.1", "the class is 'person', expected its number"),
        ("0 0.5 half 0.1 0.1", "not a number: 'half'"),
        ("0 0.3_75 0.5 0.1 0.1", "not a number: '0.3_75'"),
        ("0 0x1p-1 0.5 0.1 0.1", "not a number: '0x1p-1'"),
        ("0 nan 0.5 0.1 0.1", "not a number: 'nan'"),
        ("0 0.5 0.5 inf 0.1", "not a number: 'inf'"),
        ("0 0.5 0.5 -Infinity 0.1", "not a number: '-Infinity'"),
        ("0 0,5 0.5 0.1 0.1", "not a number: '0,5': write a decimal point"),
        ("0 0.5 0.5 0.1 \u0661", "not a number"),
        ("0 0.5 0.5 0.1 0.1\0", "not a number"),
        ("0 1e 0.5 0.1 0.1", "not a number: '1e'"),
        ("0.5 0.5 0.5 0.1 0.1", "the class is 0.5, expected a whole number"),
        ("1e400 0.5 0.5 0.1 0.1", "the class is 1e400, expected a whole number"),
        ("2 0.5 0.5 0.1 0.1", "class 2, but data.yaml names the classes 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1, but"),
        ("0 1.5 0.5 0.1 0.1", r"a box outside \[0, 1\]: 1.5 0.5 0.1 0.1"),
        ("0 1.011 0.5 0.1 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 -0.1 0.1 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 1.2 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 1e400 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 0 0.1", "a box of zero width: 0.5 0.5 0 0.1"),
        ("0 0.5 0.5 0.1 0.0", "a box of zero height"),
        ("0 0.5 0.5 -0.1 0.1", "a box of negative width"),
        ("0 0.5 0.5 0.1 -1e-9", "a box of negative height"),
    ],
)
def test_a_wrong_line_is_named_with_its_complaint_and_what_to_do(line, complaint):
    with pytest.raises(DatasetError, match=rf"^a\.txt:2: {complaint}") as refusal:
        parse(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    assert refusal.value.hint


def test_an_outline_comes_with_a_way_to_a_box():
    for line in ("0 .1 .1 .5 .1 .5 .5 .1 .5", "0 .1 .1 .5 .1 .5 .5"):
        with pytest.raises(DatasetError) as refusal:
            parse(line)
        assert "--polygons envelope" in refusal.value.hint


def test_values_in_pixels_are_recognised():
    with pytest.raises(DatasetError, match=r"a box outside \[0, 1\]") as refusal:
        parse("0 120 33 50 60")
    assert "pixels" in refusal.value.hint


def test_a_single_class_is_named_alone():
    with pytest.raises(DatasetError, match=r"class 1, but data\.yaml names the class 0$"):
        parse("1 0.5 0.5 0.1 0.1", classes=1)


def test_boxes_at_the_very_edges_are_whole():
    assert parse("1 0.5 0.5 1 1") == LabelText(boxes=(Box(class_id=1, xywhn=(0.5, 0.5, 1.0, 1.0)),))


def test_a_box_over_the_edge_is_clipped_and_its_line_named():
    read = parse("\n0 0.95 0.5 0.2 0.2\n1 0.5 0.0 0.2 0.2")
    assert read.clipped == (2, 3)
    assert read.boxes[0].xywhn == pytest.approx((0.925, 0.5, 0.15, 0.2))
    assert read.boxes[1].xywhn == pytest.approx((0.5, 0.05, 0.2, 0.1))


@pytest.mark.parametrize("line", ["0 0.5 0.5 1.0000001 1.0", "0 0.5 0.5 1.0005 1.0", "0 0.900001 0.5 0.2 0.5"])
def test_rounding_over_the_edge_is_clipped_and_not_worth_a_word(line):
    read = parse(line)
    assert read.clipped == ()
    (x, y, width, height) = read.boxes[0].xywhn
    assert x + width / 2 == pytest.approx(1.0, abs=1e-12)
    assert y + height / 2 <= 1.0


@pytest.mark.parametrize("line", ["0 1.005 0.5 0.2 0.2", "0 -0.005 0.5 0.2 0.2", "0 0.5 0.5 1.01 1.0"])
def test_values_are_tolerated_a_hundredth_beyond_the_image(line):
    ((x, _, width, _),) = [box.xywhn for box in parse(line).boxes]
    assert x - width / 2 >= -1e-12
    assert x + width / 2 <= 1 + 1e-12


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("0 0.5 0.5 0.0000001 0.2", False),
        ("0 0.5 0.5 0.001562 0.2", True),  # 1 px of 640, rounded
        ("0 0.5 0.5 0.0015 0.2", False),
        ("0 0.5 0.5 0.2 0.002083", True),  # 1 px of 480, rounded
        ("0 0.5 0.5 0.2 0.00207", False),
        ("0 1.005 0.5 0.001 0.2", False),  # nothing of it is inside
        ("0 0.9999 0.5 0.0016 0.2", False),  # less than a pixel is inside
    ],
)
def test_a_box_of_less_than_a_pixel_is_left_out_and_its_line_named(line, counts):
    read = parse(line)
    assert (len(read.boxes), read.too_small) == ((1, ()) if counts else (0, (1,)))


@pytest.mark.parametrize(
    "again", ["0 0.5 0.5 0.1 0.1", "0.0 0.50 0.5 0.1 0.1", "0 0.5000000001 0.5 0.1 0.1", "\n0 0.5 0.5 0.1 0.1"]
)
def test_the_same_box_twice_counts_once_and_the_line_is_named(again):
    read = parse(f"0 0.5 0.5 0.1 0.1\n{again}\n")
    assert read.boxes == ONE
    assert len(read.repeated) == 1


def test_boxes_that_are_the_same_within_the_image_count_once():
    read = parse("0 0.95 0.5 0.2 0.2\n0 0.925 0.5 0.15 0.2")
    assert (len(read.boxes), read.clipped, read.repeated) == (1, (1,), (2,))


def test_boxes_that_differ_in_the_sixth_decimal_are_two():
    assert len(parse("0 0.5 0.5 0.1 0.1\n0 0.500001 0.5 0.1 0.1").boxes) == 2


def test_one_box_with_two_classes_is_refused_with_both_lines():
    with pytest.raises(
        DatasetError, match=r"^a\.txt:3: the box of line 1 with another class \(1, there 0\)"
    ) as refusal:
        parse("0 0.5 0.5 0.1 0.1\n\n1 0.5 0.5 0.1 0.1")
    assert "one class" in refusal.value.hint


def read(text, *, outlines=Outlines.REFUSE, classes=2):
    return read_label_lines(text, source="a.txt", class_count=classes, named_by="obj.names", outlines=outlines)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0,5 0.5 0.1 0.1", "write a decimal point, not a comma"),
        ("0 0.3_75 0.5 0.1 0.1", "an underscore between digits"),
        ("0 0.5 0.5 0.1 \u0660.\u0661", r"write the digits 0 to 9 \(ARABIC-INDIC DIGIT ZERO\)"),
        ("\u0661 0.5 0.5 0.1 0.1", r"write the digits 0 to 9 \(ARABIC-INDIC DIGIT ONE\)"),
        ("0 nan 0.5 0.1 0.1", "the result of a computation that failed"),
        ("0 0.5 0.5 -inf 0.1", "the result of a computation that failed"),
        ("-1 0.5 0.5 0.1 0.1", "a negative number is no class"),
        ("0 120 33 50 60", r"a box outside \[0, 1\]"),
        ("0 .5 .5 .1 .1 .1 .1 2 .2 .2 2 .3 .3 2", r"a box and 3 keypoints \(pose\)"),
    ],
)
def test_a_line_is_refused_by_what_it_is(line, reason):
    _, (refusal,) = read(line)
    assert re.search(reason, refusal.message)
    assert refusal.message.startswith("a.txt:1: ")
    assert refusal.hint


def test_every_wrong_line_is_refused_and_the_others_are_read():
    lines, refusals = read("0 x 0.5 0.1 0.1\n1 0.5 0.5 0.1 0.1\n0 0.5\n5 0.5 0.5 0.1 0.1\n")
    assert [line.number for line in lines] == [2]
    assert [refusal.message.split(" ")[0] for refusal in refusals] == ["a.txt:1:", "a.txt:3:", "a.txt:4:"]
    assert "but obj.names names the classes 0 to 1" in refusals[-1].message


def test_numbers_are_read_as_programs_write_them():
    savetxt = "0.000000000000000000e+00 5.000000000000000000e-01 5.0e-01 1.0e-01 1.000000000000000056e-01\n"
    (line,), refusals = read(f"\ufeff{savetxt}\r\n")
    assert (line.box, refusals) == (ONE[0], ())


@pytest.mark.parametrize("confidence", ["0", "0.93", "1.0", "1"])
def test_a_confidence_as_the_sixth_value_is_left_out(confidence):
    (line,), _ = read(f"0 0.5 0.5 0.1 0.1 {confidence}")
    assert (line.box, line.has_confidence, line.is_rounded_over) == (ONE[0], True, False)


@pytest.mark.parametrize("sixth", ["7", "1.57", "-0.2", "nan"])
def test_a_sixth_value_that_is_no_confidence_is_refused(sixth):
    _, (refusal,) = read(f"0 0.5 0.5 0.1 0.1 {sixth}")
    assert "6 fields, expected 5" in refusal.message


def test_values_just_outside_are_read_and_marked():
    (line, inside), _ = read("0 0.5 0.5 1.0000001 1.0\n0 0.5 0.5 1 1")
    assert (line.is_rounded_over, inside.is_rounded_over) == (True, False)


@pytest.mark.parametrize(
    ("line", "is_rotated"),
    [("1 .2 .3 .6 .3 .6 .9 .2 .9", True), ("1 .2 .3 .6 .5 .4 .9", False), ("1 .2 .9 .6 .3 .3 .4 .4 .4 .5 .6", False)],
)
def test_outlines_are_refused_or_become_the_box_around_their_points(line, is_rotated):
    _, (refusal,) = read(line)
    assert "--polygons envelope" in refusal.hint
    (found,), refusals = read(line, outlines=Outlines.ENVELOPE)
    assert refusals == ()
    assert found.box.class_id == 1
    assert found.box.xywhn == pytest.approx((0.4, 0.6, 0.4, 0.6))
    assert found.outline == tuple(float(value) for value in line.split()[1:])
    assert found.is_rotated is is_rotated


@pytest.mark.parametrize(
    "line", ["0 .1 .1 .1 .5 .1 .9", "0 .1 .1 .5 .1 .9 .1", "0 .1 .1 1.2 .5 .1 .9", "7 0 0 1 0 1 1"]
)
def test_outlines_without_an_area_outside_the_image_or_of_no_class_are_refused(line):
    lines, (refusal,) = read(line, outlines=Outlines.ENVELOPE)
    assert lines == ()
    assert refusal.message.startswith("a.txt:1: ")


def test_what_is_no_outline_is_read_as_a_box_beside_outlines():
    lines, refusals = read("0 .5 .5 .1 .1\n0 x .1 .2 .2 .3 .3\n", outlines=Outlines.ENVELOPE)
    assert (len(lines), len(refusals)) == (1, 1)


FIELDS_PEOPLE_WRITE = st.one_of(
    st.floats(-2, 2).map(str),
    st.integers(-3, 700).map(str),
    st.sampled_from(
        ["0", "1", "0.5", "1.0000001", "nan", "1e-7", "0,5", "1_0", "\u0661", "", "\t", "\ufeff", "0x1", "--"]
    ),
    st.text(max_size=4),
)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.lists(st.lists(FIELDS_PEOPLE_WRITE, max_size=12).map(" ".join), max_size=6).map("\n".join),
    st.sampled_from(list(Outlines)),
)
def test_any_text_is_read_or_refused_by_line_and_nothing_else(text, outlines):
    lines, refusals = read(text, outlines=outlines)
    assert all(re.match(r"a\.txt:\d+: ", refusal.message) and refusal.hint for refusal in refusals)
    for line in lines:
        assert 0 <= line.box.class_id < 2
        assert line.box.xywhn[2] > 0
        assert line.box.xywhn[3] > 0
        assert all(-0.02 <= value <= 1.02 for value in (*line.box.xywhn, *line.outline))


ANYWHERE = st.tuples(
    st.integers(0, 1), st.floats(-0.01, 1.01), st.floats(-0.01, 1.01), st.floats(1e-9, 1.01), st.floats(1e-9, 1.01)
)


@settings(max_examples=300, deadline=None, database=None)
@given(st.lists(ANYWHERE, max_size=8), st.integers(10, 5000), st.integers(10, 5000))
def test_what_is_written_is_read_as_the_same_boxes(rows, width_px, height_px):
    size = {"width_px": width_px, "height_px": height_px}
    boxes = [(number, Box(class_id=row[0], xywhn=row[1:])) for number, row in enumerate(rows)]
    counted = count_boxes(boxes, **size, rounded=True)
    again = parse(format_label_text(counted.written), **size)
    assert again.boxes == counted.boxes
    assert again.too_small == again.repeated == again.clipped == ()
