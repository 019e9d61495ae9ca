"""Average precision, recall and counts after COCO's definitions, for many draws of the images at once.

A draw says how often each image counts: all ones is the split itself, anything else a resample of it. So one code
computes the point figures and every resample of the bootstrap. The rankings are made once; a draw is then weighted
cumulative sums over those detections that claim a truth, since precision only rises there.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, and the code of pycocotools' `COCOeval`,
with which the tests compare these figures.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, Matching
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, Ints, SplitBoxes

RECALL_POINTS: Final = np.linspace(0.0, 1.0, 101)

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """What average precision is made of: all detections that can be wrong, and all claims, both ranked.

    `wrong_image`, (C,): the images of the detections that count as wrong unless a claim says otherwise, by class.
    Claims, (M,), are in segments, one for each IoU threshold and class; `first`, (T * K + 1,), are their bounds.
    `true` is whether a claim is right (a claim of an ignored truth is neither right nor wrong), `before` and
    `class_before` how many of `wrong_image` come up to it and before its class, `change` what it adds to their number.
    `truths` is (n, K): the annotated boxes of each image and class that are asked for.
    """

    classes: int
    wrong_image: Ints
    claim_image: Ints
    true: Floats
    change: Floats
    before: Ints
    class_before: Ints
    first: Ints
    truths: Floats

    @property
    def segment(self) -> Ints:
        """The segment of each claim, (M,)."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


def rank_matches(
    table: SplitBoxes, matching: Matching, *, max_detections: int | None = None, thresholds: int = len(IOU_THRESHOLDS)
) -> Ranking:
    """The ranking of the best `max_detections` (None: of all) of each image and class, at each IoU threshold."""
    found = table.found
    listed = found.rank < (len(found.rank) if max_detections is None else max_detections)
    counted = listed & ~matching.outside
    claims = np.flatnonzero(listed[matching.detection])
    detection, threshold = matching.detection[claims], matching.threshold[claims]
    true = ~matching.ignored[matching.truth[claims]]
    before = np.append(0, np.cumsum(counted))
    class_first = np.searchsorted(found.class_id, np.arange(table.classes))
    segment = threshold * table.classes + found.class_id[detection]
    return Ranking(
        classes=table.classes,
        wrong_image=found.image[counted],
        claim_image=found.image[detection],
        true=true.astype(np.float64),
        change=true.astype(np.float64) - counted[detection],
        before=before[detection + 1],
        class_before=before[class_first[found.class_id[detection]]],
        first=np.searchsorted(segment, np.arange(thresholds * table.classes + 1)),
        truths=truth_counts(table, ~matching.ignored),
    )


def truth_counts(table: SplitBoxes, asked: Flags) -> Floats:
    """The annotated boxes of each image and class that are asked for, (n, K)."""
    return count_table(table, table.truths.image[asked], table.truths.class_id[asked])


def count_table(table: SplitBoxes, image: Ints, group: Ints, *, groups: int | None = None) -> Floats:
    """How many rows there are of each image and group, (n, groups); the groups are the classes by default."""
    width = table.classes if groups is None else groups
    counts = np.bincount(image * width + group, minlength=len(table.images) * width)
    return counts.reshape(len(table.images), width).astype(np.float64)


def average_precision(ranking: Ranking, draws: Draws) -> Floats:
    """COCO's 101-point average precision, (B, T, K), of B draws (B, n); NaN for a class without truth in a draw."""
    envelope, steps, truths = _curves(ranking, draws)
    sums = _segment_sums(envelope * steps, ranking) / len(RECALL_POINTS)
    return _absent_without_truth(sums, truths)


def recall(ranking: Ranking, draws: Draws) -> Floats:
    """The part of the truths that is found, (B, T, K), of B draws (B, n); NaN for a class without truth in a draw."""
    found, truths = _segment_sums(draws[:, ranking.claim_image] * ranking.true, ranking), draws @ ranking.truths
    with np.errstate(invalid="ignore", divide="ignore"):
        return _absent_without_truth(found / truths[:, None, :], truths)


