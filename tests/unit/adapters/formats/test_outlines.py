"""Outlines of objects: pycocotools is the reference for run lengths and the boxes around them."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cv_yolo.adapters.formats.outlines import (
    box_around,
    box_around_rotated,
    checked_runs,
    run_lengths,
    runs_of_mask,
)
from cv_yolo.errors import DatasetError

masks = pytest.importorskip("pycocotools.mask")
MASKS = arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def compressed(pixels: np.ndarray) -> dict[str, Any]:
    """The compressed RLE of pycocotools, as JSON holds it."""
    made = masks.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": made["size"], "counts": made["counts"].decode()}


@given(MASKS)
def test_compressed_run_lengths_are_those_of_pycocotools(pixels: np.ndarray) -> None:
    made = compressed(pixels)
    runs = run_lengths(made, "it")
    back = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(pixels.shape, order="F")
    assert (back == pixels).all()
    height, width = pixels.shape
    assert checked_runs(made, "it", width_px=width, height_px=height) is made


@given(MASKS)
def test_the_box_around_run_lengths_is_that_of_pycocotools(pixels: np.ndarray) -> None:
    expected = tuple(masks.toBbox(compressed(pixels)))
    assert (box_around(compressed(pixels)) or (0, 0, 0, 0)) == expected
    assert (box_around(runs_of_mask(pixels)) or (0, 0, 0, 0)) == expected


@given(MASKS)
def test_the_run_lengths_of_a_mask_are_those_of_pycocotools(pixels: np.ndarray) -> None:
    runs = runs_of_mask(pixels)
    height, width = pixels.shape
    assert masks.frPyObjects(runs, height, width)["counts"].decode() == compressed(pixels)["counts"]
    assert sum(runs["counts"]) == pixels.size


@given(st.text(st.characters(min_codepoint=40, max_codepoint=130), max_size=40))
def test_a_damaged_text_is_refused_or_are_run_lengths(counts: str) -> None:
    try:
        runs = run_lengths({"counts": counts}, "it")
    except DatasetError:
        return
    assert all(run >= 0 for run in runs)


@given(st.floats(-720, 720), st.floats(1, 100), st.floats(1, 100))
def test_a_box_around_a_turned_one_holds_it(degrees: float, width: float, height: float) -> None:
    x, y, around_width, around_height = box_around_rotated((10, 20, width, height), degrees, about=(10, 20))
    assert around_width * around_height >= width * height - 1e-6
    assert around_width**2 + around_height**2 <= 2 * (width**2 + height**2) + 1e-6
    assert x <= 10 + 1e-9 <= x + around_width + 1e-6
    assert y <= 20 + 1e-9 <= y + around_height + 1e-6


def test_there_is_no_box_around_no_polygon() -> None:
    assert box_around([]) is None
