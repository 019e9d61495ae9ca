"""An evaluation ends the run of its model: finished with proof, or failed with a reason; nothing is predicted twice."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from cv_yolo.domain.data.categories import Categories, counted_categories
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.evaluation import BATCH, PredictionSettings
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.errors import (
    DatasetError,
    EvaluationFailedError,
    InputError,
    ServiceUnavailableError,
    StoppedError,
    WeightsError,
)
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.ports.models import Prediction
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.evaluate import (
    SAMPLES,
    SAMPLES_NAME,
    Detector,
    Examination,
    detect,
    detector_of,
    evaluate,
    examine,
    score_results,
    with_classes,
)
from tests.builders import a_manifest, a_spec, a_trained_model, a_truth, an_image, some_detections, some_images
from tests.fakes import (
    FakeDatasetFolder,
    FakeExperimentTracker,
    FakeImageRenderer,
    FakeInspector,
    FakePredictionFile,
    FakePredictor,
)

VAL = [f"images/val/{number}.jpg" for number in range(3)]
TRUTHS = [a_truth((0, 0, 10, 10), image=image) for image in VAL]
FOUND = [
    some_detections((0, 0, 10, 10), image=VAL[0], confidences=[0.9]),
    some_detections((0, 0, 10, 10), (50, 50, 60, 60), image=VAL[1], confidences=[0.8, 0.2]),
]
MANIFEST = a_manifest()
KEPT = f"evaluation/val/{MANIFEST.split_revision(Split.VAL)[:12]}/detections.npz"


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


@pytest.fixture
def model(tracker, tmp_path):
    run_id = tracker.start(NewRun(name="e3_s320", params={}, tags={}))
    return a_trained_model(tmp_path, run_id=run_id, spec=a_spec(image_size_px=416, device="cpu", threads=3))


@pytest.fixture
def examination(tracker, tmp_path):
    return an_examination(tracker, tmp_path)


def an_examination(tracker, tmp_path, *, predictor=None, truths=TRUTHS, manifest=MANIFEST, predictions=None):
    folder = FakeDatasetFolder()
    root = tmp_path / "tiny_coco"
    folder.put(root, FoundDataset(classes=manifest.classes, images=manifest.images), truths=truths)
    return Examination(
        predictor=predictor or FakePredictor(FOUND),
        inspector=FakeInspector(),
        predictions=predictions or FakePredictionFile(),
        folder=folder,
        tracker=tracker,
        dataset_root=root,
        workdir=tmp_path / "work",
        resampling=Resampling(resamples=50),
    )


def evaluated(model, examination, manifest=MANIFEST):
    return evaluate(model, manifest, FakeImageRenderer(), examination)


def a_weights_file(tmp_path, **changes):
    """A detector without a record."""
    weights = tmp_path / "foreign.onnx"
    weights.write_bytes(b"foreign weights")
    values = {
        "name": "foreign.onnx",
        "weights": weights,
        "weights_sha256": sha256_of(weights),
        "settings": PredictionSettings(image_size_px=640),
    }
    return Detector(**(values | changes))


def test_an_evaluation_finishes_the_run_with_the_scores_it_returns(tracker, model, examination):
    evaluation = evaluated(model, examination)
    run = tracker.get(model.run_id)
    assert (run.status, run.reason) == (RunStatus.FINISHED, None)
    assert run.scores == evaluation.scores()
    assert run.scores["recall"] == pytest.approx(2 / 3)
    assert run.scores["confidence_threshold"] == 0.8


def test_the_run_records_the_intervals_of_the_main_figures_and_the_latency(tracker, model, examination):
    evaluation = evaluated(model, examination)
    metrics = tracker.get(model.run_id).metrics
    interval = evaluation.figures["map_50"].interval
    assert (metrics["interval/map_50/low"], metrics["interval/map_50/high"]) == (interval.low, interval.high)
    assert metrics["latency_ms"] == 12.5
    assert not any("class/" in name or "error/" in name for name in metrics)


def test_a_figure_without_an_interval_and_an_unknown_latency_are_not_made_up(tracker, model, tmp_path):
    class Untimed(FakePredictor):
        def predict(self, request):
            return replace(super().predict(request), latency_ms=None)

    large = [a_truth((0, 0, 200, 200), image=f"images/val/{number}.jpg") for number in range(1, 9)]
    truths = [a_truth((0, 0, 10, 10), image=VAL[0]), *large]  # the one resample does not draw the small box
    manifest = a_manifest(images=some_images(Split.TRAIN, 1) + some_images(Split.VAL, 9))
    examination = an_examination(tracker, tmp_path, predictor=Untimed(FOUND), truths=truths, manifest=manifest)
    evaluation = evaluated(model, replace(examination, resampling=Resampling(resamples=1, seed=0)), manifest)
    metrics = tracker.get(model.run_id).metrics
    without = {name for name, each in evaluation.figures.items() if "/" not in name and each.interval is None}
    assert "map_small" in without
    assert not without & {name.split("/")[1] for name in metrics if name.startswith("interval/")}
    assert without <= {name.removeprefix("final/") for name in metrics}
    assert "latency_ms" not in metrics


def test_the_evaluation_says_which_data_and_weights_it_judged(model, examination):
    subject = evaluated(model, examination).subject
    assert (subject.revision, subject.split) == (MANIFEST.revision, Split.VAL)
    assert subject.split_revision == MANIFEST.split_revision(Split.VAL)
    assert (subject.weights_sha256, subject.size_bytes) == (model.weights_sha256, model.weights.stat().st_size)
    assert (subject.predictor, subject.latency_ms) == ("fake 1.0", 12.5)
    assert subject.settings == PredictionSettings(image_size_px=416)


def test_the_whole_evaluation_is_kept_as_json(tracker, model, examination):
    evaluation = evaluated(model, examination)
    kept = json.loads(tracker.artifact(model.run_id, "evaluation/val/evaluation.json"))
    assert kept == json.loads(json.dumps(asdict(evaluation)))


def test_the_slices_of_the_data_are_scored(tracker, model, tmp_path):
    scenes = {VAL[0]: "street", VAL[1]: "street", VAL[2]: "field"}
    images = tuple(replace(each, attributes={"scene": scenes.get(each.image, "street")}) for each in MANIFEST.images)
    manifest = a_manifest(images=images)
    evaluation = evaluated(model, an_examination(tracker, tmp_path, manifest=manifest), manifest)
    assert evaluation.slices == {"scene=field": 1, "scene=street": 2}
    assert evaluation.figures["slice/scene=street/recall"].value == 1.0
    assert evaluation.figures["slice/scene=field/recall"].value == 0.0


def test_the_predictor_is_asked_for_the_images_of_val_as_the_model_was_trained(model, examination):
    evaluated(model, examination)
    (request,) = examination.predictor.requests
    assert request.images == tuple(VAL)
    assert (request.weights, request.weights_sha256) == (model.weights, model.weights_sha256)
    assert (request.settings.image_size_px, request.device, request.threads) == (416, "cpu", 3)
    assert (request.root, request.workdir) == (examination.dataset_root, examination.workdir)


def test_a_sheet_of_samples_at_the_chosen_threshold_is_kept(tracker, model, examination):
    evaluated(model, examination)
    sheet = tracker.artifact(model.run_id, f"evaluation/{SAMPLES_NAME}").decode()
    assert sheet == f"{' '.join(VAL)} at 0.8"


def test_a_sheet_shows_the_first_images_only(tracker, model, tmp_path):
    more = tuple(an_image(image=f"images/val/more{number}.jpg") for number in range(9))
    manifest = a_manifest(images=MANIFEST.images + more)
    evaluated(model, an_examination(tracker, tmp_path, manifest=manifest), manifest)
    sheet = tracker.artifact(model.run_id, f"evaluation/{SAMPLES_NAME}").decode()
    assert sheet.count(".jpg") == SAMPLES


def test_a_model_that_detects_nothing_scores_zero_and_its_sheet_shows_no_box(tracker, model, tmp_path):
    evaluation = evaluated(model, an_examination(tracker, tmp_path, predictor=FakePredictor()))
    run = tracker.get(model.run_id)
    assert run.status is RunStatus.FINISHED
    assert (run.scores["map_50"], run.scores["map_50_95"]) == (0.0, 0.0)
    assert evaluation.confidence_threshold is None
    assert not {"precision", "recall", "f1", "confidence_threshold"} & run.scores.keys()
    assert tracker.artifact(model.run_id, f"evaluation/{SAMPLES_NAME}").decode().endswith(" at 1")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (EvaluationFailedError("the child\ndied"), RunStatus.FAILED, "EvaluationFailedError: the child died"),
        (StoppedError("by hand"), RunStatus.STOPPED, "StoppedError: by hand"),
        (RuntimeError(), RunStatus.FAILED, "RuntimeError"),
    ],
)
def test_where_the_predictor_fails_the_run_says_why_and_has_no_scores(tracker, model, tmp_path, error, status, reason):
    examination = an_examination(tracker, tmp_path, predictor=FakePredictor(fails=error))
    with pytest.raises(type(error)) as raised:
        evaluated(model, examination)
    run = tracker.get(model.run_id)
    assert raised.value is error
    assert (run.status, run.reason, run.scores) == (status, reason, {})
    assert tracker.kept(model.run_id) == ()


def test_weights_that_are_not_those_of_the_record_are_not_judged(tracker, model, examination):
    model.weights.write_bytes(b"other weights")
    with pytest.raises(WeightsError):
        evaluated(model, examination)
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_a_split_without_boxes_fails_the_run(tracker, model, tmp_path):
    with pytest.raises(EvaluationFailedError, match="no annotated boxes in the split val"):
        evaluated(model, an_examination(tracker, tmp_path, truths=()))
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_a_data_set_that_is_gone_fails_the_run(tracker, model, examination):
    with pytest.raises(DatasetError):
        evaluated(model, replace(examination, folder=FakeDatasetFolder()))
    assert tracker.get(model.run_id).reason.startswith("DatasetError: ")


def test_a_second_evaluation_after_a_failed_one_takes_the_reason_away(tracker, model, tmp_path):
    failing = an_examination(tracker, tmp_path, predictor=FakePredictor(fails=EvaluationFailedError("no memory")))
    with pytest.raises(EvaluationFailedError):
        evaluated(model, failing)
    evaluated(model, an_examination(tracker, tmp_path))
    run = tracker.get(model.run_id)
    assert (run.status, run.reason, "reason" in run.tags) == (RunStatus.FINISHED, None, False)


def test_the_detections_are_kept_with_the_run_under_the_revision_of_the_split(tracker, model, examination):
    evaluated(model, examination)
    assert set(tracker.kept(model.run_id)) == {
        KEPT,
        "evaluation/val/evaluation.json",
        f"evaluation/{SAMPLES_NAME}",
    }


def test_what_was_predicted_once_is_read_and_scored_the_same(model, examination):
    first = evaluated(model, examination)
    again = examine(detector_of(model), MANIFEST, Split.VAL, examination).evaluation
    assert len(examination.predictor.requests) == 1
    assert again == first


def test_what_an_earlier_version_padded_by_batch_is_predicted_again(model, examination):
    evaluated(model, examination)
    by_batch = replace(detector_of(model), settings=PredictionSettings(image_size_px=416, letterbox=BATCH))
    detect(by_batch, MANIFEST, Split.VAL, examination)
    detect(detector_of(model), MANIFEST, Split.VAL, examination)
    assert [request.settings.letterbox for request in examination.predictor.requests] == ["square", "batch", "square"]


def test_trust_in_the_weights_reaches_the_predictor_and_the_subject(model, examination):
    trusted = replace(detector_of(model), run_id=None, trusted=True)
    assert examine(trusted, MANIFEST, Split.VAL, examination).evaluation.subject.trusted
    assert [request.trusted for request in examination.predictor.requests] == [True]


def test_other_settings_are_another_prediction_which_replaces_the_kept_one(tracker, model, examination):
    evaluated(model, examination)
    larger = replace(detector_of(model), settings=PredictionSettings(image_size_px=640))
    for _ in range(2):
        assert detect(larger, MANIFEST, Split.VAL, examination).prediction.settings == larger.settings
    assert [request.settings.image_size_px for request in examination.predictor.requests] == [416, 640]
    assert tracker.kept(model.run_id).count(KEPT) == 1


def test_another_revision_of_the_split_is_predicted_and_both_are_kept(tracker, model, examination):
    evaluated(model, examination)
    changed = a_manifest(images=(*MANIFEST.images[:-1], replace(MANIFEST.images[-1], label_sha256="changed")))
    detect(detector_of(model), changed, Split.VAL, examination)
    assert len(examination.predictor.requests) == 2
    assert sum(path.endswith("detections.npz") for path in tracker.kept(model.run_id)) == 2


def test_images_that_come_into_another_split_leave_the_kept_detections_in_use(model, examination):
    evaluated(model, examination)
    more = a_manifest(images=(*MANIFEST.images, an_image(split=Split.TRAIN, image="images/train/more.jpg")))
    detect(detector_of(model), more, Split.VAL, examination)
    assert len(examination.predictor.requests) == 1


def test_kept_detections_that_cannot_be_read_are_not_passed_over(tracker, model, examination, tmp_path):
    evaluated(model, examination)
    (tmp_path / "detections.npz").write_bytes(b"damaged")
    tracker.log_artifacts(model.run_id, [tmp_path / "detections.npz"], KEPT.rpartition("/")[0])
    with pytest.raises(EvaluationFailedError, match="cannot be read"):
        examine(detector_of(model), MANIFEST, Split.VAL, examination)


def test_a_tracker_that_does_not_say_what_it_keeps_is_no_obstacle_the_images_are_looked_at_again(
    tracker, model, tmp_path
):
    class SilentToReaders(FakeExperimentTracker):
        def artifacts(self, run_id, folder):
            raise ServiceUnavailableError("MLflow does not answer")

    silent = SilentToReaders()
    run_id = silent.start(NewRun(name="e3_s320", params={}, tags={}))
    examination = an_examination(silent, tmp_path)
    for _ in range(2):
        evaluated(replace(model, run_id=run_id), examination)
    assert len(examination.predictor.requests) == 2
    assert silent.get(run_id).status is RunStatus.FINISHED
    assert KEPT in silent.kept(run_id)


def test_a_weights_file_has_no_run_that_could_keep_its_detections(tracker, examination, tmp_path):
    detector = a_weights_file(tmp_path)
    for _ in range(2):
        examine(detector, MANIFEST, Split.VAL, examination)
    assert len(examination.predictor.requests) == 2
    assert tracker.runs() == ()
    assert not examination.workdir.exists()


def test_a_split_without_images_is_not_predicted(examination, tmp_path):
    with pytest.raises(EvaluationFailedError, match="no images in the split test"):
        examine(a_weights_file(tmp_path), MANIFEST, Split.TEST, examination)
    assert examination.predictor.requests == []


def test_a_detector_is_examined_at_its_own_threshold_and_on_val_at_the_best_where_it_has_none(examination, tmp_path):
    at_its_own = examine(a_weights_file(tmp_path, confidence_threshold=0.85), MANIFEST, Split.VAL, examination)
    at_the_best = examine(a_weights_file(tmp_path), MANIFEST, Split.VAL, examination)
    assert at_its_own.evaluation.confidence_threshold == 0.85
    assert at_its_own.evaluation.figures["recall"].value == pytest.approx(1 / 3)
    assert at_the_best.evaluation.confidence_threshold == 0.8
    assert at_the_best.evaluation.figures["recall"].value == pytest.approx(2 / 3)


def test_test_never_chooses_a_threshold(tracker, tmp_path):
    manifest = a_manifest(images=MANIFEST.images + some_images(Split.TEST, 3))
    truths = [a_truth((0, 0, 10, 10), image=f"images/test/{number}.jpg") for number in range(3)]
    found = [some_detections((0, 0, 10, 10), image="images/test/0.jpg")]
    examination = an_examination(tracker, tmp_path, manifest=manifest, truths=truths, predictor=FakePredictor(found))
    evaluation = examine(a_weights_file(tmp_path), manifest, Split.TEST, examination).evaluation
    assert evaluation.confidence_threshold is None
    assert "map_50" in evaluation.figures
    assert "recall" not in evaluation.figures


@pytest.fixture
def results(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("[]", encoding="utf-8")
    return path


def scored_results(path, examination, *found, categories=None, confidence_threshold=None):
    examination.predictions.results[path] = Prediction(detections=found, predictor="unknown")
    return score_results(
        path,
        MANIFEST,
        Split.VAL,
        examination,
        categories=categories or counted_categories(MANIFEST.classes, first=0),
        confidence_threshold=confidence_threshold,
    ).evaluation


def test_a_results_file_is_scored_as_the_same_detections_of_our_own_are(model, examination, results):
    own, foreign = evaluated(model, examination), scored_results(results, examination, *FOUND)
    assert foreign.figures == own.figures
    assert foreign.confidence_threshold == own.confidence_threshold
    assert len(examination.predictor.requests) == 1


def test_a_results_file_is_identified_by_its_content_and_says_nothing_that_it_does_not_know(examination, results):
    subject = scored_results(results, examination, *FOUND).subject
    assert (subject.weights_sha256, subject.predictor) == (
        sha256_of(results),
        "results file results.json, categories: --first-class 0",
    )
    assert (subject.settings, subject.latency_ms, subject.size_bytes) == (None, None, None)
    assert (subject.revision, subject.split_revision) == (MANIFEST.revision, MANIFEST.split_revision(Split.VAL))


def test_a_results_file_is_scored_at_the_threshold_that_is_given(examination, results):
    assert scored_results(results, examination, *FOUND, confidence_threshold=0.3).confidence_threshold == 0.3


def test_the_figures_are_linked_to_the_data_on_which_they_were_measured(tracker, model, examination):
    evaluated(model, examination)
    linked = tracker.figures_on(model.run_id)
    assert {"final/map_50", "final/map_50_95"} <= set(linked)
    assert {(data.name, data.context, data.digest) for data in linked.values()} == {
        (f"{MANIFEST.name}/val", "validation", MANIFEST.revision)
    }


def test_a_results_file_is_scored_by_the_names_that_its_ids_stand_for(tracker, tmp_path, results):
    """COCO's ids: 18 is a dog, 1 a person; the data set has the dog first."""
    manifest, examination = of_two_classes(tracker, tmp_path)
    found = [replace(each, class_ids=each.class_ids * 0 + 1) for each in FOUND]
    examination.predictions.results[results] = Prediction(detections=found, predictor="unknown")
    named = Categories(source="instances.json", names={1: "person", 18: "dog"})
    scored = score_results(
        results, manifest, Split.VAL, examination, categories=named, confidence_threshold=None
    ).evaluation
    assert scored.figures["recall"].value == pytest.approx(2 / 3)
    assert scored.subject.detector_classes == ("person", "dog")
    assert scored.subject.predictor == "results file results.json, categories: instances.json"