def precision_at_recall(ranking: Ranking, draws: Draws, *, threshold: int = 0) -> Floats:
    """Precision, (B, K, 101), at `RECALL_POINTS`: the best at that recall or above, 0 beyond the last recall.

    At the IoU threshold of that index. NaN for a class without truth in a draw.
    """
    part = _at_threshold(ranking, threshold)
    envelope, steps, truths = _curves(part, draws)
    curves = np.zeros((len(draws), ranking.classes, len(RECALL_POINTS)))
    for draw, class_id in np.ndindex(curves.shape[:2]):
        claims = slice(part.first[class_id], part.first[class_id + 1])
        reached = np.repeat(envelope[draw, claims], steps[draw, claims])
        curves[draw, class_id, : len(reached)] = reached
    curves[truths == 0] = np.nan
    return curves


def _curves(ranking: Ranking, draws: Draws) -> tuple[Floats, Ints, Floats]:
    """Of each claim, (B, M): the best precision from it on, and how many recall points it reaches newly; truths (B, K).

    A recall point belongs to the first claim that reaches it, the point 0 to the first claim of its segment.
    """
    truths = draws @ ranking.truths
    drawn = draws[:, ranking.claim_image]
    right = _running_sums(drawn * ranking.true, ranking)
    wrong = np.zeros((len(draws), len(ranking.wrong_image) + 1))
    np.take(draws, ranking.wrong_image, axis=1, out=wrong[:, 1:], mode="clip")  # without a copy in between
    np.cumsum(wrong, axis=1, out=wrong)
    listed = wrong[:, ranking.before] - wrong[:, ranking.class_before]
    if ranking.change.any():
        listed = listed + _running_sums(drawn * ranking.change, ranking)
    precision = right / (listed + np.spacing(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = np.searchsorted(RECALL_POINTS, right / truths[:, ranking.segment % ranking.classes], side="right")
    steps = np.diff(reached, axis=1, prepend=0)
    starts = ranking.first[:-1][np.diff(ranking.first) > 0]
    steps[:, starts] = reached[:, starts]
    return _best_from_here_on(precision, ranking), steps, truths


def _best_from_here_on(precision: Floats, ranking: Ranking) -> Floats:
    """The running maximum from the end of each segment; a higher floor for each earlier segment keeps them apart."""
    floor = (len(ranking.first) - ranking.segment).astype(np.float64)
    best: Floats = np.maximum.accumulate((precision + floor)[:, ::-1], axis=1)[:, ::-1] - floor
    return best


def _running_sums(values: Floats, ranking: Ranking) -> Floats:
    """Cumulative sums, (B, M), that restart with each segment."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    return np.asarray(sums[:, 1:] - sums[:, ranking.first[ranking.segment]])


def _segment_sums(values: Floats, ranking: Ranking) -> Floats:
    """Sums, (B, T, K), over each segment of (B, M)."""
    sums = np.zeros((len(values), len(ranking.first) - 1))
    filled = np.flatnonzero(np.diff(ranking.first))
    if len(filled):
        sums[:, filled] = np.add.reduceat(values, ranking.first[filled], axis=1)
    return sums.reshape(len(values), -1, ranking.classes)


def _absent_without_truth(values: Floats, truths: Floats) -> Floats:
    return np.where(truths[:, None, :] > 0, values, np.nan)


def _at_threshold(ranking: Ranking, threshold: int) -> Ranking:
    bounds = ranking.first[threshold * ranking.classes : (threshold + 1) * ranking.classes + 1]
    claims = slice(bounds[0], bounds[-1])
    columns = ("claim_image", "true", "change", "before", "class_before")
    return replace(ranking, first=bounds - bounds[0], **{name: getattr(ranking, name)[claims] for name in columns})
