"""Precision, recall and average precision from matched detections, after COCO's definitions.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the code of pycocotools' `COCOeval`,
with which the tests compare these figures.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.geometry import iou
from cv_yolo.domain.matching import UNMATCHED, match_greedily

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_POINTS = np.linspace(0.0, 1.0, 101)
MAX_DETECTIONS = 100  # per image and class, as COCO's AP

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchedClass:
    """All detections of one class over a split, best confidence first, and which of them are right.

    `confidences` is (D,), `correct` (T, D) at each of `IOU_THRESHOLDS`, `truths` the number of annotated boxes.
    """

    class_id: int
    confidences: Floats
    correct: npt.NDArray[np.bool_]
    truths: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Precision, recall and F1 (IoU >= 0.5) of the detections with at least this confidence."""

    confidence_threshold: float
    precision: float
    recall: float
    f1: float


def match_split(truths: Sequence[GroundTruth], detections: Sequence[Detections]) -> tuple[MatchedClass, ...]:
    """Match each image of a split, class by class; a class without annotated boxes is left out.

    Both sequences hold one entry for each image, in the same order; raises `ValueError` where they do not pair up.
    """
    pairs = list(zip_longest(truths, detections))
    if any(truth is None or found is None or truth.image != found.image for truth, found in pairs):
        raise ValueError("ground truth and detections are not of the same images")
    classes = sorted({int(class_id) for truth in truths for class_id in truth.class_ids})
    return tuple(_match_class(class_id, pairs) for class_id in classes)


def average_precision(matched: MatchedClass) -> Floats:
    """COCO's 101-point interpolated average precision, (T,), one value for each of `IOU_THRESHOLDS`."""
    return np.array([interpolated_precision(row, matched.truths).mean() for row in matched.correct])


def interpolated_precision(correct: npt.NDArray[np.bool_], truths: int) -> Floats:
    """Precision, (101,), at `RECALL_POINTS`: the best precision at that recall or above, 0 beyond the last recall."""
    right = np.cumsum(correct, dtype=np.float64)
    precision = right / (np.arange(1, len(correct) + 1) + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(right / truths, RECALL_POINTS, side="left")
    return np.append(envelope, 0.0)[np.minimum(first, len(correct))]


def best_operating_point(matched: Iterable[MatchedClass]) -> OperatingPoint | None:
    """The confidence at which F1, over all classes together at IoU >= 0.5, is highest; None without detections.

    Of equal ones the highest confidence, so that a detector is not credited for guesses that change nothing.
    """
    classes = list(matched)
    confidences = np.concatenate([each.confidences for each in classes]) if classes else np.empty(0)
    if not len(confidences):
        return None
    order = np.argsort(-confidences, kind="stable")
    right = np.cumsum(np.concatenate([each.correct[0] for each in classes])[order], dtype=np.float64)
    last_of_equal = np.append(np.diff(confidences[order]) != 0, True)
    predicted, truths = np.arange(1, len(order) + 1), sum(each.truths for each in classes)
    f1 = np.where(last_of_equal, 2 * right / (predicted + truths), -1.0)
    best = int(np.argmax(f1))
    return OperatingPoint(
        confidence_threshold=float(confidences[order][best]),
        precision=float(right[best] / predicted[best]),
        recall=float(right[best] / truths),
        f1=float(f1[best]),
    )


def _match_class(class_id: int, pairs: Sequence[tuple[GroundTruth, Detections]]) -> MatchedClass:
    confidences, correct, truths = [], [], 0
    for truth, found in pairs:
        annotated = truth.boxes_xyxy[truth.class_ids == class_id]
        mine = np.flatnonzero(found.class_ids == class_id)
        mine = mine[np.argsort(-found.confidences[mine], kind="stable")][:MAX_DETECTIONS]
        claims = match_greedily(iou(found.boxes_xyxy[mine], annotated), IOU_THRESHOLDS)
        confidences.append(found.confidences[mine])
        correct.append(claims != UNMATCHED)
        truths += len(annotated)
    together = np.concatenate(confidences)
    order = np.argsort(-together, kind="stable")
    return MatchedClass(
        class_id=class_id, confidences=together[order], correct=np.concatenate(correct, axis=1)[:, order], truths=truths
    )