def test_results_for_classes_that_the_data_set_does_not_name_are_left_out_and_counted_where_one_only_looks(
    examination, results
):
    found = [replace(FOUND[1], class_ids=np.array([1, 18]))]
    named = Categories(source="instances.json", names={1: "person", 18: "dog"})
    with pytest.raises(InputError, match=r"results\.json detects person, dog, the data set names person"):
        scored_results(results, examination, *found, categories=named)
    subject = scored_results(results, replace(examination, exact_classes=False), *found, categories=named).subject
    assert (subject.ignored_classes, subject.ignored_detections) == (("dog",), 1)


def test_results_that_cannot_know_a_class_of_the_data_are_refused_before_they_are_read(examination, tmp_path):
    named = Categories(source="instances.json", names={18: "dog"})
    with pytest.raises(InputError, match="not known to the detector: person"):
        score_results(
            tmp_path / "unread.json",
            MANIFEST,
            Split.VAL,
            replace(examination, exact_classes=False),
            categories=named,
            confidence_threshold=None,
        )


def two_classes():
    """The data set with a class before the one that its boxes are of."""
    return a_manifest(classes=("dog", "person"))


def of_two_classes(tracker, tmp_path, **how):
    """An examination in which each annotated box is a person, who is class 1."""
    manifest = two_classes()
    truths = [replace(each, class_ids=each.class_ids * 0 + 1) for each in TRUTHS]
    return manifest, an_examination(tracker, tmp_path, manifest=manifest, truths=truths, **how)


