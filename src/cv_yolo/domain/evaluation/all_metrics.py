"""Which metrics an evaluation has: those of the other modules, collected by class, size, slice and error type.

What each name means is in `catalogue`; this computes them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cv_yolo.domain.evaluation.calibration import calibration_measure
from cv_yolo.domain.evaluation.catalogue import ALL_THRESHOLDS, Metric, Scope, averages
from cv_yolo.domain.evaluation.error_types import error_measure
from cv_yolo.domain.evaluation.intervals import Measure, together
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, Matching, find_overlaps, match
from cv_yolo.domain.evaluation.metrics import Ranking, average_precision, rank_matches, recall
from cv_yolo.domain.evaluation.operating_point import best_confidence_threshold, in_use_measure
from cv_yolo.domain.evaluation.split_boxes import MAX_DETECTIONS, Flags, Floats, SplitBoxes

AREA_RANGES_PX: Final = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e5**2)}
DETECTION_LIMITS: Final = (1, 10, MAX_DETECTIONS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matched:
    """The boxes of a split, matched over all sizes (the key is empty) and in each size range (`size/small`, …).

    `detection_limits` are numbers of detections in an image and class at which average recall is measured.
    """

    table: SplitBoxes
    matchings: dict[str, Matching]
    detection_limits: tuple[int, ...] = DETECTION_LIMITS

    @property
    def best_confidence_threshold(self) -> float | None:
        """The confidence at which F1 is highest; None where nothing was detected."""
        return best_confidence_threshold(self.table, self.matchings[""])

    def ranking(self, size: str = "", *, max_detections: int | None = None) -> Ranking:
        """The ranking in one size range."""
        return rank_matches(self.table, self.matchings[size], max_detections=max_detections)


def match_all_sizes(table: SplitBoxes, *, detection_limits: tuple[int, ...] = DETECTION_LIMITS) -> Matched:
    """Match a split over all sizes and in each of COCO's size ranges."""
    overlaps = find_overlaps(table, least=float(IOU_THRESHOLDS[0]))
    ranges = {"": None} | {f"size/{name}": limits for name, limits in AREA_RANGES_PX.items()}
    return Matched(
        table=table,
        matchings={name: match(table, overlaps, area_range_px=limits) for name, limits in ranges.items()},
        detection_limits=detection_limits,
    )


def all_figures(
    matched: Matched, classes: tuple[str, ...], slices: Mapping[str, Flags], *, confidence_threshold: float | None
) -> Measure:
    """Every figure; those in use and of calibration only where there is a confidence threshold.

    `slices` maps `column=value` to the images, (n,), that have it.
    """
    table, overall = matched.table, matched.matchings[""]
    measures = [coco_measure(matched), _class_measure(matched.ranking(), classes), error_measure(table)]
    measures += [
        _slice_measure(only_images(table, images), name, confidence_threshold) for name, images in slices.items()
    ]
    if confidence_threshold is not None:
        measures += [
            in_use_measure(table, matched.matchings, classes, confidence_threshold=confidence_threshold),
            calibration_measure(table, overall, confidence_threshold=confidence_threshold),
        ]
    return together(measures)


def coco_measure(matched: Matched) -> Measure:
    """COCO's twelve figures; NaN where the draw has no truth of the kind."""
    overall = matched.ranking()
    sized = {name: matched.ranking(f"size/{name}") for name in AREA_RANGES_PX}
    limited = {limit: matched.ranking(max_detections=limit) for limit in matched.detection_limits}

    def compute(draws: Floats) -> Floats:
        precisions = average_precision(overall, draws)
        columns = [_mean(precisions[:, _places(metric)]) for metric in averages(Scope.SPLIT)]
        columns += [_mean(average_precision(ranking, draws)) for ranking in sized.values()]
        columns += [_mean(recall(ranking, draws)) for ranking in (*limited.values(), *sized.values())]
        return np.stack(columns, axis=1)

    names = [*(metric.name for metric in averages(Scope.SPLIT)), *(f"map_{name}" for name in sized)]
    names += [*(f"ar_{limit}" for limit in limited), *(f"ar_{name}" for name in sized)]
    return Measure(names=tuple(names), compute=compute, cells=_cells(overall))


def main_measure(table: SplitBoxes, *, confidence_threshold: float | None) -> Measure:
    """`map_50_95`, `map_50` and, with a threshold, precision, recall and F1: what many models are compared by."""
    measured = averages(Scope.SLICE)
    matching = match(table, find_overlaps(table, least=float(IOU_THRESHOLDS[0])))
    ranking = rank_matches(table, matching)

    def compute(draws: Floats) -> Floats:
        precisions = average_precision(ranking, draws)
        return np.stack([_mean(precisions[:, _places(metric)]) for metric in measured], axis=1)

    parts = [Measure(names=tuple(metric.name for metric in measured), compute=compute, cells=_cells(ranking))]
    if confidence_threshold is not None:
        parts.append(in_use_measure(table, {"": matching}, (), confidence_threshold=confidence_threshold))
    return together(parts)


def only_images(table: SplitBoxes, images: Flags) -> SplitBoxes:
    """The boxes of some of the images, (n,); the others stay as images without boxes."""
    truths, found = images[table.truths.image], images[table.found.image]
    return replace(
        table,
        truths=replace(table.truths, **{name: getattr(table.truths, name)[truths] for name in table.truths.__slots__}),
        found=replace(table.found, **{name: getattr(table.found, name)[found] for name in table.found.__slots__}),
    )


def _class_measure(ranking: Ranking, classes: tuple[str, ...]) -> Measure:
    """The average precisions of each class."""
    measured = averages(Scope.CLASS)

    def compute(draws: Floats) -> Floats:
        precisions = average_precision(ranking, draws)
        return np.concatenate([precisions[:, _places(metric)].mean(axis=1) for metric in measured], axis=1)

    names = tuple(f"class/{name}/{metric.name}" for metric in measured for name in classes)
    return Measure(names=names, compute=compute, cells=_cells(ranking))


def _slice_measure(table: SplitBoxes, name: str, confidence_threshold: float | None) -> Measure:
    whole = main_measure(table, confidence_threshold=confidence_threshold)
    return replace(whole, names=tuple(f"slice/{name}/{figure}" for figure in whole.names))


def _places(metric: Metric) -> list[int]:
    """The metric's IoU thresholds by their place in `IOU_THRESHOLDS`."""
    return [ALL_THRESHOLDS.index(threshold) for threshold in metric.iou_thresholds]


def _mean(figures: Floats) -> Floats:
    """The mean, (B,), over what is defined in (B, …); NaN where nothing is."""
    flat = figures.reshape(len(figures), -1)
    known = ~np.isnan(flat)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, flat, 0.0).sum(axis=1) / known.sum(axis=1))


def _cells(ranking: Ranking) -> int:
    return len(ranking.wrong_image) + len(ranking.claim_image)
