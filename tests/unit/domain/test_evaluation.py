"""The scores of one model on one split."""

import math

import pytest

from cv_yolo.domain.dataset import Split
from cv_yolo.domain.evaluation import Measured, PredictionSettings, evaluate_detections
from cv_yolo.domain.metrics import OperatingPoint
from cv_yolo.errors import EvaluationFailedError
from tests.builders import a_truth, an_evaluation, class_scores, some_detections

MEASURED = Measured(
    revision="r1",
    split=Split.TEST,
    classes=("person", "dog"),
    weights_sha256="w1",
    settings=PredictionSettings(image_size_px=416),
)


def test_an_evaluation_says_what_it_was_measured_on_and_with():
    evaluation = evaluate_detections(MEASURED, [a_truth((0, 0, 9, 9), classes=[1])], [some_detections()])
    assert (evaluation.revision, evaluation.split, evaluation.images) == ("r1", Split.TEST, 1)
    assert (evaluation.weights_sha256, evaluation.settings) == ("w1", PredictionSettings(image_size_px=416))
    assert [(each.name, each.truths) for each in evaluation.per_class] == [("dog", 1)]


def test_a_found_person_and_a_missed_dog_score_one_half():
    truths = [a_truth((0, 0, 9, 9), (40, 40, 60, 60), classes=[0, 1])]
    evaluation = evaluate_detections(MEASURED, truths, [some_detections((0, 0, 9, 9), confidences=[0.7])])
    person, dog = evaluation.per_class
    assert (person.ap_50, person.ap_50_95) == (pytest.approx(1), pytest.approx(1))
    assert (dog.ap_50, dog.ap_50_95, set(dog.precision_at_recall)) == (0, 0, {0})
    assert evaluation.scores() == pytest.approx(
        {
            "map_50": 0.5,
            "map_50_95": 0.5,
            "precision": 1.0,
            "recall": 0.5,
            "f1": 2 / 3,
            "confidence_threshold": 0.7,
        }
    )


def test_where_nothing_was_detected_the_scores_at_a_threshold_are_absent_not_zero():
    evaluation = evaluate_detections(MEASURED, [a_truth((0, 0, 9, 9))], [some_detections()])
    assert evaluation.operating_point is None
    assert evaluation.scores() == {"map_50": 0.0, "map_50_95": 0.0}


def test_the_means_are_over_the_classes():
    evaluation = an_evaluation(
        per_class=(class_scores(ap_50=0.9, ap_50_95=0.5), class_scores(name="dog", ap_50=0.3, ap_50_95=0.1))
    )
    assert (evaluation.map_50, evaluation.map_50_95) == (pytest.approx(0.6), pytest.approx(0.3))


def test_a_split_without_annotated_boxes_cannot_be_scored():
    with pytest.raises(EvaluationFailedError, match="no annotated boxes in the split test"):
        evaluate_detections(MEASURED, [a_truth()], [some_detections((0, 0, 9, 9))])


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_scores_that_are_not_finite_are_refused(wrong):
    with pytest.raises(EvaluationFailedError, match="not finite"):
        an_evaluation(per_class=(class_scores(ap_50_95=wrong),))
    with pytest.raises(EvaluationFailedError, match="not finite"):
        an_evaluation(operating_point=OperatingPoint(confidence_threshold=0.3, precision=wrong, recall=0.5, f1=0.5))
