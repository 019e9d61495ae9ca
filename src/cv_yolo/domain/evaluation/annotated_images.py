"""What a detector in use makes of each image: which boxes it finds, misses and makes up, for people to look at."""

from dataclasses import dataclass, replace

import numpy as np

from cv_yolo.domain.evaluation.error_types import ErrorType, classify_errors
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.split_boxes import SplitBoxes

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedTruth:
    """An annotated box: pixel corners, class, and whether a detection claims it; of a crowd that is not asked for."""

    xyxy: Corners
    class_id: int
    found: bool
    crowd: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedDetection:
    """A detected box: pixel corners, class, confidence, and in which way it is wrong (None where it is right)."""

    xyxy: Corners
    class_id: int
    confidence: float
    error: ErrorType | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedImage:
    """One image with its annotated and its detected boxes."""

    image: str
    truths: tuple[AnnotatedTruth, ...]
    detections: tuple[AnnotatedDetection, ...]

    @property
    def misses(self) -> int:
        """Annotated boxes that nothing claims."""
        return sum(not mark.found and not mark.crowd for mark in self.truths)

    @property
    def false_positives(self) -> int:
        """Detections that are wrong."""
        return sum(mark.error is not None for mark in self.detections)

    @property
    def errors(self) -> int:
        """Misses and false positives together."""
        return self.misses + self.false_positives


def annotate_images(table: SplitBoxes, *, confidence_threshold: float | None) -> tuple[AnnotatedImage, ...]:
    """The marks of each image, in order, for the detections with at least that confidence (None: for none)."""
    table = in_use(table, confidence_threshold)
    truths, found = table.truths, table.found
    matching = match(table, find_overlaps(table, least=float(IOU_THRESHOLDS[0])), iou_thresholds=IOU_THRESHOLDS[:1])
    claimed = np.zeros(len(truths.image), dtype=bool)
    claimed[matching.truth] = True
    kinds = classify_errors(table).errors
    annotated_truths = [
        AnnotatedTruth(xyxy=_corners(box), class_id=int(class_id), found=bool(is_claimed), crowd=bool(crowd))
        for box, class_id, is_claimed, crowd in zip(
            truths.boxes_xyxy, truths.class_id, claimed, truths.crowd, strict=True
        )
    ]
    annotated_detections = [
        AnnotatedDetection(xyxy=_corners(box), class_id=int(class_id), confidence=float(confidence), error=kind)
        for box, class_id, confidence, kind in zip(
            found.boxes_xyxy, found.class_id, found.confidence, kinds, strict=True
        )
    ]
    return tuple(
        AnnotatedImage(
            image=image,
            truths=tuple(annotated_truths[row] for row in np.flatnonzero(truths.image == index)),
            detections=tuple(annotated_detections[row] for row in np.flatnonzero(found.image == index)),
        )
        for index, image in enumerate(table.images)
    )


def in_use(table: SplitBoxes, confidence_threshold: float | None) -> SplitBoxes:
    """The same boxes without the detections below the threshold (None: without any)."""
    sure = table.found.confidence >= (np.inf if confidence_threshold is None else confidence_threshold)
    found = {name: getattr(table.found, name)[sure] for name in table.found.__slots__}
    return replace(table, found=replace(table.found, **found))


def _corners(box: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Corners:
    x1, y1, x2, y2 = (round(float(value), 2) for value in box)
    return x1, y1, x2, y2