def finds(class_id):
    return FakePredictor([replace(each, class_ids=each.class_ids * 0 + class_id) for each in FOUND])


def test_the_same_names_in_another_order_score_the_same(tracker, tmp_path):
    figures = []
    for names, class_id in ((("dog", "person"), 1), (("person", "dog"), 0)):
        manifest, examination = of_two_classes(tracker, tmp_path, predictor=finds(class_id))
        scored = examine(a_weights_file(tmp_path, classes=names), manifest, Split.VAL, examination)
        assert scored.evaluation.subject.detector_classes == names
        assert scored.evaluation.subject.ignored_classes == ()
        figures.append(scored.evaluation.figures)
    assert figures[0] == figures[1]
    assert figures[0]["class/person/recall"].value == pytest.approx(2 / 3)


def test_detections_are_kept_as_the_detector_makes_them_and_mapped_whenever_they_are_read(tracker, model, tmp_path):
    manifest, examination = of_two_classes(tracker, tmp_path, predictor=finds(0))
    reordered = replace(model, classes=("person", "dog"))
    first = evaluated(reordered, examination, manifest)
    (path,) = [each for each in tracker.kept(model.run_id) if each.endswith("detections.npz")]
    kept = examination.predictions.read(tracker.artifact(model.run_id, path), VAL)
    assert {class_id for each in kept.detections for class_id in each.class_ids} == {0}
    assert examine(detector_of(reordered), manifest, Split.VAL, examination).evaluation == first
    assert len(examination.predictor.requests) == 1
    assert first.figures["class/person/recall"].value == pytest.approx(2 / 3)


