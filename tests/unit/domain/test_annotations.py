"""Annotated and predicted boxes, and YOLO's label text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.annotations import Box, Detections, GroundTruth, format_label_text, parse_label_text
from cv_yolo.errors import DatasetError

CENTRES, SIZES = st.floats(0, 1), st.floats(0.000001, 1)
BOXES = st.builds(
    Box, class_id=st.integers(0, 79), xywhn=st.tuples(CENTRES, CENTRES, SIZES, SIZES).map(lambda values: (*values,))
)


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(BOXES, max_size=6))
def test_label_text_keeps_six_decimals(boxes):
    read = parse_label_text(format_label_text(tuple(boxes)), source="a.txt", class_count=80)
    assert [box.class_id for box in read] == [box.class_id for box in boxes]
    for mine, theirs in zip(read, boxes, strict=True):
        assert mine.xywhn == pytest.approx(theirs.xywhn, abs=5.1e-7)
    assert format_label_text(read) == format_label_text(tuple(boxes))


def test_label_text_is_a_line_for_each_box():
    text = format_label_text((Box(class_id=2, xywhn=(0.5, 0.25, 1.0, 1 / 3)),))
    assert text == "2 0.500000 0.250000 1.000000 0.333333\n"


def test_blank_lines_are_passed_over_but_counted():
    assert parse_label_text("\n  \n0 0.5 0.5 0.1 0.1\n", source="a.txt", class_count=1) == (
        Box(class_id=0, xywhn=(0.5, 0.5, 0.1, 0.1)),
    )
    with pytest.raises(DatasetError, match=r"^a\.txt:3: "):
        parse_label_text("\n\nx\n", source="a.txt", class_count=1)


def test_an_empty_label_file_is_an_image_without_objects():
    assert parse_label_text("", source="a.txt", class_count=1) == ()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("0 0.5 0.5 0.1", "4 fields, expected 5"),
        ("0 0.5 0.5 0.1 0.1 0.9", "6 fields, expected 5"),
        ("0 0.5 half 0.1 0.1", "not numbers: 0 0.5 half 0.1 0.1"),
        ("0.0 0.5 0.5 0.1 0.1", "not numbers"),
        ("2 0.5 0.5 0.1 0.1", "class 2, but data.yaml names the classes 0 to 1"),
        ("-1 0.5 0.5 0.1 0.1", "class -1"),
        ("0 1.5 0.5 0.1 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 -0.1 0.1 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 0 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 0.1 0", r"a box outside \[0, 1\]"),
        ("0 nan 0.5 0.1 0.1", r"a box outside \[0, 1\]"),
        ("0 0.5 0.5 inf 0.1", r"a box outside \[0, 1\]"),
    ],
)
def test_a_wrong_line_is_named_with_its_complaint(line, complaint):
    with pytest.raises(DatasetError, match=rf"^labels/7\.txt:2: {complaint}"):
        parse_label_text(f"0 0.5 0.5 0.1 0.1\n{line}\n", source="labels/7.txt", class_count=2)


def test_boxes_at_the_very_edges_are_allowed():
    assert len(parse_label_text("1 0 1 1 1", source="a.txt", class_count=2)) == 1


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
