"""Outlines of objects, as polygons and as run lengths (RLE), in COCO's form: checked, and the box around them.

Run lengths count pixels column by column, from the upper left, first those outside of the object, then those inside,
and so on. Compressed ones are such a list as text: six bits a character, the differences to the run before the
previous one from the fourth on. Source: pycocotools, `maskApi.c` and `mask.py` (P. Dollár, T.-Y. Lin), which reads
beyond the end of a damaged text; so we decode it here, and pycocotools is the reference in the tests.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cv_yolo.adapters.formats.documents import shown, whole_number
from cv_yolo.domain.data.annotated import Segmentation
from cv_yolo.errors import DatasetError

LEAST_VALUES: Final = 6  # three points
FIRST_CHARACTER: Final = 48
BITS: Final = 5
MORE: Final = 0x20
SIGN: Final = 0x10
MOST_CHARACTERS: Final = 13  # of one number: 64 bits

XYWH = tuple[float, float, float, float]


def checked_outline(value: object, what: str, *, width_px: int, height_px: int) -> tuple[Segmentation | None, int]:
    """The outline in COCO's form, and how many of its polygons were left out; raises `DatasetError` for another thing.

    The outline is as it is given, without polygons of fewer than three points; None where nothing is left.
    """
    if value is None:
        return None, 0
    if isinstance(value, dict):
        return checked_runs(value, what, width_px=width_px, height_px=height_px), 0
    if not isinstance(value, list):
        raise DatasetError(f"{what} is {shown(value)}, expected polygons or an RLE")
    polygons, left_out = checked_polygons(value, what)
    return polygons or None, left_out


def checked_polygons(value: list[Any], what: str) -> tuple[list[list[float]], int]:
    """The polygons of at least three points, and how many have fewer; raises `DatasetError` for what is no polygon."""
    flat = bool(value) and not any(isinstance(each, list) for each in value)
    polygons = [value] if flat else value
    for index, polygon in enumerate(polygons):
        _require_points(polygon, f"{what}[{index}]")
    usable = [polygon for polygon in polygons if len(polygon) >= LEAST_VALUES]
    return usable, len(polygons) - len(usable)


def checked_runs(value: Mapping[str, Any], what: str, *, width_px: int, height_px: int) -> Mapping[str, Any]:
    """Run lengths that fill an image of that size, as they are; raises `DatasetError` otherwise."""
    size = value.get("size")
    sides = size if isinstance(size, list) else []
    if [whole_number(side, f"{what}.size") for side in sides] != [height_px, width_px]:
        stated = " x ".join(shown(side) for side in reversed(sides)) or shown(size)
        raise DatasetError(f"{what} is an RLE of {stated} px, the image has {width_px} x {height_px} px")
    runs = run_lengths(value, what)
    if sum(runs) != height_px * width_px:
        raise DatasetError(f"{what} is an RLE of {sum(runs)} pixels, the image has {height_px * width_px}")
    return value


def box_around(segmentation: Segmentation) -> XYWH | None:
    """The upright box around an outline that was checked: x, y, width, height; None around nothing."""
    if isinstance(segmentation, Mapping):
        return _box_around_runs(run_lengths(segmentation, "RLE"), int(segmentation["size"][0]))
    xs = [x for polygon in segmentation for x in polygon[::2]]
    ys = [y for polygon in segmentation for y in polygon[1::2]]
    if not xs:
        return None
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def box_around_rotated(xywh: XYWH, degrees: float, *, about: tuple[float, float]) -> XYWH:
    """The upright box around a box that is turned clockwise, as seen on the screen, about a point."""
    x, y, width, height = xywh
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    turned = [
        (about[0] + (a - about[0]) * cos - (b - about[1]) * sin, about[1] + (a - about[0]) * sin + (b - about[1]) * cos)
        for a, b in corners
    ]
    left, top = min(a for a, _ in turned), min(b for _, b in turned)
    return left, top, max(a for a, _ in turned) - left, max(b for _, b in turned) - top


def run_lengths(value: Mapping[str, Any], what: str) -> list[int]:
    """The runs of an RLE, compressed or not; raises `DatasetError` where there is another thing."""
    counts = value.get("counts")
    if isinstance(counts, str):
        return _decoded(counts, what)
    if not isinstance(counts, list) or not all(type(each) is int and each >= 0 for each in counts):
        raise DatasetError(f"{what}.counts is {shown(counts)}, expected run lengths or their compressed text")
    return counts


def runs_of_mask(pixels: npt.NDArray[np.bool_]) -> dict[str, list[int]]:
    """The RLE of a mask (height, width), not compressed."""
    column_wise = np.concatenate([[False], pixels.ravel(order="F"), [False]])
    changes = np.flatnonzero(column_wise[1:] != column_wise[:-1])
    ends = np.append(changes, pixels.size) if not changes.size or changes[-1] < pixels.size else changes
    counts = np.diff(ends, prepend=0)
    return {"size": [int(side) for side in pixels.shape], "counts": [int(count) for count in counts]}


def _require_points(polygon: object, what: str) -> None:
    if not isinstance(polygon, list) or len(polygon) % 2 or not set(map(type, polygon)) <= {int, float}:
        raise DatasetError(f"{what} is {shown(polygon)}, expected the numbers x1, y1, x2, y2, …")
    try:
        finite = all(map(math.isfinite, polygon))
    except OverflowError:
        finite = False
    if not finite:
        raise DatasetError(f"{what} has a number that is not finite")


def _decoded(counts: str, what: str) -> list[int]:
    runs: list[int] = []
    value, length = 0, 0
    for character in counts:
        code = ord(character) - FIRST_CHARACTER
        length += 1
        if not 0 <= code < 2 * MORE or length > MOST_CHARACTERS:
            raise DatasetError(f"{what}.counts is no compressed RLE: {shown(character)}")
        value |= (code & (MORE - 1)) << (BITS * (length - 1))
        if code & MORE:
            continue
        if code & SIGN:
            value -= 1 << (BITS * length)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))  # noqa: PLR2004  # from the fourth on, a difference
        if runs[-1] < 0:
            raise DatasetError(f"{what}.counts is no compressed RLE: a run of negative length")
        value, length = 0, 0
    if length:
        raise DatasetError(f"{what}.counts is no compressed RLE: it ends within a number")
    return runs


def _box_around_runs(runs: Sequence[int], height_px: int) -> XYWH | None:
    ends = np.cumsum(np.array(runs, dtype=np.int64))
    starts = np.concatenate([[0], ends[:-1]])[1::2]
    stops = ends[1::2]
    filled = stops > starts
    if not filled.any():
        return None
    first, last = starts[filled], stops[filled] - 1
    left, right = int((first // height_px).min()), int((last // height_px).max())
    top, bottom = _rows(first, last, height_px)
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def _rows(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64], height_px: int) -> tuple[int, int]:
    """The first and the last row; a run over several columns touches the upper and the lower edge."""
    if (first // height_px != last // height_px).any():
        return 0, height_px - 1
    return int((first % height_px).min()), int((last % height_px).max())
