"""What a model scores on one split of one revision of the data, with an interval for every figure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.all_metrics import DETECTION_LIMITS, Matched, all_figures, match_all_sizes
from cv_yolo.domain.evaluation.confusion import confusion_measure
from cv_yolo.domain.evaluation.intervals import Bootstrapped, Estimate, Measure, Resampling, bootstrap, estimates
from cv_yolo.domain.evaluation.metrics import RECALL_POINTS, Ranking, precision_at_recall
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, gather
from cv_yolo.errors import EvaluationFailedError

EVALUATION_VERSION: Final = "2"  # counts up when the same weights and data get other detections or figures
CURVE_RESAMPLES: Final = 200  # a band for the eye needs no more
CURVE_DECIMALS: Final = 4
SQUARE: Final = "square"
BATCH: Final = "batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionSettings:
    """How detections are made: everything but the weights and the images that determines them.

    `letterbox` is how an image comes to the size: `square`, each alone, padded to the square of `image_size_px`.
    Earlier versions padded by `batch`, to a shape that depended on the images beside it.
    """

    image_size_px: int
    confidence_threshold: float = 0.001
    nms_iou_threshold: float = 0.7
    max_detections: int = 300
    letterbox: str = SQUARE


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an evaluation is about: the data, the model and how it predicts.

    `split` is None where the images are those of an annotations file, and no split of a data set: `revision` and
    `split_revision` are then the hash of that file, and `weights_sha256` is that of the detections.
    `split_revision` is the content hash of the split alone, `predictor` the library that found the boxes, with its
    version; `settings` are absent where the detections were made elsewhere, in an unknown way. `latency_ms` is the
    median time for one image, `size_bytes` the size of the weights file. `classes` are the data set's;
    `detector_classes` are the detector's own, by its ids (None in records of earlier versions), and
    `ignored_detections` counts those of classes that the data set does not name. `trusted` weights were allowed to run
    code when they were loaded.
    """

    revision: str
    split_revision: str
    split: Split | None
    classes: tuple[str, ...]
    predictor: str
    weights_sha256: str
    settings: PredictionSettings | None = None
    latency_ms: float | None = None
    size_bytes: int | None = None
    trusted: bool = False
    detector_classes: tuple[str, ...] | None = field(default=None, repr=False)  # no part of what identifies it
    ignored_detections: int = field(default=0, repr=False)

    @property
    def image_noun(self) -> str:
        """What one of the images is called: `test image`."""
        return "image" if self.split is None else f"{self.split} image"

    @property
    def ignored_classes(self) -> tuple[str, ...]:
        """What the detector knows and the data set does not name."""
        return tuple(name for name in self.detector_classes or () if name not in self.classes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecallCurve:
    """Precision of one class at `RECALL_POINTS`, (101,), at IoU 0.5, with the band in which it lies; 0 beyond reach."""

    name: str
    truths: int
    precision: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The figures of one model, and exactly what they were measured on and with.

    `figures` are named as in `all_metrics`; what could not be computed is absent. `confidence_threshold` is the one in
    use (None where none was chosen: then there are no figures in use). `confusion` counts boxes by
    `confusion/<truth>/<predicted>`; `slices` says how many images each slice has.
    """

    subject: Subject
    images: int
    truths: int
    resampling: Resampling
    confidence_threshold: float | None
    figures: dict[str, Estimate]
    curves: tuple[PrecisionRecallCurve, ...]
    confusion: dict[str, Estimate] = field(default_factory=dict)
    slices: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """A short name for exactly this: same data, detections' origin, threshold and evaluator, same id."""
        subject = replace(self.subject, latency_ms=None, size_bytes=None)
        limits = sorted(name for name in self.figures if name.startswith("ar_"))
        identity = repr((EVALUATION_VERSION, subject, self.resampling, self.confidence_threshold, limits))
        return hashlib.sha256(identity.encode()).hexdigest()[:12]

    def scores(self) -> dict[str, float]:
        """The main figures by name, without intervals: what tables and trackers show."""
        main = {name: estimate.value for name, estimate in self.figures.items() if "/" not in name}
        return main | ({} if self.confidence_threshold is None else {"confidence_threshold": self.confidence_threshold})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """An evaluation with what it was computed from, so that another one can be compared with it image by image."""

    evaluation: Evaluation
    matched: Matched
    bootstrapped: Bootstrapped


def score(
    subject: Subject,
    truths: Sequence[GroundTruth],
    detections: Sequence[Detections],
    *,
    resampling: Resampling,
    slices: Mapping[str, Flags] | None = None,
    confidence_threshold: float | None = None,
    detection_limits: tuple[int, ...] = DETECTION_LIMITS,
) -> Scored:
    """Score detections against ground truth, image by image in the same order.

    Without a `confidence_threshold` val, and val alone, chooses the one with the best F1. `slices` maps
    `column=value` to the images, (n,), that have it. Of each image and class as many detections count as the largest of
    `detection_limits`. Raises `EvaluationFailedError` where there is nothing to score.
    """
    table = gather(truths, detections, classes=len(subject.classes), max_detections=max(detection_limits))
    matched = match_all_sizes(table, detection_limits=detection_limits)
    asked = int(np.count_nonzero(~matched.table.truths.crowd))
    if not asked:
        where = "" if subject.split is None else f" in the split {subject.split}"
        raise EvaluationFailedError(f"no annotated boxes{where}: nothing can be scored")
    threshold = confidence_threshold
    if threshold is None and subject.split is Split.VAL:
        threshold = matched.best_confidence_threshold
    measure = all_figures(matched, subject.classes, slices or {}, confidence_threshold=threshold)
    found = bootstrap(measure, images=len(truths), resampling=resampling)
    evaluation = Evaluation(
        subject=subject,
        images=len(truths),
        truths=asked,
        resampling=resampling,
        confidence_threshold=threshold,
        figures=estimates(found, confidence=resampling.confidence),
        curves=_curves(matched.ranking(), subject.classes, resampling),
        confusion=_confusion(matched, threshold, resampling),
        slices={name: int(images.sum()) for name, images in (slices or {}).items()},
    )
    return Scored(evaluation=evaluation, matched=matched, bootstrapped=found)


def _confusion(matched: Matched, threshold: float | None, resampling: Resampling) -> dict[str, Estimate]:
    if threshold is None:
        return {}
    measure = confusion_measure(matched.table, confidence_threshold=threshold)
    found = bootstrap(measure, images=len(matched.table.images), resampling=resampling)
    return estimates(found, confidence=resampling.confidence)


def _curves(ranking: Ranking, classes: tuple[str, ...], resampling: Resampling) -> tuple[PrecisionRecallCurve, ...]:
    """The precision-recall curve of each class with truth, with its band at the confidence of the resampling."""

    def compute(draws: Floats) -> Floats:
        return precision_at_recall(ranking, draws).reshape(len(draws), -1)

    names = tuple(f"{name}/{point}" for name in classes for point in range(len(RECALL_POINTS)))
    measure = Measure(names=names, compute=compute, cells=len(ranking.wrong_image))
    few = replace(resampling, resamples=min(CURVE_RESAMPLES, resampling.resamples))
    found = bootstrap(measure, images=len(ranking.truths), resampling=few)
    tails = ((1 - resampling.confidence) / 2, (1 + resampling.confidence) / 2)
    shape = (-1, len(classes), len(RECALL_POINTS))
    point, samples = found.point.reshape(shape)[0], found.samples.reshape(shape)
    present = np.flatnonzero(~np.isnan(point[:, 0]))
    return tuple(
        PrecisionRecallCurve(
            name=classes[index],
            truths=int(ranking.truths[:, index].sum()),
            precision=_rounded(point[index]),
            low=_rounded(np.nanquantile(samples[:, index], tails[0], axis=0)),
            high=_rounded(np.nanquantile(samples[:, index], tails[1], axis=0)),
        )
        for index in present
    )


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(np.round(values, CURVE_DECIMALS).tolist())
