"""What is in a picture: boxes, as annotated and as detected, and their overlap."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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

    @property
    def trained_on(self) -> npt.NDArray[np.bool_]:
        """(N,), which boxes a training learns: all but crowds, as COCO's own trainings do."""
        return np.ones(len(self.class_ids), dtype=np.bool_) if self.crowds is None else ~self.crowds


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


def _require_rows(image: str, boxes: Boxes, *columns: npt.NDArray[np.generic]) -> None:
    if boxes.shape != (len(boxes), 4) or any(column.shape != (len(boxes),) for column in columns):
        raise ValueError(f"{image}: boxes must be (N, 4) and every column (N,)")
