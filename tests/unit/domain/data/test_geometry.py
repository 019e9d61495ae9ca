"""Boxes and their overlaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cv_yolo.domain.data import annotations as geometry
from cv_yolo.domain.data.annotations import area_px, xywhn_to_xyxy, xyxy_to_xywhn

LAWS = settings(max_examples=60, deadline=None, database=None)


def iou(first, second):
    """Each of the first with each of the second."""
    return geometry.iou(first[:, None], second[None])


@st.composite
def boxes(draw, *, most=5, smallest=0.0):
    count = draw(st.integers(1, most))
    low = draw(arrays(np.float64, (count, 2), elements=st.floats(0, 600)))
    size = draw(arrays(np.float64, (count, 2), elements=st.floats(smallest, 400)))
    return np.concatenate([low, low + size], axis=1)


@LAWS
@given(boxes(), boxes())
def test_the_overlap_is_the_same_from_both_sides(first, second):
    np.testing.assert_array_equal(iou(first, second), iou(second, first).T)


@LAWS
@given(boxes(), boxes())
def test_an_overlap_is_a_share_between_nothing_and_all(first, second):
    overlap = iou(first, second)
    assert overlap.shape == (len(first), len(second))
    assert (overlap >= 0).all()
    assert (overlap <= 1 + 1e-12).all()


@LAWS
@given(boxes(smallest=0.01))
def test_a_box_with_an_area_overlaps_itself_wholly(some):
    np.testing.assert_allclose(np.diag(iou(some, some)), 1.0, rtol=1e-12)


@LAWS
@given(boxes(), st.integers(1, 4000), st.integers(1, 4000))
def test_normalised_boxes_turn_back_into_the_same_pixels(some, width_px, height_px):
    there = xyxy_to_xywhn(some, width_px=width_px, height_px=height_px)
    back = xywhn_to_xyxy(there, width_px=width_px, height_px=height_px)
    np.testing.assert_allclose(back, some, atol=1e-8)


def test_width_and_height_are_not_confused():
    normalised = np.array([[0.5, 0.25, 0.2, 0.5]])
    pixels = xywhn_to_xyxy(normalised, width_px=100, height_px=40)
    np.testing.assert_allclose(pixels, [[40, 0, 60, 20]])
    np.testing.assert_allclose(xyxy_to_xywhn(pixels, width_px=100, height_px=40), normalised)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 50 / 150),
        ((0, 0, 5, 5), 25 / 100),
        ((10, 0, 20, 10), 0.0),
        ((30, 30, 40, 40), 0.0),
    ],
)
def test_overlaps_worked_out_by_hand(other, share):
    assert iou(np.array([[0.0, 0, 10, 10]]), np.array([other], dtype=np.float64))[0, 0] == pytest.approx(share)


def test_boxes_without_area_overlap_nothing_not_even_themselves():
    point = np.array([[3.0, 3, 3, 3]])
    assert iou(point, point)[0, 0] == 0.0


def test_a_box_turned_inside_out_has_no_area():
    np.testing.assert_array_equal(area_px(np.array([[0.0, 0, 4, 5], [4, 5, 0, 0]])), [20.0, 0.0])


def test_no_boxes_make_an_empty_table_of_overlaps():
    assert iou(np.empty((0, 4)), np.array([[0.0, 0, 1, 1]])).shape == (0, 1)
