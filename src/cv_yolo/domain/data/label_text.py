"""YOLO's label text: the one rule by which its lines become boxes, in training, evaluation and import."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cv_yolo.errors import DatasetError

FIELDS: Final = 5  # class, centre x, centre y, width, height
FIELDS_WITH_CONFIDENCE: Final = 6
FIELDS_OF_ROTATED: Final = 9  # class and four corners
FIELDS_OF_TRIANGLE: Final = 7  # the smallest outline
KEYPOINT_FIELDS: Final = 3  # x, y, visibility
TOLERANCE: Final = 0.01  # how far a value may lie outside [0, 1], as Ultralytics has it
LABEL_DECIMALS: Final = 6  # two boxes that are equal so far are the same box
SMALLEST_SIDE_PX: Final = 1.0
SIDE_DECIMALS: Final = 2  # a side of 1 px stays one although its label was rounded
REPORTED_OVERHANG_PX: Final = 0.5  # less is rounding

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CORRECT: Final = "correct the line, or remove it"
_BOX_HINT: Final = "`cv-yolo data import --polygons envelope` takes the upright boxes around outlines"
_ONE_CLASS: Final = "an object has one class: remove one of the two lines"


class Outlines(StrEnum):
    """What becomes of polygons and rotated boxes: `envelope` takes the upright box around their points."""

    REFUSE = "refuse"
    ENVELOPE = "envelope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One annotated box in YOLO's words: class index, normalised centre and size (`xywhn`)."""

    class_id: int
    xywhn: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelText:
    """What a label file says: the boxes that count, and the lines, from 1 on, that do not count as they are written.

    `lines` are those of the boxes, `written` the boxes as a file holds them, before they are clipped. `clipped` reach
    over the edge of the image, `too_small` are left out as less than a pixel wide or high, `repeated` are left out as
    the same box as an earlier line. `conflicts` are pairs of an earlier line and one that gives its box another class.
    """

    boxes: tuple[Box, ...]
    lines: tuple[int, ...] = field(default=(), compare=False)
    written: tuple[Box, ...] = field(default=(), compare=False)
    clipped: tuple[int, ...] = ()
    too_small: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    conflicts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelLine:
    """One line of a label file as it is written, its box not clipped.

    `outline` are the points, x1, y1, x2, y2, … as fractions, where the line has an outline. `has_confidence` where a
    sixth value was left out; `is_rounded_over` where a value lies outside [0, 1] within the tolerance.
    """

    number: int
    box: Box
    outline: tuple[float, ...] = ()
    has_confidence: bool = False

    @property
    def is_rotated(self) -> bool:
        """Whether it has four corners, as an oriented box has."""
        return len(self.outline) == FIELDS_OF_ROTATED - 1

    @property
    def is_rounded_over(self) -> bool:
        """Whether a value lies outside [0, 1]."""
        return not all(0 <= value <= 1 for value in (*self.box.xywhn, *self.outline))


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
    boxes = [
        (number, _parse_fields(line.split(), f"{source}:{number}", class_count, "data.yaml"))
        for number, line in _lines(text)
    ]
    counted = count_boxes(boxes, width_px=width_px, height_px=height_px)
    if counted.conflicts:
        (earlier, number), by_number = counted.conflicts[0], dict(boxes)
        raise conflict(f"{source}:{number}", f"line {earlier}", by_number[number].class_id, by_number[earlier].class_id)
    return counted


def read_label_lines(
    text: str, *, source: str, class_count: int, named_by: str, outlines: Outlines
) -> tuple[tuple[LabelLine, ...], tuple[DatasetError, ...]]:
    """The lines of a label file that is imported, by the same rule, and every refusal of a line.

    Two more kinds of lines are read: a confidence as the sixth value is left out, and outlines (polygons, oriented
    boxes) become the boxes around their points where `outlines` says so. `named_by` is what names the classes.
    """
    lines, refusals = [], []
    for number, line in _lines(text):
        try:
            lines.append(_read_line(number, line.split(), f"{source}:{number}", class_count, named_by, outlines))
        except DatasetError as refusal:
            refusals.append(refusal)
    return tuple(lines), tuple(refusals)


