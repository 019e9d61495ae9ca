"""Precision, recall and F1 of a detector in use: of the detections with at least a stated confidence, at IoU 0.5."""

from collections.abc import Mapping

import numpy as np

from cv_yolo.domain.evaluation.catalogue import IN_USE
from cv_yolo.domain.evaluation.intervals import Measure
from cv_yolo.domain.evaluation.matching import Matching
from cv_yolo.domain.evaluation.metrics import count_table, truth_counts
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, SplitBoxes


def best_confidence_threshold(table: SplitBoxes, matching: Matching) -> float | None:
    """The confidence at which F1, over all classes together, is highest; None where nothing was detected.

    Of equal ones the highest, so that a detector is not credited for guesses that change nothing.
    """
    right, listed = right_and_listed(table, matching)
    confidence = table.found.confidence[listed]
    if not len(confidence):
        return None
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last_of_equal = np.append(np.diff(ranked) != 0, True)
    truths = np.count_nonzero(~matching.ignored)
    f1 = 2 * np.cumsum(right[listed][order]) / (np.arange(1, len(order) + 1) + truths)
    return float(ranked[int(np.argmax(np.where(last_of_equal, f1, -1.0)))])


def right_and_listed(table: SplitBoxes, matching: Matching) -> tuple[Flags, Flags]:
    """For each detection, (D,), at the first IoU threshold: whether it is right, and whether it counts at all."""
    claims = matching.threshold == 0
    detection, ignored = matching.detection[claims], matching.ignored[matching.truth[claims]]
    right, listed = np.zeros(len(table.found.image), dtype=bool), ~matching.outside
    right[detection] = ~ignored
    listed[detection] = ~ignored
    return right, listed


def in_use_measure(
    table: SplitBoxes, matchings: Mapping[str, Matching], classes: tuple[str, ...], *, confidence_threshold: float
) -> Measure:
    """Precision, recall and F1: overall, of each class, and of each further matching by its name (`size/small`).

    The matching without a name is the one over all sizes. Precision is NaN without detections, recall without truths.
    """
    counts = {name: _counts(table, matching, confidence_threshold) for name, matching in matchings.items()}
    whole = {f"{name}/" if name else "": tuple(part.sum(axis=1, keepdims=True) for part in each)
             for name, each in counts.items()}  # fmt: skip
    by_class = {f"class/{name}/": tuple(part[:, [index]] for part in counts[""]) for index, name in enumerate(classes)}
    groups = whole | by_class
    right, predicted, truths = (np.concatenate(parts, axis=1) for parts in zip(*groups.values(), strict=True))
    return Measure(
        names=tuple(f"{group}{figure}" for figure in IN_USE for group in groups),
        compute=lambda draws: _rates(draws @ right, draws @ predicted, draws @ truths),
    )


def _counts(table: SplitBoxes, matching: Matching, confidence_threshold: float) -> tuple[Floats, Floats, Floats]:
    """Right detections, all detections and truths of each image and class, (n, K) each."""
    right, listed = right_and_listed(table, matching)
    sure = table.found.confidence >= confidence_threshold
    image, class_id = table.found.image, table.found.class_id
    right, listed = right & sure, listed & sure
    return (
        count_table(table, image[right], class_id[right]),
        count_table(table, image[listed], class_id[listed]),
        truth_counts(table, ~matching.ignored),
    )


def _rates(right: Floats, predicted: Floats, truths: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([right / predicted, right / truths, 2 * right / (predicted + truths)], axis=1)