def test_a_detector_of_other_classes_is_refused_before_anything_is_predicted(tracker, examination, tmp_path):
    for exact in (True, False):
        with pytest.raises(InputError, match=r"foreign\.onnx detects raccoon, the data set names person"):
            examine(
                a_weights_file(tmp_path, classes=("raccoon",)),
                MANIFEST,
                Split.VAL,
                replace(examination, exact_classes=exact),
            )
    assert examination.predictor.requests == []


def test_a_model_of_other_classes_fails_its_run(tracker, model, examination):
    with pytest.raises(InputError):
        evaluated(replace(model, classes=("raccoon",)), examination)
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_weights_that_name_other_classes_than_their_record_are_not_scored(tracker, model, examination):
    examination.predictor.classes = ("raccoon",)
    with pytest.raises(EvaluationFailedError, match="its weights name other classes than those recorded for it"):
        evaluated(replace(model, classes=("person",)), examination)
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_a_detector_without_recorded_classes_is_inspected_once(examination, tmp_path):
    detector = a_weights_file(tmp_path)
    examine(detector, MANIFEST, Split.VAL, examination)
    (request,) = examination.inspector.requests
    assert (request.weights, request.weights_sha256) == (detector.weights, detector.weights_sha256)
    known = with_classes(detector, examination)
    assert known.classes == ("person",)
    examine(known, MANIFEST, Split.VAL, examination)
    assert len(examination.inspector.requests) == 2


