"""All boxes of a split in flat columns, detections ranked, so that whole splits are matched and scored at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth, area_px

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_DETECTIONS = 100  # per image and class, as COCO's AP
AREA_DECIMALS = 6  # a box of exactly 32 x 32 px lies on the limit of its size range wherever it lies in the picture


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truths:
    """The annotated boxes of a split, (G,) rows: image index, (G, 4) pixel corners, class, area, crowd or not."""

    image: Ints
    boxes_xyxy: Boxes
    class_id: Ints
    area_px: Floats
    crowd: Flags


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranked:
    """The detections of a split, (D,) rows: by class, best confidence first; equal ones in the order of the images.

    `rank` counts, from 0, the detections of the same class in the same image.
    """

    image: Ints
    boxes_xyxy: Boxes
    class_id: Ints
    confidence: Floats
    area_px: Floats
    rank: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitBoxes:
    """Ground truth and detections of the same images; class indices are below `classes`."""

    images: tuple[str, ...]
    classes: int
    truths: Truths
    found: Ranked


def gather(
    truths: Sequence[GroundTruth],
    detections: Sequence[Detections],
    *,
    classes: int,
    max_detections: int = MAX_DETECTIONS,
) -> SplitBoxes:
    """Lay the boxes of a split side by side; of each image and class the best `max_detections` detections are kept.

    Both sequences hold one entry for each image, in the same order; raises `ValueError` where they do not pair up.
    """
    if any(t is None or d is None or t.image != d.image for t, d in zip_longest(truths, detections)):
        raise ValueError("ground truth and detections are not of the same images")
    table = SplitBoxes(
        images=tuple(truth.image for truth in truths),
        classes=classes,
        truths=_truths(truths),
        found=_ranked(detections, max_detections),
    )
    for column in (table.truths.class_id, table.found.class_id):
        if len(column) and not 0 <= column.min() <= column.max() < classes:
            raise ValueError(f"a class index is outside 0 to {classes - 1}")
    return table


def without_classes(table: SplitBoxes) -> SplitBoxes:
    """The same boxes as if all were of one class; detections by confidence, ranked again in each image."""
    found, truths = table.found, table.truths
    order = by_confidence(found)
    image = found.image[order]
    return SplitBoxes(
        images=table.images,
        classes=1,
        truths=Truths(
            image=truths.image,
            boxes_xyxy=truths.boxes_xyxy,
            class_id=np.zeros_like(truths.class_id),
            area_px=truths.area_px,
            crowd=truths.crowd,
        ),
        found=Ranked(
            image=image,
            boxes_xyxy=found.boxes_xyxy[order],
            class_id=np.zeros_like(found.class_id),
            confidence=found.confidence[order],
            area_px=found.area_px[order],
            rank=ranks(image),
        ),
    )


def by_confidence(found: Ranked) -> Ints:
    """The order, (D,), in which `without_classes` takes the rows: best first, equal ones in the order of the images."""
    return np.lexsort((found.image, -found.confidence))


def ranks(group: Ints) -> Ints:
    """For each row, (N,), how many earlier rows are of the same group."""
    order = np.argsort(group, kind="stable")
    starts, lengths = runs(group[order])
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = np.arange(len(group)) - np.repeat(starts, lengths)
    return rank


def runs(ordered: Ints) -> tuple[Ints, Ints]:
    """Where the runs of equal values begin, (R,), and how long they are, (R,)."""
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    return starts, np.diff(np.append(starts, len(ordered)))


def _truths(truths: Sequence[GroundTruth]) -> Truths:
    boxes = _joined([truth.boxes_xyxy for truth in truths], (0, 4))
    areas = [area_px(truth.boxes_xyxy) if truth.areas_px is None else truth.areas_px for truth in truths]
    crowds = [np.zeros(len(truth.class_ids)) if truth.crowds is None else truth.crowds for truth in truths]
    return Truths(
        image=_image_index([len(truth.class_ids) for truth in truths]),
        boxes_xyxy=boxes,
        class_id=_joined([truth.class_ids for truth in truths], (0,)).astype(np.int64),
        area_px=np.round(_joined(areas, (0,)), AREA_DECIMALS),
        crowd=_joined(crowds, (0,)).astype(bool),
    )


def _ranked(detections: Sequence[Detections], max_detections: int) -> Ranked:
    image = _image_index([len(found.class_ids) for found in detections])
    class_id = _joined([found.class_ids for found in detections], (0,)).astype(np.int64)
    confidence = _joined([found.confidences for found in detections], (0,))
    boxes = _joined([found.boxes_xyxy for found in detections], (0, 4))
    order = np.lexsort((-confidence, class_id))  # stable: equal ones stay in the order of the images
    rank = ranks(class_id[order] * max(1, len(detections)) + image[order])
    kept = rank < max_detections
    order = order[kept]
    return Ranked(
        image=image[order],
        boxes_xyxy=boxes[order],
        class_id=class_id[order],
        confidence=confidence[order],
        area_px=np.round(area_px(boxes[order]), AREA_DECIMALS),
        rank=rank[kept],
    )


def _image_index(counts: Sequence[int]) -> Ints:
    return np.repeat(np.arange(len(counts)), counts)


def _joined(columns: Sequence[npt.NDArray[np.generic]], empty: tuple[int, ...]) -> Floats:
    return np.concatenate([np.empty(empty), *columns])
