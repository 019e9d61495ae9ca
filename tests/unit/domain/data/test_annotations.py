"""Annotated and predicted boxes, and YOLO's label text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import Box, Detections, GroundTruth, LabelText, format_label_text, parse_label_text
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
        assert "own-images.md" in refusal.value.hint


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


@pytest.mark.parametrize("boxes", [np.zeros((2, 4)), np.zeros((1, 5)), np.zeros(4)])
def test_ground_truth_needs_a_class_for_each_box_of_four_corners(boxes):
    with pytest.raises(ValueError, match=r"^7\.jpg: boxes must be"):
        GroundTruth(image="7.jpg", boxes_xyxy=boxes, class_ids=np.zeros(1, dtype=np.int64))


def test_detections_need_a_confidence_for_each_box():
    with pytest.raises(ValueError, match=r"every column"):
        Detections(
            image="7.jpg",
            boxes_xyxy=np.zeros((1, 4)),
            class_ids=np.zeros(1, dtype=np.int64),
            confidences=np.zeros(2),
        )


@pytest.mark.parametrize(("corner", "confidence"), [(np.nan, 0.5), (np.inf, 0.5), (1.0, np.nan)])
def test_detections_that_are_not_finite_are_refused(corner, confidence):
    with pytest.raises(ValueError, match=r"7\.jpg: a detection is not finite"):
        Detections(
            image="7.jpg",
            boxes_xyxy=np.array([[0.0, 0.0, corner, 1.0]]),
            class_ids=np.zeros(1, dtype=np.int64),
            confidences=np.array([confidence]),
        )
