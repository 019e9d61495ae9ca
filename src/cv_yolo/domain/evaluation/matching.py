"""Which detection claims which ground truth: COCO's greedy rule, for a whole split at once.

Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; the rules for crowds and for size ranges are
those of `COCOeval.evaluateImg`, with which the tests compare.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from cv_yolo.domain.data.annotations import area_px, intersection_px, ratio
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, Ints, SplitBoxes, ranks, runs

IOU_THRESHOLDS: Final = np.linspace(0.5, 0.95, 10)
PAIRS_AT_ONCE: Final = 4_000_000  # bounds the memory that the search for overlaps takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlaps:
    """Pairs, (P,), of a detection (row of `Ranked`) and an annotated box (row of `Truths`) that overlap, and how much.

    `iou` is intersection over union; for a crowd the part of the detection that lies in it, as COCO has it.
    """

    detection: Ints
    truth: Ints
    iou: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matching:
    """Claims, (M,) rows by threshold and rank: index of the threshold, detection, claimed truth.

    Claims of a truth that is ignored (`ignored`, (G,): crowds, and boxes outside the size range) make the detection
    count neither as right nor as wrong. `outside`, (D,), are detections outside the size range: not counted as wrong.
    """

    threshold: Ints
    detection: Ints
    truth: Ints
    ignored: Flags
    outside: Flags


def find_overlaps(table: SplitBoxes, *, least: float, across_classes: bool = False) -> Overlaps:
    """All pairs in the same image, and of the same class unless `across_classes`, with an IoU of at least `least`."""
    found, truths = table.found, table.truths
    images = max(1, len(table.images))
    d_key = found.image if across_classes else found.class_id * images + found.image
    t_key = truths.image if across_classes else truths.class_id * images + truths.image
    parts = [_overlapping(table, pairs, least) for pairs in _pairs(d_key, t_key)]
    return Overlaps(
        detection=np.concatenate([np.empty(0, np.int64), *(part.detection for part in parts)]),
        truth=np.concatenate([np.empty(0, np.int64), *(part.truth for part in parts)]),
        iou=np.concatenate([np.empty(0), *(part.iou for part in parts)]),
    )


def match(
    table: SplitBoxes,
    overlaps: Overlaps,
    *,
    iou_thresholds: Floats = IOU_THRESHOLDS,
    area_range_px: tuple[float, float] | None = None,
) -> Matching:
    """Let the detections, best confidence first, claim annotated boxes one to one, at each IoU threshold.

    A detection claims the free box with the highest IoU of at least the threshold, of equal ones the last; an ignored
    box only where no other is left; a crowd can be claimed again and again. `area_range_px` are the least and the
    largest area, both included, of boxes that are not ignored.
    """
    low, high = area_range_px or (-np.inf, np.inf)
    ignored = table.truths.crowd | (table.truths.area_px < low) | (table.truths.area_px > high)
    claims = list(_claims(table, overlaps, ignored, np.minimum(iou_thresholds, 1 - 1e-10)))
    threshold, detection, truth = (
        np.concatenate([np.empty(0, np.int64), *(claim[column] for claim in claims)]) for column in range(3)
    )
    order = np.lexsort((detection, threshold))
    return Matching(
        threshold=threshold[order],
        detection=detection[order],
        truth=truth[order],
        ignored=ignored,
        outside=(table.found.area_px < low) | (table.found.area_px > high),
    )


def _claims(
    table: SplitBoxes, overlaps: Overlaps, ignored: Flags, thresholds: Floats
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """The claims in rounds: in each, one detection of every image and class chooses, so that none disturbs another."""
    turn = _turns(table, overlaps.detection)
    # each detection's choices in the order of its preference: the first that is free and near enough is claimed
    order = np.lexsort((-overlaps.truth, -overlaps.iou, ignored[overlaps.truth], overlaps.detection, turn))
    detection, truth, iou = overlaps.detection[order], overlaps.truth[order], overlaps.iou[order]
    taken = np.zeros((len(thresholds), len(ignored)), dtype=bool)
    for start, length in zip(*runs(turn[order]), strict=True):
        here = slice(start, start + length)
        possible = (iou[here] >= thresholds[:, None]) & ~taken[:, truth[here]]
        firsts, _ = runs(detection[here])
        choice = np.minimum.reduceat(np.where(possible, np.arange(length), length), firsts, axis=1)
        row, column = np.nonzero(choice < length)
        chosen = truth[here][choice[row, column]]
        taken[row, chosen] = ~table.truths.crowd[chosen]
        yield row, detection[here][firsts][column], chosen


def _turns(table: SplitBoxes, detection: Ints) -> Ints:
    """For each row of the overlaps: in which round its detection chooses among those of its image and class."""
    choosing = np.unique(detection)  # in the order of rank, within each image and class
    group = table.found.class_id[choosing] * max(1, len(table.images)) + table.found.image[choosing]
    return ranks(group)[np.searchsorted(choosing, detection)]


def _pairs(d_key: Ints, t_key: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Every detection with every truth of the same key, in portions."""
    t_order = np.argsort(t_key, kind="stable")
    ordered = t_key[t_order]
    low = np.searchsorted(ordered, d_key, side="left")
    counts = np.searchsorted(ordered, d_key, side="right") - low
    portion = np.cumsum(counts) // PAIRS_AT_ONCE
    for number in np.unique(portion):
        rows = np.flatnonzero((portion == number) & (counts > 0))
        detection = np.repeat(rows, counts[rows])
        within = np.arange(len(detection)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
        yield detection, t_order[np.repeat(low[rows], counts[rows]) + within]


def _overlapping(table: SplitBoxes, pairs: tuple[Ints, Ints], least: float) -> Overlaps:
    detection, truth = pairs
    first, second = table.found.boxes_xyxy[detection], table.truths.boxes_xyxy[truth]
    own, common = area_px(first), intersection_px(first, second)
    crowd = table.truths.crowd[truth]
    overlap = ratio(common, np.where(crowd, own, own + area_px(second) - common))
    near = overlap >= least
    return Overlaps(detection=detection[near], truth=truth[near], iou=overlap[near])