def count_boxes(
    written: Iterable[tuple[int, Box]], *, width_px: int, height_px: int, rounded: bool = False
) -> LabelText:
    """The boxes that count, of numbered boxes as they are written in an image of that size.

    With `rounded` they are clipped and rounded first: `format_label_text` writes them (`written`), and
    `parse_label_text` reads exactly these boxes.
    """
    boxes: list[Box] = []
    sources: list[tuple[int, Box]] = []
    seen: dict[tuple[float, ...], tuple[int, int]] = {}  # where a box is -> its line and class
    clipped, too_small, repeated, conflicts = [], [], [], []
    for number, given in written:
        box, overhang_px = _clip(given, width_px, height_px)
        held = _rounded(box) if rounded else given
        box, _ = _clip(held, width_px, height_px)
        if round(min(box.xywhn[2] * width_px, box.xywhn[3] * height_px), SIDE_DECIMALS) < SMALLEST_SIDE_PX:
            too_small.append(number)
            continue
        place = tuple(round(value, LABEL_DECIMALS) for value in box.xywhn)
        earlier, its_class = seen.setdefault(place, (number, box.class_id))
        if its_class != box.class_id:
            conflicts.append((earlier, number))
            continue
        if earlier != number:
            repeated.append(number)
            continue
        if overhang_px > REPORTED_OVERHANG_PX:
            clipped.append(number)
        boxes.append(box)
        sources.append((number, held))
    return LabelText(
        boxes=tuple(boxes),
        lines=tuple(number for number, _ in sources),
        written=tuple(box for _, box in sources),
        clipped=tuple(clipped),
        too_small=tuple(too_small),
        repeated=tuple(repeated),
        conflicts=tuple(conflicts),
    )


def conflict(where: str, earlier: str, class_name: object, its_class: object) -> DatasetError:
    """The refusal of one box with two classes."""
    return DatasetError(
        f"{where}: the box of {earlier} with another class ({class_name}, there {its_class})", hint=_ONE_CLASS
    )


