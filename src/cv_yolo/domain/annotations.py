"""What is in a picture according to its annotator and according to a detector, and YOLO's label text."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.geometry import Boxes
from cv_yolo.errors import DatasetError

FIELDS = 5  # class, centre x, centre y, width, height


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One annotated box in YOLO's words: class index, normalised centre and size (`xywhn`)."""

    class_id: int
    xywhn: tuple[float, float, float, float]


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


def parse_label_text(text: str, *, source: str, class_count: int) -> tuple[Box, ...]:
    """Read YOLO label text; raises `DatasetError` that names source and line of the first wrong one."""
    lines = ((number, line.split()) for number, line in enumerate(text.splitlines(), start=1))
    return tuple(_parse_fields(fields, f"{source}:{number}", class_count) for number, fields in lines if fields)


def format_label_text(boxes: tuple[Box, ...]) -> str:
    """Write boxes as YOLO label text, a line each, six decimals."""
    return "".join(f"{box.class_id} " + " ".join(f"{value:.6f}" for value in box.xywhn) + "\n" for box in boxes)


def _parse_fields(fields: list[str], where: str, class_count: int) -> Box:
    if len(fields) != FIELDS:
        raise DatasetError(f"{where}: {len(fields)} fields, expected {FIELDS} (class x y width height)")
    try:
        class_id, values = int(fields[0]), [float(field) for field in fields[1:]]
    except ValueError:
        raise DatasetError(f"{where}: not numbers: {' '.join(fields)}") from None
    if not 0 <= class_id < class_count:
        raise DatasetError(f"{where}: class {class_id}, but data.yaml names the classes 0 to {class_count - 1}")
    if not all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in values) or min(values[2:]) <= 0.0:
        raise DatasetError(f"{where}: a box outside [0, 1]: {' '.join(fields[1:])}")
    return Box(class_id=class_id, xywhn=(values[0], values[1], values[2], values[3]))


def _require_rows(image: str, boxes: Boxes, *columns: npt.NDArray[np.generic]) -> None:
    if boxes.shape != (len(boxes), 4) or any(column.shape != (len(boxes),) for column in columns):
        raise ValueError(f"{image}: boxes must be (N, 4) and every column (N,)")
