"""What kind of error each wrong detection and each missed box is, and what each kind costs.

The cost of a kind is what the mean average precision at IoU 0.5 would gain if its errors, and they alone, were fixed.
The kinds are defined and fixed as in the reference implementation (`tidecv`), with one exception: a detection that
claims a crowd is neither right nor wrong, so it is an error of no kind.

Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.evaluation.intervals import Measure
from cv_yolo.domain.evaluation.matching import Matching, Overlaps, find_overlaps, match
from cv_yolo.domain.evaluation.metrics import Ranking, average_precision, count_table, truth_counts
from cv_yolo.domain.evaluation.operating_point import right_and_listed
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, Ints, SplitBoxes, runs

FOREGROUND_IOU: Final = 0.5
BACKGROUND_IOU: Final = 0.1
NO_TRUTH: Final = -1
COST_DECIMALS: Final = 12  # what lies beyond is rounding: a type that costs nothing costs exactly nothing


class ErrorType(StrEnum):
    """In which way a detection is wrong, or that an annotated box was missed."""

    CLASSIFICATION = "classification"  # on a box of another class
    LOCALISATION = "localisation"  # near a box of its class, but not near enough
    BOTH = "both"  # near a box of another class, but not near enough
    DUPLICATE = "duplicate"  # on a box of its class that a surer detection claims
    BACKGROUND = "background"  # near nothing
    MISSED = "missed"  # a box that nothing claims, nor would if its class or its place were right


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorTable:
    """For each detection, (D,), its `ErrorType` or None; for each annotated box, (G,), whether it is `missed`.

    `right`, (D,), are the detections that claim a box that is asked for; what is neither right nor an error claims a
    crowd. `repairs`, (D,), is the box that a detection claims once its error is fixed, or `NO_TRUTH`: of all
    classification and localisation errors at a box that nothing claims, only the surest does.
    """

    errors: npt.NDArray[np.object_]
    right: Flags
    repairs: Ints
    missed: Flags

    def of(self, kind: ErrorType | None) -> Flags:
        """The detections, (D,), with this type of error; with None those without any."""
        return np.asarray(self.errors == kind, dtype=bool)


def error_measure(table: SplitBoxes) -> Measure:
    """How many errors there are of each type, `error/<type>/count`, and what they cost, `error/<type>/cost`.

    A cost is a difference of mean average precisions over the classes with truth, so between 0 and 1. A class of which
    every box is missed leaves the mean when they are taken out, unless it has false positives, which keep it at 0.
    NaN where a draw leaves no class.
    """
    found = classify_errors(table)
    counts, wrong = _counts(table, found), ~found.of(None)
    wrong_by_class = count_table(table, table.found.image[wrong], table.found.class_id[wrong])
    rankings = [_ranking_with(table, found, fixed=kind) for kind in (None, *ErrorType)]

    def compute(draws: Floats) -> Floats:
        stays = (draws @ rankings[0].truths > 0) & (draws @ wrong_by_class > 0)
        before, *after = (_mean_average_precision(ranking, draws, stays) for ranking in rankings)
        costs = np.round(np.stack(after, axis=1) - before[:, None], COST_DECIMALS)
        return np.concatenate([draws @ counts, costs], axis=1)

    return Measure(
        names=tuple(f"error/{kind}/{figure}" for figure in ("count", "cost") for kind in ErrorType),
        compute=compute,
        cells=len(rankings[0].wrong_image) + len(rankings[0].claim_image),
    )


def classify_errors(table: SplitBoxes) -> ErrorTable:
    """Find for each detection in which way it is wrong, and for each annotated box whether it is missed."""
    near = find_overlaps(table, least=BACKGROUND_IOU, across_classes=True)
    same_class = table.found.class_id[near.detection] == table.truths.class_id[near.truth]
    matching = match(table, _only(near, same_class), iou_thresholds=np.array([FOREGROUND_IOU]))
    right, listed = right_and_listed(table, matching)
    asked = ~matching.ignored[near.truth]
    own_iou, own_truth = _nearest(table, _only(near, asked & same_class))
    other_iou, other_truth = _nearest(table, _only(near, asked & ~same_class))

    errors = np.full(len(right), None, dtype=object)
    wrong = listed & ~right
    # in the reverse of the reference's order: the later ones prevail
    errors[wrong] = ErrorType.BOTH
    errors[wrong & (np.maximum(own_iou, other_iou) <= BACKGROUND_IOU)] = ErrorType.BACKGROUND
    errors[wrong & (own_iou >= FOREGROUND_IOU)] = ErrorType.DUPLICATE
    errors[wrong & (other_iou >= FOREGROUND_IOU)] = ErrorType.CLASSIFICATION
    errors[wrong & (own_iou >= BACKGROUND_IOU) & (own_iou <= FOREGROUND_IOU)] = ErrorType.LOCALISATION

    wanted = np.select(
        [errors == ErrorType.LOCALISATION, errors == ErrorType.CLASSIFICATION], [own_truth, other_truth], NO_TRUTH
    )
    repairs, missed = _repairs(table, matching, wanted)
    return ErrorTable(errors=errors, right=right, repairs=repairs, missed=missed)


def _only(overlaps: Overlaps, pairs: Flags) -> Overlaps:
    return Overlaps(detection=overlaps.detection[pairs], truth=overlaps.truth[pairs], iou=overlaps.iou[pairs])


def _nearest(table: SplitBoxes, overlaps: Overlaps) -> tuple[Floats, Ints]:
    """For each detection, (D,), its highest IoU, 0 without any, and with which truth: of equal ones with the first."""
    order = np.lexsort((overlaps.truth, -overlaps.iou, overlaps.detection))
    best = order[runs(overlaps.detection[order])[0]]
    iou, truth = np.zeros(len(table.found.image)), np.full(len(table.found.image), NO_TRUTH)
    iou[overlaps.detection[best]] = overlaps.iou[best]
    truth[overlaps.detection[best]] = overlaps.truth[best]
    return iou, truth


def _repairs(table: SplitBoxes, matching: Matching, wanted: Ints) -> tuple[Ints, Flags]:
    """Which truth each detection claims once its error is fixed, (D,), and which truths no detection claims, (G,)."""
    unclaimed = ~matching.ignored
    unclaimed[matching.truth] = False
    wanting = np.flatnonzero(wanted != NO_TRUTH)
    wanting = wanting[unclaimed[wanted[wanting]]]
    surest_first = wanting[np.argsort(-table.found.confidence[wanting], kind="stable")]
    truth, first = np.unique(wanted[surest_first], return_index=True)
    repairs = np.full(len(wanted), NO_TRUTH)
    repairs[surest_first[first]] = truth
    unclaimed[truth] = False
    return repairs, unclaimed


def _counts(table: SplitBoxes, found: ErrorTable) -> Floats:
    """How many errors of each type each image has, (n, types)."""
    images = {kind: table.found.image[found.of(kind)] for kind in ErrorType}
    images[ErrorType.MISSED] = table.truths.image[found.missed]
    return np.stack([np.bincount(rows, minlength=len(table.images)) for rows in images.values()], axis=1).astype(float)


def _ranking_with(table: SplitBoxes, found: ErrorTable, *, fixed: ErrorType | None) -> Ranking:
    """The ranking, at IoU 0.5 alone, that there would be without one type of error; with None the one that there is.

    Fixed, a detection is right about the truth that it repairs, in that truth's class; one that repairs nothing is
    removed. Missed truths are not asked for.
    """
    wrong = ~found.right & ~found.of(None)
    error = wrong & found.of(fixed)
    repaired = error & (found.repairs != NO_TRUTH)
    class_id = table.found.class_id.copy()
    class_id[repaired] = table.truths.class_id[found.repairs[repaired]]
    asked = ~table.truths.crowd & ~(found.missed & (fixed is ErrorType.MISSED))
    right = found.right | repaired
    listed = np.flatnonzero(right | (wrong & ~error))
    order = listed[np.lexsort((table.found.image[listed], -table.found.confidence[listed], class_id[listed]))]
    order = order[_up_to_the_last_right(class_id[order], right[order], classes=table.classes)]
    return _ranking(class_id[order], table.found.image[order], right[order], truth_counts(table, asked))


def _up_to_the_last_right(class_id: Ints, right: Flags, *, classes: int) -> Flags:
    """Which of the detections, (D,), in order, matter: after the last right one of its class none does."""
    last = np.full(classes, -1)
    last[class_id[right]] = np.flatnonzero(right)  # of several places the last one stays
    return np.asarray(np.arange(len(right)) <= last[class_id])


def _ranking(class_id: Ints, image: Ints, right: Flags, truths: Floats) -> Ranking:
    """A ranking at one IoU threshold of detections, (D,), that are in order and either right or wrong."""
    claims, classes = np.flatnonzero(right), truths.shape[1]
    return Ranking(
        classes=classes,
        wrong_image=image,
        claim_image=image[claims],
        true=np.ones(len(claims)),
        change=np.zeros(len(claims)),  # the right ones are listed too, so that a claim adds nothing to their number
        before=claims + 1,
        class_before=np.searchsorted(class_id, class_id[claims]),
        first=np.searchsorted(class_id[claims], np.arange(classes + 1)),
        truths=truths,
    )


def _mean_average_precision(ranking: Ranking, draws: Floats, stays: Flags) -> Floats:
    """The mean, (B,), over the classes with truth and those that stay without it, (B, K), at 0; NaN where none is."""
    precision = average_precision(ranking, draws)[:, 0]
    known = ~np.isnan(precision)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, precision, 0.0).sum(axis=1) / (known | stays).sum(axis=1))
