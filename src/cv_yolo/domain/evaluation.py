"""What a model scores on one split of one revision of the data."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.dataset import Split
from cv_yolo.domain.metrics import (
    MatchedClass,
    OperatingPoint,
    average_precision,
    best_operating_point,
    interpolated_precision,
    match_split,
)
from cv_yolo.errors import EvaluationFailedError


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSettings:
    """How detections are made: everything but the weights and the images that determines them."""

    image_size_px: int
    confidence_threshold: float = 0.001
    nms_iou_threshold: float = 0.7
    max_detections: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Average precision of one class at IoU 0.5, and averaged over IoU 0.50:0.95, with the precision-recall curve.

    `precision_at_recall` has 101 values at the recalls 0.00, 0.01, … 1.00, at IoU 0.5.
    """

    name: str
    truths: int
    ap_50: float
    ap_50_95: float
    precision_at_recall: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The scores of one model, and exactly what they were measured on and with.

    `operating_point` is absent where the model detected nothing. Classes without annotated boxes are absent.
    """

    revision: str
    split: Split
    images: int
    weights_sha256: str
    settings: PredictionSettings
    per_class: tuple[ClassScores, ...]
    operating_point: OperatingPoint | None

    def __post_init__(self) -> None:
        if not self.per_class:
            raise EvaluationFailedError(f"no annotated boxes in the split {self.split}: nothing can be scored")
        if not all(math.isfinite(value) for value in self.scores().values()):
            raise EvaluationFailedError(f"a score is not finite: {self.scores()}")

    @property
    def map_50(self) -> float:
        """Mean over the classes of the average precision at IoU 0.5."""
        return sum(scores.ap_50 for scores in self.per_class) / len(self.per_class)

    @property
    def map_50_95(self) -> float:
        """Mean over the classes and the IoU thresholds 0.50:0.05:0.95 of the average precision."""
        return sum(scores.ap_50_95 for scores in self.per_class) / len(self.per_class)

    def scores(self) -> dict[str, float]:
        """The figures by name, without those that could not be computed."""
        scores = {"map_50": self.map_50, "map_50_95": self.map_50_95}
        if point := self.operating_point:
            scores |= {
                "precision": point.precision,
                "recall": point.recall,
                "f1": point.f1,
                "confidence_threshold": point.confidence_threshold,
            }
        return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What an evaluation is about: the data, the model and how it predicts."""

    revision: str
    split: Split
    classes: tuple[str, ...]
    weights_sha256: str
    settings: PredictionSettings


def evaluate_detections(
    measured: Measured, truths: Sequence[GroundTruth], detections: Sequence[Detections]
) -> Evaluation:
    """Score detections against ground truth, image by image in the same order.

    Raises `EvaluationFailedError` where there is nothing to score.
    """
    matched = match_split(truths, detections)
    return Evaluation(
        revision=measured.revision,
        split=measured.split,
        images=len(truths),
        weights_sha256=measured.weights_sha256,
        settings=measured.settings,
        per_class=tuple(_class_scores(each, measured.classes[each.class_id]) for each in matched),
        operating_point=best_operating_point(matched),
    )


def _class_scores(matched: MatchedClass, name: str) -> ClassScores:
    precision = average_precision(matched)
    return ClassScores(
        name=name,
        truths=matched.truths,
        ap_50=float(precision[0]),
        ap_50_95=float(precision.mean()),
        precision_at_recall=tuple(interpolated_precision(matched.correct[0], matched.truths).tolist()),
    )