def format_label_text(boxes: tuple[Box, ...]) -> str:
    """Write boxes as YOLO label text, a line each, six decimals."""
    return "".join(f"{box.class_id} " + " ".join(f"{value:.6f}" for value in box.xywhn) + "\n" for box in boxes)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1 on."""
    lines = re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))
    return ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _read_line(
    number: int, fields: list[str], where: str, class_count: int, named_by: str, outlines: Outlines
) -> LabelLine:
    numbers = all(_NUMBER.fullmatch(field) for field in fields)
    has_confidence = numbers and len(fields) == FIELDS_WITH_CONFIDENCE and 0 <= float(fields[-1]) <= 1
    is_outline = numbers and len(fields) >= FIELDS_OF_TRIANGLE and len(fields) % 2 == 1
    if not (is_outline and outlines is Outlines.ENVELOPE):
        box = _parse_fields(fields[:FIELDS] if has_confidence else fields, where, class_count, named_by)
        return LabelLine(number=number, box=box, has_confidence=has_confidence)
    points = [float(field) for field in fields[1:]]
    _require_in_range(points, where, " ".join(fields[1:]))
    (left, right), (top, bottom) = ((min(side), max(side)) for side in (points[::2], points[1::2]))
    _require_size(right - left, bottom - top, where, " ".join(fields[1:]))
    return LabelLine(
        number=number,
        box=Box(
            class_id=_class_id(fields[0], where, class_count, named_by),
            xywhn=((left + right) / 2, (top + bottom) / 2, right - left, bottom - top),
        ),
        outline=tuple(points),
    )


def _parse_fields(fields: list[str], where: str, class_count: int, named_by: str) -> Box:
    wrong = [field for field in fields if not _NUMBER.fullmatch(field)]
    if len(fields) == FIELDS and wrong:
        raise DatasetError(f"{where}: {_no_number(fields, wrong[0])}", hint=_CORRECT)
    if len(fields) != FIELDS:
        raise DatasetError(f"{where}: {_other_shape(fields, wrong)}", hint=_hint_for(fields, wrong))
    class_id = _class_id(fields[0], where, class_count, named_by)
    values = [float(field) for field in fields[1:]]
    written = " ".join(fields[1:])
    _require_size(values[2], values[3], where, written)
    _require_in_range(values, where, written)
    return Box(class_id=class_id, xywhn=(values[0], values[1], values[2], values[3]))


def _class_id(field: str, where: str, class_count: int, named_by: str) -> int:
    class_id = float(field)
    if not class_id.is_integer():
        raise DatasetError(f"{where}: the class is {field}, expected a whole number", hint=_CORRECT)
    if not 0 <= class_id < class_count:
        known = "the class 0" if class_count == 1 else f"the classes 0 to {class_count - 1}"
        negative = ": a negative number is no class" if class_id < 0 else ""
        raise DatasetError(
            f"{where}: class {field}, but {named_by} names {known}{negative}",
            hint=f"{_CORRECT}, or name the class in {named_by}",
        )
    return int(class_id)


def _no_number(fields: list[str], wrong: str) -> str:
    if wrong == fields[0]:
        return f"the class is {wrong!r}, expected its number{_why_no_number(wrong)}"
    return f"not a number: {wrong!r}{_why_no_number(wrong)}"


def _why_no_number(wrong: str) -> str:
    if "," in wrong:
        return ": write a decimal point, not a comma"
    if "_" in wrong and _NUMBER.fullmatch(wrong.replace("_", "")):
        return ": an underscore between digits"
    if any(character.isdecimal() and not character.isascii() for character in wrong):
        name = unicodedata.name(next(each for each in wrong if each.isdecimal() and not each.isascii()), "other digits")
        return f": write the digits 0 to 9 ({name})"
    if wrong.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return ": the result of a computation that failed"
    return ""


def _other_shape(fields: list[str], wrong: list[str]) -> str:
    """What a line with another number of fields than a box seems to be."""
    count = len(fields)
    if not wrong and count == FIELDS_OF_ROTATED:
        return "9 fields, expected 5: a rotated box (OBB: class and four corners), or a polygon of four points"
    if not wrong and count >= FIELDS_OF_TRIANGLE and count % 2:
        return f"{count} fields, expected 5: a segmentation polygon (class and {count // 2} points)"
    if not wrong and count == FIELDS_WITH_CONFIDENCE:
        return "6 fields, expected 5 (class x y width height): is the last one a confidence?"
    why = ", separated by spaces" if count == 1 else ""
    if not wrong and count > FIELDS_OF_ROTATED and (count - FIELDS) % KEYPOINT_FIELDS == 0:
        why = f": a box and {(count - FIELDS) // KEYPOINT_FIELDS} keypoints (pose)?"
    return f"{count} {'field' if count == 1 else 'fields'}, expected 5 (class x y width height){why}"


def _hint_for(fields: list[str], wrong: list[str]) -> str:
    is_outline = not wrong and len(fields) > FIELDS_WITH_CONFIDENCE and len(fields) % 2
    return _BOX_HINT if is_outline else _CORRECT


def _require_size(width: float, height: float, where: str, written: str) -> None:
    for name, value in (("width", width), ("height", height)):
        if value <= 0:
            sign = "zero" if value == 0 else "negative"
            raise DatasetError(f"{where}: a box of {sign} {name}: {written}", hint=_CORRECT)


def _require_in_range(values: list[float], where: str, written: str) -> None:
    if max(values) > 1 + TOLERANCE and min(values) >= 0 and all(value > 1 or value == 0 for value in values):
        raise DatasetError(
            f"{where}: a box outside [0, 1]: {written}",
            hint="are these pixels? YOLO has fractions: divide x and width by the image's width, y and height by its "
            "height",
        )
    if max(values) > 1 + TOLERANCE or min(values) < -TOLERANCE:
        raise DatasetError(f"{where}: a box outside [0, 1]: {written}", hint=_CORRECT)


def _rounded(box: Box) -> Box:
    x, y, width, height = (round(value, LABEL_DECIMALS) for value in box.xywhn)
    return Box(class_id=box.class_id, xywhn=(x, y, width, height))


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
