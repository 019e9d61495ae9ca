"""An evaluation ends the run of its model: finished with proof, or failed with a reason."""

from dataclasses import replace

import pytest

from cv_yolo.domain.dataset import Split
from cv_yolo.domain.evaluation import PredictionSettings
from cv_yolo.domain.runs import RunStatus
from cv_yolo.errors import DatasetError, EvaluationFailedError, StoppedError, WeightsError
from cv_yolo.ports import FoundDataset, NewRun
from cv_yolo.workflows.evaluate import SAMPLES, SAMPLES_NAME, Examination, evaluate
from tests.builders import a_manifest, a_spec, a_trained_model, a_truth, an_image, some_detections
from tests.fakes import FakeDatasetFolder, FakeExperimentTracker, FakeGallery, FakePredictor

VAL = [f"images/val/{number}.jpg" for number in range(3)]
TRUTHS = [a_truth((0, 0, 10, 10), image=image) for image in VAL]
FOUND = [
    some_detections((0, 0, 10, 10), image=VAL[0], confidences=[0.9]),
    some_detections((0, 0, 10, 10), (50, 50, 60, 60), image=VAL[1], confidences=[0.8, 0.2]),
]


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


@pytest.fixture
def model(tracker, tmp_path):
    run_id = tracker.start(NewRun(name="e3_s320", params={}, tags={}))
    return a_trained_model(tmp_path, run_id=run_id, spec=a_spec(image_size_px=416, device="cpu", threads=3))


def an_examination(tracker, tmp_path, *, predictor=None, truths=TRUTHS, manifest=None):
    manifest = manifest or a_manifest()
    folder = FakeDatasetFolder()
    root = tmp_path / "tiny_coco"
    folder.put(root, FoundDataset(classes=manifest.classes, images=manifest.images), truths=truths)
    return Examination(
        predictor=predictor or FakePredictor(FOUND),
        folder=folder,
        gallery=FakeGallery(),
        tracker=tracker,
        dataset_root=root,
        workdir=tmp_path / "work",
    )


def test_an_evaluation_finishes_the_run_with_the_scores_it_returns(tracker, model, tmp_path):
    evaluation = evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path))
    run = tracker.get(model.run_id)
    assert (run.status, run.reason) == (RunStatus.FINISHED, None)
    assert run.scores == evaluation.scores()
    assert set(run.metrics) == {f"final/{name}" for name in evaluation.scores()}
    assert evaluation.operating_point.recall == pytest.approx(2 / 3)


def test_the_evaluation_says_which_data_and_weights_it_judged(tracker, model, tmp_path):
    evaluation = evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path))
    assert (evaluation.revision, evaluation.split, evaluation.images) == (a_manifest().revision, Split.VAL, 3)
    assert evaluation.weights_sha256 == model.weights_sha256
    assert evaluation.settings == PredictionSettings(image_size_px=416)


def test_the_predictor_is_asked_for_the_images_of_the_split_as_the_model_was_trained(tracker, model, tmp_path):
    examination = an_examination(tracker, tmp_path)
    evaluate(model, a_manifest(), Split.VAL, examination)
    (request,) = examination.predictor.requests
    assert request.images == tuple(VAL)
    assert (request.weights, request.weights_sha256) == (model.weights, model.weights_sha256)
    assert (request.settings.image_size_px, request.device, request.threads) == (416, "cpu", 3)
    assert (request.root, request.workdir) == (examination.dataset_root, examination.workdir)


def test_a_sheet_of_samples_at_the_operating_point_is_kept(tracker, model, tmp_path):
    evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path))
    sheet = tracker.artifact(model.run_id, f"evaluation/{SAMPLES_NAME}").decode()
    assert sheet == f"{' '.join(VAL)} at 0.8"


def test_a_sheet_shows_the_first_images_only(tracker, model, tmp_path):
    more = tuple(an_image(image=f"images/val/more{number}.jpg") for number in range(9))
    manifest = a_manifest(images=a_manifest().images + more)
    evaluate(model, manifest, Split.VAL, an_examination(tracker, tmp_path, manifest=manifest))
    sheet = tracker.artifact(model.run_id, f"evaluation/{SAMPLES_NAME}").decode()
    assert sheet.count(".jpg") == SAMPLES


def test_a_model_that_detects_nothing_scores_zero_and_its_sheet_shows_no_box(tracker, model, tmp_path):
    evaluation = evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path, predictor=FakePredictor()))
    run = tracker.get(model.run_id)
    assert run.status is RunStatus.FINISHED
    assert run.scores == evaluation.scores() == {"map_50": 0.0, "map_50_95": 0.0}
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
        evaluate(model, a_manifest(), Split.VAL, examination)
    run = tracker.get(model.run_id)
    assert raised.value is error
    assert (run.status, run.reason, run.scores) == (status, reason, {})


def test_weights_that_are_not_those_of_the_record_are_not_judged(tracker, model, tmp_path):
    model.weights.write_bytes(b"other weights")
    with pytest.raises(WeightsError):
        evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path))
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_a_split_without_boxes_fails_the_run(tracker, model, tmp_path):
    with pytest.raises(EvaluationFailedError, match="no annotated boxes in the split test"):
        evaluate(model, a_manifest(), Split.TEST, an_examination(tracker, tmp_path))
    assert tracker.get(model.run_id).status is RunStatus.FAILED


def test_a_data_set_that_is_gone_fails_the_run_before_anything_is_predicted(tracker, model, tmp_path):
    examination = replace(an_examination(tracker, tmp_path), folder=FakeDatasetFolder())
    with pytest.raises(DatasetError):
        evaluate(model, a_manifest(), Split.VAL, examination)
    assert examination.predictor.requests == []
    assert tracker.get(model.run_id).reason.startswith("DatasetError: ")


def test_a_second_evaluation_after_a_failed_one_takes_the_reason_away(tracker, model, tmp_path):
    failing = an_examination(tracker, tmp_path, predictor=FakePredictor(fails=EvaluationFailedError("no memory")))
    with pytest.raises(EvaluationFailedError):
        evaluate(model, a_manifest(), Split.VAL, failing)
    evaluate(model, a_manifest(), Split.VAL, an_examination(tracker, tmp_path))
    run = tracker.get(model.run_id)
    assert (run.status, run.reason, "reason" in run.tags) == (RunStatus.FINISHED, None, False)
