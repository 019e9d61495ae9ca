"""Which class a detector in use takes for which, at IoU 0.5, where boxes are matched without regard to class.

In use means: of the detections with at least a stated confidence. A detection on no annotated box was found in the
background, a box that no detection claims was taken for background. Crowds, and what claims them, count nowhere.
"""

from typing import Final

import numpy as np

from cv_yolo.domain.evaluation.intervals import Measure
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.operating_point import right_and_listed
from cv_yolo.domain.evaluation.split_boxes import Ints, SplitBoxes, by_confidence, runs, without_classes

BACKGROUND: Final = "background"


def confusion_measure(table: SplitBoxes, *, confidence_threshold: float) -> Measure:
    """How often each class was taken for each: `confusion/<truth>/<predicted>`, class indices or `background`.

    Only of the pairs that occur in the split.
    """
    image, truth, predicted = _outcomes(table, confidence_threshold)
    order = np.lexsort((predicted, truth))
    image, truth, predicted = image[order], truth[order], predicted[order]
    starts, _ = runs(truth * (table.classes + 1) + predicted)
    labels = (*(str(class_id) for class_id in range(table.classes)), BACKGROUND)
    return Measure(
        names=tuple(f"confusion/{labels[truth[row]]}/{labels[predicted[row]]}" for row in starts),
        compute=lambda draws: np.add.reduceat(draws[:, image], starts, axis=1),  # far fewer terms than `draws @ table`
        cells=len(image),
    )


def _outcomes(table: SplitBoxes, confidence_threshold: float) -> tuple[Ints, Ints, Ints]:
    """Image, true class and predicted class, (N,), of each detection in use and each missed box.

    The class number after the last one stands for the background.
    """
    one_class, class_id = without_classes(table), table.found.class_id[by_confidence(table.found)]
    matching = match(
        one_class, find_overlaps(one_class, least=float(IOU_THRESHOLDS[0])), iou_thresholds=IOU_THRESHOLDS[:1]
    )
    in_use = one_class.found.confidence >= confidence_threshold
    counted = right_and_listed(one_class, matching)[1] & in_use
    claimed_class = np.full(len(class_id), table.classes)
    claimed_class[matching.detection] = table.truths.class_id[matching.truth]
    missed = ~matching.ignored
    missed[matching.truth[in_use[matching.detection]]] = False
    return (
        np.concatenate([one_class.found.image[counted], table.truths.image[missed]]),
        np.concatenate([claimed_class[counted], table.truths.class_id[missed]]),
        np.concatenate([class_id[counted], np.full(np.count_nonzero(missed), table.classes)]),
    )
