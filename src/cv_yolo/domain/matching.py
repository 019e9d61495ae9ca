"""Which detection claims which ground truth: COCO's greedy rule."""

import numpy as np
import numpy.typing as npt

UNMATCHED = -1


def match_greedily(overlaps: npt.NDArray[np.float64], iou_thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Let detections, best confidence first, claim ground truth one to one, at each IoU threshold.

    `overlaps` is (D, G): the IoU of each detection (rows in descending confidence) with each ground truth of the same
    class in the same image. Returns (T, D): the index of the claimed ground truth, or `UNMATCHED`. A detection claims
    the free ground truth with the highest IoU of at least the threshold; of equal ones the last, as pycocotools does.

    Source: Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014; `COCOeval.evaluateImg`.
    """
    detections, truths = overlaps.shape
    claims = np.full((len(iou_thresholds), detections), UNMATCHED, dtype=np.int64)
    if truths == 0:
        return claims
    for row, threshold in enumerate(np.minimum(iou_thresholds, 1 - 1e-10)):
        free = np.ones(truths, dtype=bool)
        for detection in np.flatnonzero(overlaps.max(axis=1) >= threshold):
            candidates = np.where(free & (overlaps[detection] >= threshold), overlaps[detection], -1.0)
            best = truths - 1 - int(np.argmax(candidates[::-1]))
            if candidates[best] >= 0:
                claims[row, detection], free[best] = best, False
    return claims
