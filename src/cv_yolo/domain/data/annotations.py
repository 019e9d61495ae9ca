"""What is in a picture: boxes, as annotated and as detected, their overlap, and YOLO's label text."""

import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.errors import DatasetError

Boxes = npt.NDArray[np.float64]


def xywhn_to_xyxy(boxes: Boxes, *, width_px: int, height_px: int) -> Boxes:
    """Turn (N, 4) normalised centre and size into (N, 4) pixel corners x1, y1, x2, y2."""
    scale = np.array([width_px, height_px], dtype=np.float64)
    centre, half = boxes[:, :2] * scale, boxes[:, 2:] * scale / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def xyxy_to_xywhn(boxes: Boxes, *, width_px: int, height_px: int) -> Boxes:
    """Turn (N, 4) pixel corners into (N, 4) normalised centre and size."""
    scale = np.array([width_px, height_px], dtype=np.float64)
    low, high = boxes[:, :2] / scale, boxes[:, 2:] / scale
    return np.concatenate([(low + high) / 2, high - low], axis=1)


def area_px(boxes: Boxes) -> npt.NDArray[np.float64]:
    """Areas in square pixels, (...), of (..., 4) pixel corners."""
    size = np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return np.asarray(size[..., 0] * size[..., 1], dtype=np.float64)


def intersection_px(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Common areas in square pixels of boxes that pair up (shapes are broadcast)."""
    size = np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2])
    size = np.maximum(size, 0.0)
    return np.asarray(size[..., 0] * size[..., 1], dtype=np.float64)


def iou(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union of boxes that pair up (shapes are broadcast); 0 where both areas are 0.

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010, section 4.2.
    """
    common = intersection_px(first, second)
    return ratio(common, area_px(first) + area_px(second) - common)


def ratio(part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`part / whole`; 0 where the whole is 0."""
    quotient: npt.NDArray[np.float64] = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return quotient


FIELDS: Final = 5  # class, centre x, centre y, width, height
FIELDS_WITH_CONFIDENCE: Final = 6
FIELDS_OF_ROTATED: Final = 9  # class and four corners
TOLERANCE: Final = 0.01  # how far a value may lie outside [0, 1], as Ultralytics has it
LABEL_DECIMALS: Final = 6  # two boxes that are equal so far are the same box
SMALLEST_SIDE_PX: Final = 1.0
SIDE_DECIMALS: Final = 2  # a side of 1 px stays one although its label was rounded
REPORTED_OVERHANG_PX: Final = 0.5  # less is rounding

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CORRECT: Final = "correct the line, or remove it"
_BOX_HINT: Final = (
    "replace each line by the upright box around its points, `class x y width height`: "
    "docs/how-to/own-images.md has a script"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One annotated box in YOLO's words: class index, normalised centre and size (`xywhn`)."""

    class_id: int
    xywhn: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelText:
    """What a label file says: the boxes that count, and the lines, from 1 on, that do not count as they are written.

    `clipped` reach over the edge of the image, `too_small` are left out as less than a pixel wide or high, `repeated`
    are left out as the same box as an earlier line. `lines` are those of the boxes that count.
    """

    boxes: tuple[Box, ...]
    lines: tuple[int, ...] = field(default=(), compare=False)
    clipped: tuple[int, ...] = ()
    too_small: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroundTruth:
    """The annotated boxes of one image: (N, 4) pixel corners and (N,) class indices.

    `crowds`, (N,), marks boxes around many objects, which COCO neither asks for nor counts as wrong; absent means none.
    `areas_px`, (N,), are areas of the objects in px², where they are known better than by their boxes.
    """

    image: str
    boxes_xyxy: Boxes
    class_ids: npt.NDArray[np.int64]
    crowds: npt.NDArray[np.bool_] | None = None
    areas_px: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        optional = [column for column in (self.crowds, self.areas_px) if column is not None]
        _require_rows(self.image, self.boxes_xyxy, self.class_ids, *optional)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """The predicted boxes of one image: (N, 4) pixel corners, (N,) class indices, (N,) confidences in [0, 1]."""

    image: str
    boxes_xyxy: Boxes
    class_ids: npt.NDArray[np.int64]
    confidences: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        _require_rows(self.image, self.boxes_xyxy, self.class_ids, self.confidences)
        if not np.isfinite(self.boxes_xyxy).all() or not np.isfinite(self.confidences).all():
            raise ValueError(f"{self.image}: a detection is not finite")


def parse_label_text(text: str, *, source: str, class_count: int, width_px: int, height_px: int) -> LabelText:
    """Read the label text of an image of that size, by the one rule that training and evaluation share.

    - A line is `class x y width height`: decimal numbers, the class a whole one (`0` or `0.0`). Blank lines, a byte
      order mark and any line ending are read over.
    - The four values lie in [0, 1], give or take `TOLERANCE` for rounding; width and height are above zero.
    - A box is clipped to its image. What is then less than `SMALLEST_SIDE_PX` wide or high is left out.
    - A line that repeats a box of its class, equal to `LABEL_DECIMALS`, is left out.

    Raises `DatasetError` that names source and line of the first line that breaks the rule, or that gives another class
    to the box of an earlier line.
    """
    boxes: list[Box] = []
    lines: dict[tuple[float, ...], tuple[int, int]] = {}  # where a box is -> its line and class
    counted, clipped, too_small, repeated = [], [], [], []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), start=1):
        if not line.strip():
            continue
        where = f"{source}:{number}"
        written = _parse_fields(line.split(), where, class_count)
        box, overhang_px = _clip(written, width_px, height_px)
        if round(min(box.xywhn[2] * width_px, box.xywhn[3] * height_px), SIDE_DECIMALS) < SMALLEST_SIDE_PX:
            too_small.append(number)
            continue
        place = tuple(round(value, LABEL_DECIMALS) for value in box.xywhn)
        earlier, its_class = lines.setdefault(place, (number, box.class_id))
        if its_class != box.class_id:
            raise DatasetError(
                f"{where}: the box of line {earlier} with another class ({box.class_id}, there {its_class})",
                hint="an object has one class: remove one of the two lines",
            )
        if earlier != number:
            repeated.append(number)
            continue
        if overhang_px > REPORTED_OVERHANG_PX:
            clipped.append(number)
        boxes.append(box)
        counted.append(number)
    return LabelText(
        boxes=tuple(boxes),
        lines=tuple(counted),
        clipped=tuple(clipped),
        too_small=tuple(too_small),
        repeated=tuple(repeated),
    )


