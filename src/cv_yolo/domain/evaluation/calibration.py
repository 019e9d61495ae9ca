"""Whether confidence means what it says: of the detections with confidence 0.8, eight in ten should be right.

Right means, as in precision, that a detection claims a box that is asked for, at IoU 0.5; a detection that claims a
crowd is left out. The bins divide the confidences from 0 to 1 into ten equal parts; each holds its lower bound, the
last one both.

Source: Küppers et al., "Multivariate Confidence Calibration for Object Detection", CVPR Workshops 2020 (D-ECE, in its
form by confidence alone).
"""

from typing import Final

import numpy as np

from cv_yolo.domain.evaluation.intervals import Measure
from cv_yolo.domain.evaluation.matching import Matching
from cv_yolo.domain.evaluation.operating_point import right_and_listed
from cv_yolo.domain.evaluation.split_boxes import Flags, Floats, SplitBoxes

BINS: Final = 10
BOUNDS: Final = np.arange(1, BINS) / BINS  # between the bins


def calibration_measure(table: SplitBoxes, matching: Matching, *, confidence_threshold: float) -> Measure:
    """The detection expected calibration error, `calibration/d_ece`, and what each bin holds, `calibration/<bin>/…`.

    The error is over the detections with at least that confidence: by how much precision and mean confidence of a bin
    differ, weighted with the number of its detections; NaN without any. The bins are of all detections: `count`, mean
    `confidence` and `precision`, both NaN in an empty bin.
    """
    right, listed = right_and_listed(table, matching)
    in_use = listed & (table.found.confidence >= confidence_threshold)
    sums = np.concatenate([_sums(table, right, counted) for counted in (listed, in_use)], axis=1)

    def compute(draws: Floats) -> Floats:
        every, used = np.split((draws @ sums).reshape(len(draws), -1, BINS), 2, axis=1)
        return np.concatenate([_expected_error(used), _rates(every).reshape(len(draws), -1)], axis=1)

    figures = ("precision", "confidence", "count")
    names = ("calibration/d_ece", *(f"calibration/{place}/{figure}" for figure in figures for place in range(BINS)))
    return Measure(names=names, compute=compute)


def _sums(table: SplitBoxes, right: Flags, counted: Flags) -> Floats:
    """Of the counted detections of each image and bin: right ones, sum of confidences, number; (n, 3 * BINS)."""
    image, confidence = table.found.image[counted], table.found.confidence[counted]
    place = np.searchsorted(BOUNDS, confidence, side="right")
    weights = (right[counted].astype(np.float64), confidence, np.ones(len(image)))
    cells = len(table.images) * BINS
    columns = [np.bincount(image * BINS + place, weights=each, minlength=cells) for each in weights]
    return np.concatenate([column.reshape(-1, BINS) for column in columns], axis=1)


def _expected_error(sums: Floats) -> Floats:
    """D-ECE, (B, 1), of sums (B, 3, BINS); NaN without detections."""
    right, confidence, count = sums[:, 0], sums[:, 1], sums[:, 2]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(right - confidence).sum(axis=1, keepdims=True) / count.sum(axis=1, keepdims=True))


def _rates(sums: Floats) -> Floats:
    """Precision, mean confidence and count, (B, 3, BINS), of sums (B, 3, BINS)."""
    count = sums[:, 2]
    with np.errstate(invalid="ignore"):
        return np.stack([sums[:, 0] / count, sums[:, 1] / count, count], axis=1)
