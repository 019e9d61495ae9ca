"""Boxes: pixel corners (`xyxy`), normalised centre and size (`xywhn`), and intersection over union."""

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