def test_kept_detections_of_a_run_that_records_no_classes_are_of_those_that_its_weights_name(tracker, model, tmp_path):
    manifest, examination = of_two_classes(tracker, tmp_path, predictor=finds(0))
    examination.inspector.by_sha256[model.weights_sha256] = ("person", "dog")
    evaluation = evaluated(replace(model, classes=None), examination, manifest)
    assert evaluation.figures["class/person/recall"].value == pytest.approx(2 / 3)
    assert examine(detector_of(replace(model, classes=None)), manifest, Split.VAL, examination).evaluation == evaluation


def test_a_detector_that_knows_more_classes_is_looked_at_without_them_and_never_decided_on(examination, tmp_path):
    mixed = replace(FOUND[1], class_ids=np.array([1, 0]))
    looked_at = replace(examination, predictor=FakePredictor([mixed]))
    detector = a_weights_file(tmp_path, classes=("dog", "person"))
    with pytest.raises(InputError, match="not named by the data set: dog"):
        examine(detector, MANIFEST, Split.VAL, looked_at)
    subject = examine(detector, MANIFEST, Split.VAL, replace(looked_at, exact_classes=False)).evaluation.subject
    assert (subject.classes, subject.ignored_classes, subject.ignored_detections) == (("person",), ("dog",), 1)
