"""What a model scores on one split, with an interval for every figure."""

from dataclasses import replace

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.evaluation.intervals import Measure, Resampling, bootstrap
from cv_yolo.domain.evaluation.metrics import precision_at_recall
from cv_yolo.errors import EvaluationFailedError
from tests.builders import a_truth, some_detections
from tests.unit.domain.splits import SUBJECT, a_random_split, ranking_of, scored

A, B, C = (0, 0, 9, 9), (40, 40, 60, 60), (80, 80, 99, 99)
TEST = replace(SUBJECT, split=Split.TEST)
TRUTHS, FOUND = a_random_split(4, images=12)


def test_an_evaluation_says_what_it_was_measured_on_and_with():
    crowd = replace(a_truth(A, B, C), crowds=np.array([False, False, True]))
    evaluation = scored([crowd], [some_detections(A, confidences=[0.7])]).evaluation
    assert (evaluation.subject, evaluation.images, evaluation.truths) == (SUBJECT, 1, 2)
    assert evaluation.resampling == Resampling(resamples=20)
    assert evaluation.confidence_threshold == 0.7


def test_a_found_person_and_a_missed_dog_score_one_half():
    evaluation = scored([a_truth(A, B, classes=[0, 1])], [some_detections(A, confidences=[0.7])]).evaluation
    main = evaluation.scores()
    assert main == pytest.approx(
        dict.fromkeys(("map_50_95", "map_50", "map_75", "map_small", "ar_1", "ar_10", "ar_100", "ar_small"), 0.5)
        | {"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "confidence_threshold": 0.7}
    )
    assert evaluation.figures["class/person/ap_50"].value == pytest.approx(1.0)
    assert evaluation.figures["class/dog/ap_50"].value == 0.0
    assert "class/tree/ap_50" not in evaluation.figures


def test_every_figure_comes_with_an_interval_of_the_confidence_asked_for():
    figures = scored(TRUTHS, FOUND, resampling=Resampling(resamples=200, confidence=0.95)).evaluation.figures
    narrow = scored(TRUTHS, FOUND, resampling=Resampling(resamples=200, confidence=0.5)).evaluation.figures
    assert figures.keys() == narrow.keys()
    for name in ("map_50_95", "precision", "class/person/ap_50", "error/missed/count"):
        assert 0 < narrow[name].interval.width < figures[name].interval.width


def test_the_same_boxes_and_the_same_seed_give_the_same_evaluation():
    assert scored(TRUTHS, FOUND).evaluation == scored(TRUTHS, FOUND).evaluation


def test_where_nothing_was_detected_the_scores_at_a_threshold_are_absent_not_zero():
    evaluation = scored([a_truth(A)], [some_detections()]).evaluation
    assert evaluation.confidence_threshold is None
    assert evaluation.confusion == {}
    assert evaluation.scores()["map_50"] == 0.0
    assert not evaluation.scores().keys() & {"precision", "recall", "f1", "confidence_threshold"}


def test_val_chooses_the_threshold_of_its_best_f1():
    truths, found = [a_truth(A, B)], [some_detections(A, B, C, confidences=[0.9, 0.6, 0.2])]
    assert scored(truths, found).evaluation.confidence_threshold == 0.6


def test_test_never_chooses_a_threshold():
    evaluation = scored(TRUTHS, FOUND, subject=TEST).evaluation
    assert evaluation.confidence_threshold is None
    assert not evaluation.scores().keys() & {"precision", "recall", "f1", "confidence_threshold"}


@pytest.mark.parametrize("subject", [SUBJECT, TEST])
def test_a_threshold_that_is_given_is_used_as_it_is(subject):
    truths, found = [a_truth(A, B)], [some_detections(A, B, C, confidences=[0.9, 0.6, 0.2])]
    evaluation = scored(truths, found, subject=subject, confidence_threshold=0.1).evaluation
    assert evaluation.confidence_threshold == 0.1
    assert evaluation.scores()["precision"] == pytest.approx(2 / 3)


def test_the_classes_are_distinguished_in_a_confusion_matrix_in_use():
    truths = [a_truth(A, B, C, classes=[0, 1, 1])]
    found = [some_detections(A, B, B, classes=[0, 0, 1], confidences=[0.9, 0.8, 0.1])]
    confusion = scored(truths, found, confidence_threshold=0.5).evaluation.confusion
    assert {name: estimate.value for name, estimate in confusion.items()} == {
        "confusion/0/0": 1.0,
        "confusion/1/0": 1.0,
        "confusion/1/background": 1.0,
    }


def test_slices_say_how_many_images_they_have():
    slices = {"night=yes": np.arange(12) < 5, "night=no": np.arange(12) >= 5}
    evaluation = scored(TRUTHS, FOUND, slices=slices).evaluation
    assert evaluation.slices == {"night=yes": 5, "night=no": 7}
    assert "slice/night=yes/map_50" in evaluation.figures
    assert scored(TRUTHS, FOUND).evaluation.slices == {}


def test_each_class_with_truth_has_a_curve_in_its_band():
    evaluation = scored(TRUTHS, FOUND, resampling=Resampling(resamples=100)).evaluation
    person, dog = evaluation.curves
    assert (person.name, dog.name) == ("person", "dog")
    assert person.truths + dog.truths == evaluation.truths
    for curve in evaluation.curves:
        assert len(curve.precision) == len(curve.low) == len(curve.high) == 101
        assert all(0 <= low <= high <= 1 for low, high in zip(curve.low, curve.high, strict=True))
        assert np.mean(curve.precision) == pytest.approx(
            evaluation.figures[f"class/{curve.name}/ap_50"].value, abs=1e-4
        )
    assert max(person.high) > min(person.high)
    assert person.low != person.high


@pytest.mark.parametrize(("confidence", "tails"), [(0.5, (0.25, 0.75)), (0.9, (0.05, 0.95))])
def test_the_band_of_a_curve_holds_that_part_of_the_resamples_that_is_asked_for(confidence, tails):
    resampling = Resampling(resamples=100, confidence=confidence)
    ranking = ranking_of(TRUTHS, FOUND)
    names = tuple(map(str, range(101)))
    person = Measure(names=names, compute=lambda draws: precision_at_recall(ranking, draws)[:, 0])
    samples = bootstrap(person, images=12, resampling=resampling).samples
    band = np.nanquantile(samples, tails, axis=0)
    curve = scored(TRUTHS, FOUND, resampling=resampling).evaluation.curves[0]
    np.testing.assert_allclose((curve.low, curve.high), band, atol=1e-4)


def test_a_split_without_annotated_boxes_cannot_be_scored():
    crowd = replace(a_truth(A), crowds=np.array([True]))
    for truth in (a_truth(), crowd):
        with pytest.raises(EvaluationFailedError, match="no annotated boxes in the split test"):
            scored([truth], [some_detections(A)], subject=TEST)


def test_an_id_does_not_depend_on_how_fast_or_how_large_the_model_is():
    evaluation = scored(TRUTHS, FOUND).evaluation
    measured = replace(evaluation, subject=replace(SUBJECT, latency_ms=3.5, size_bytes=7))
    assert evaluation.id == measured.id
    assert len(evaluation.id) == 12


def test_an_id_depends_on_data_model_predictor_settings_resampling_and_threshold():
    evaluation = scored(TRUTHS, FOUND).evaluation
    subjects = [
        replace(SUBJECT, **change)
        for change in (
            {"revision": "r2"},
            {"split_revision": "s2"},
            {"split": Split.TEST},
            {"classes": ("person", "dog", "bush")},
            {"predictor": "somebody 1.1"},
            {"weights_sha256": "w2"},
            {"settings": None},
            {"settings": PredictionSettings(image_size_px=416)},
            {"settings": PredictionSettings(image_size_px=320, max_detections=100)},
        )
    ]
    others = [replace(evaluation, subject=subject) for subject in subjects]
    others += [replace(evaluation, confidence_threshold=0.123), replace(evaluation, resampling=Resampling(seed=1))]
    assert len({each.id for each in (evaluation, *others)}) == 1 + len(others)
