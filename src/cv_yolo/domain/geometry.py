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
    """Areas in square pixels, (N,), of (N, 4) pixel corners."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    return np.asarray(size[:, 0] * size[:, 1], dtype=np.float64)


def iou(first: Boxes, second: Boxes) -> npt.NDArray[np.float64]:
    """Intersection over union, (N, M), of (N, 4) and (M, 4) pixel corners; 0 where both areas are 0.

    Source: Everingham et al., "The PASCAL Visual Object Classes Challenge", IJCV 2010, section 4.2.
    """
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.maximum(high - low, 0.0)
    intersection = size[..., 0] * size[..., 1]
    union = area_px(first)[:, None] + area_px(second)[None, :] - intersection
    overlap: npt.NDArray[np.float64] = np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
    return overlap
