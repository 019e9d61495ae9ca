"""Annotated and predicted boxes."""

import numpy as np
import pytest

from cv_yolo.domain.data.annotations import Detections, GroundTruth


@pytest.mark.parametrize("boxes", [np.zeros((2, 4)), np.zeros((1, 5)), np.zeros(4)])
def test_ground_truth_needs_a_class_for_each_box_of_four_corners(boxes):
    with pytest.raises(ValueError, match=r"^7\.jpg: boxes must be"):
        GroundTruth(image="7.jpg", boxes_xyxy=boxes, class_ids=np.zeros(1, dtype=np.int64))


def test_detections_need_a_confidence_for_each_box():
    with pytest.raises(ValueError, match=r"every column"):
        Detections(
            image="7.jpg",
            boxes_xyxy=np.zeros((1, 4)),
            class_ids=np.zeros(1, dtype=np.int64),
            confidences=np.zeros(2),
        )


@pytest.mark.parametrize(("corner", "confidence"), [(np.nan, 0.5), (np.inf, 0.5), (1.0, np.nan)])
def test_detections_that_are_not_finite_are_refused(corner, confidence):
    with pytest.raises(ValueError, match=r"7\.jpg: a detection is not finite"):
        Detections(
            image="7.jpg",
            boxes_xyxy=np.array([[0.0, 0.0, corner, 1.0]]),
            class_ids=np.zeros(1, dtype=np.int64),
            confidences=np.array([confidence]),
        )