def format_label_text(boxes: tuple[Box, ...]) -> str:
    """Write boxes as YOLO label text, a line each, six decimals."""
    return "".join(f"{box.class_id} " + " ".join(f"{value:.6f}" for value in box.xywhn) + "\n" for box in boxes)


def _parse_fields(fields: list[str], where: str, class_count: int) -> Box:
    wrong = [field for field in fields if not _NUMBER.fullmatch(field)]
    if len(fields) == FIELDS and wrong:
        raise DatasetError(f"{where}: {_no_number(fields, wrong[0])}", hint=_CORRECT)
    if len(fields) != FIELDS:
        raise DatasetError(f"{where}: {_other_shape(fields, wrong)}", hint=_hint_for(fields, wrong))
    class_id, values = float(fields[0]), [float(field) for field in fields[1:]]
    if not class_id.is_integer():
        raise DatasetError(f"{where}: the class is {fields[0]}, expected a whole number", hint=_CORRECT)
    if not 0 <= class_id < class_count:
        known = "the class 0" if class_count == 1 else f"the classes 0 to {class_count - 1}"
        raise DatasetError(
            f"{where}: class {fields[0]}, but data.yaml names {known}",
            hint=f"{_CORRECT}, or name the class in data.yaml",
        )
    _require_inside(values, where, " ".join(fields[1:]))
    return Box(class_id=int(class_id), xywhn=(values[0], values[1], values[2], values[3]))


def _no_number(fields: list[str], wrong: str) -> str:
    if wrong == fields[0]:
        return f"the class is {wrong!r}, expected its number"
    why = ": write a decimal point, not a comma" if "," in wrong else ""
    return f"not a number: {wrong!r}{why}"


def _other_shape(fields: list[str], wrong: list[str]) -> str:
    """What a line with another number of fields than a box seems to be."""
    count = len(fields)
    if not wrong and count == FIELDS_OF_ROTATED:
        return "9 fields, expected 5: a rotated box (OBB: class and four corners), or a polygon of four points"
    if not wrong and count > FIELDS_WITH_CONFIDENCE and count % 2:
        return f"{count} fields, expected 5: a segmentation polygon (class and {count // 2} points)"
    if not wrong and count == FIELDS_WITH_CONFIDENCE:
        return "6 fields, expected 5 (class x y width height): is the last one a confidence?"
    separated = ", separated by spaces" if count == 1 else ""
    return f"{count} {'field' if count == 1 else 'fields'}, expected 5 (class x y width height){separated}"


def _hint_for(fields: list[str], wrong: list[str]) -> str:
    is_outline = not wrong and len(fields) > FIELDS_WITH_CONFIDENCE and len(fields) % 2
    return _BOX_HINT if is_outline else _CORRECT


def _require_inside(values: list[float], where: str, written: str) -> None:
    width, height = values[2:]
    for name, value in (("width", width), ("height", height)):
        if value <= 0:
            sign = "zero" if value == 0 else "negative"
            raise DatasetError(f"{where}: a box of {sign} {name}: {written}", hint=_CORRECT)
    if max(values) > 1 + TOLERANCE and min(values) >= 0 and all(value > 1 or value == 0 for value in values):
        raise DatasetError(
            f"{where}: a box outside [0, 1]: {written}",
            hint="are these pixels? YOLO has fractions: divide x and width by the image's width, y and height by its "
            "height",
        )
    if max(values) > 1 + TOLERANCE or min(values) < -TOLERANCE:
        raise DatasetError(f"{where}: a box outside [0, 1]: {written}", hint=_CORRECT)


def _clip(box: Box, width_px: int, height_px: int) -> tuple[Box, float]:
    """The part of a box inside its image, and by how many pixels it reaches over the edge."""
    x, width, over_x = _clip_side(box.xywhn[0], box.xywhn[2])
    y, height, over_y = _clip_side(box.xywhn[1], box.xywhn[3])
    inside = Box(class_id=box.class_id, xywhn=(x, y, width, height))
    return inside, max(over_x * width_px, over_y * height_px)


def _clip_side(centre: float, size: float) -> tuple[float, float, float]:
    """Centre and size within [0, 1], and how far they reached beyond; untouched where they lie inside."""
    low, high = centre - size / 2, centre + size / 2
    over = max(-low, high - 1.0)
    if over <= 0:
        return centre, size, 0.0
    low, high = min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
    return (low + high) / 2, high - low, over


def _require_rows(image: str, boxes: Boxes, *columns: npt.NDArray[np.generic]) -> None:
    if boxes.shape != (len(boxes), 4) or any(column.shape != (len(boxes),) for column in columns):
        raise ValueError(f"{image}: boxes must be (N, 4) and every column (N,)")
