"""A training leaves a complete record of itself, whatever happens."""

import math
from dataclasses import asdict, replace

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import FORMER_CODE_VERSIONS
from cv_yolo.errors import RunFailedError, ServiceUnavailableError, StoppedError, TrainingFailedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.workflows.class_names import recorded
from cv_yolo.workflows.train import WEIGHTS_TAG, Training, fingerprint_of, train
from tests.builders import a_manifest, a_training_request, some_images
from tests.fakes import FakeExperimentTracker, FakeFinishedTrainings, FakeTrainer


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


@pytest.fixture
def request_(tmp_path):
    return a_training_request(tmp_path)


def a_training(tracker, trainer=None, **changes):
    values = {
        "trainer": trainer or FakeTrainer(),
        "tracker": tracker,
        "finished": FakeFinishedTrainings(),
        "experiment": "cv_yolo_tiny",
        "tags": {"grid": "g1"},
    }
    return Training(**(values | changes))


def test_the_model_knows_the_classes_it_was_trained_for(tracker, request_):
    model = train(request_, a_training(tracker))
    assert model.classes == ("person",)
    assert tracker.get(model.run_id).classes == ("person",)


def test_class_names_too_long_for_a_tag_are_kept_as_a_file(tracker, request_):
    many = tuple(f"class number {number}" for number in range(400))
    run = tracker.get(train(replace(request_, manifest=a_manifest(classes=many)), a_training(tracker)).run_id)
    assert (run.classes, "classes" in run.tags) == (None, False)
    assert recorded(run, tracker) == many


def test_a_training_is_tracked_by_exactly_one_run_that_stays_open(tracker, request_):
    model = train(request_, a_training(tracker))
    (run,) = tracker.runs()
    assert (run.run_id, run.name) == (model.run_id, "e3_s320")
    assert (run.status, run.ended_at, run.reason) == (RunStatus.RUNNING, None, None)


def test_the_run_records_everything_that_determines_it(tracker, request_):
    run = tracker.get(train(request_, a_training(tracker)).run_id)
    manifest = a_manifest()
    assert run.params == {name: str(value) for name, value in asdict(request_.spec).items()} | {
        "dataset": "tiny_coco",
        "dataset_revision": manifest.revision,
        "dvc_hash": manifest.dvc_hash,
        "images_train": "4",
        "images_val": "3",
        "images_test": "0",
    }
    assert run.tags == {
        "grid": "g1",
        "dataset": "tiny_coco",
        "dataset_revision": manifest.revision,
        "dvc_hash": manifest.dvc_hash,
        "dvc_versioned": "true",
        "seed": "7",
        "classes": '["person"]',
        "weights_sha256": sha256_of(request_.workdir / "best.pt"),
    }


def test_data_that_dvc_does_not_know_is_recorded_as_such(tracker, request_):
    unknown = replace(request_, manifest=a_manifest(dvc_hash=None, versioned=False))
    run = tracker.get(train(unknown, a_training(tracker)).run_id)
    assert (run.params["dvc_hash"], run.tags["dvc_hash"], run.tags["dvc_versioned"]) == ("none", "none", "false")


def test_each_epoch_is_shown_and_recorded_once(tracker, request_):
    reported = []
    model = train(request_, a_training(tracker, on_epoch=reported.append))
    assert [epoch.epoch for epoch in reported] == [1, 2, 3]
    assert tracker.history(model.run_id, "val/map_50") == ((1, 0.1), (2, 0.2), (3, 0.3))


def test_following_the_epochs_is_optional(tracker, request_):
    assert tracker.history(train(request_, a_training(tracker)).run_id, "val/map_50")[-1] == (3, 0.3)


def test_the_trained_model_is_the_one_whose_files_are_kept(tracker, request_):
    model = train(request_, a_training(tracker))
    assert model.weights_sha256 == sha256_of(model.weights)
    assert (model.spec, model.dataset_revision) == (request_.spec, a_manifest().revision)
    assert tracker.artifact(model.run_id, "weights/best.pt") == model.weights.read_bytes()
    assert tracker.kept(model.run_id) == ("weights/best.pt", "training/results.csv")
    metrics = tracker.get(model.run_id).metrics
    assert metrics["duration_s"] == model.duration_s == 1.5
    assert metrics["weights_size_bytes"] == model.size_bytes == model.weights.stat().st_size
    assert tracker.get(model.run_id).tags["weights_sha256"] == model.weights_sha256


def test_the_trainer_is_asked_for_exactly_this_training(tracker, request_):
    trainer = FakeTrainer()
    train(request_, a_training(tracker, trainer))
    assert trainer.requests == [request_]


def failed_run(tracker):
    (run,) = tracker.runs()
    assert run.ended_at is not None
    return run.status, run.reason


def test_initial_weights_that_changed_since_the_plan_fail_the_run_before_training(tracker, request_):
    request_.weights.write_bytes(b"another network")
    trainer = FakeTrainer()
    with pytest.raises(WeightsError, match=r"yolo11n\.pt: the file changed since the run was planned"):
        train(request_, a_training(tracker, trainer))
    assert trainer.requests == []
    assert failed_run(tracker)[0] is RunStatus.FAILED


def test_initial_weights_that_are_missing_fail_the_run(tracker, request_):
    request_.weights.unlink()
    with pytest.raises(FileNotFoundError):
        train(request_, a_training(tracker))
    status, reason = failed_run(tracker)
    assert status is RunStatus.FAILED
    assert reason.startswith("FileNotFoundError: ")


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_fails_the_run_and_names_epoch_and_losses(tracker, request_, wrong):
    def values(epoch):
        return {"train/cls_loss": 1.0, "b_loss": wrong, "a_loss": wrong} if epoch == 2 else {"a_loss": 1.0}

    with pytest.raises(TrainingFailedError):
        train(request_, a_training(tracker, FakeTrainer(values=values)))
    assert failed_run(tracker) == (RunStatus.FAILED, "TrainingFailedError: epoch 2: not finite: a_loss, b_loss")
    assert tracker.history(tracker.runs()[0].run_id, "a_loss") == ((1, 1.0),)


def test_a_failure_is_recorded_in_one_line_and_raised_as_it_was(tracker, request_):
    cause = TrainingFailedError("out of memory\n  at epoch 3", hint="a smaller batch")
    with pytest.raises(TrainingFailedError) as raised:
        train(request_, a_training(tracker, FakeTrainer(fails=cause)))
    assert raised.value is cause
    assert failed_run(tracker) == (RunStatus.FAILED, "TrainingFailedError: out of memory at epoch 3")
    assert tracker.history(tracker.runs()[0].run_id, "val/map_50")[-1] == (3, 0.3)


@pytest.mark.parametrize("stop", [StoppedError("stopped while a child process was at work"), KeyboardInterrupt()])
def test_a_training_that_the_person_stopped_is_stopped_not_failed(tracker, request_, stop):
    with pytest.raises(type(stop)):
        train(request_, a_training(tracker, FakeTrainer(fails=stop)))
    status, reason = failed_run(tracker)
    assert status is RunStatus.STOPPED
    assert reason.startswith(type(stop).__name__)


def _without_weights(result):
    result.weights.unlink()
    return result


@pytest.mark.parametrize(
    ("tamper", "complaint"),
    [
        (_without_weights, "missing or not those that were trained"),
        (lambda result: replace(result, weights_sha256="0" * 64), "missing or not those that were trained"),
        (lambda result: replace(result, epochs_completed=0), "no epoch was completed"),
    ],
)
def test_a_training_without_its_proof_is_a_failed_run_that_keeps_no_weights(tracker, request_, tamper, complaint):
    with pytest.raises(TrainingFailedError, match=complaint):
        train(request_, a_training(tracker, FakeTrainer(tamper=tamper)))
    assert failed_run(tracker)[0] is RunStatus.FAILED
    assert tracker.kept(tracker.runs()[0].run_id) == ()
    assert "weights_sha256" not in tracker.runs()[0].tags


def test_a_finished_training_is_not_repeated_its_run_and_weights_are_taken_over(tracker, request_):
    finished, reported = FakeFinishedTrainings(), []
    first = train(request_, a_training(tracker, finished=finished))
    trainer = FakeTrainer()
    started = []
    again = train(
        request_,
        a_training(
            tracker, trainer, finished=finished, report=reported.append, on_start=lambda: started.append("trains")
        ),
    )
    assert again == first
    assert (trainer.requests, started, len(tracker.runs())) == ([], [], 1)
    assert reported == [f"e3_s320: trained already, by run {first.run_id}; its weights are taken over"]


def test_a_training_that_starts_says_so(tracker, request_):
    reported = []
    train(request_, a_training(tracker, on_start=lambda: reported.append(len(tracker.runs()))))
    assert reported == [1]


def test_following_a_takeover_is_optional(tracker, request_):
    finished = FakeFinishedTrainings()
    assert train(request_, a_training(tracker, finished=finished)) == train(
        request_, a_training(tracker, finished=finished)
    )


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED, RunStatus.FINISHED])
def test_a_run_that_failed_after_its_training_is_taken_over_to_be_evaluated_again(tracker, request_, status):
    finished = FakeFinishedTrainings()
    first = train(request_, a_training(tracker, finished=finished))
    tracker.finish(first.run_id, status, "abandoned")
    assert train(request_, a_training(tracker, finished=finished)).run_id == first.run_id


def test_a_training_whose_run_is_gone_is_done_again(tracker, request_):
    finished = FakeFinishedTrainings()
    train(request_, a_training(FakeExperimentTracker(), finished=finished))
    trainer = FakeTrainer()
    train(request_, a_training(tracker, trainer, finished=finished))
    assert (len(trainer.requests), len(tracker.runs())) == (1, 1)


def test_a_training_whose_weights_are_gone_is_done_again(tracker, request_):
    finished = FakeFinishedTrainings()
    train(request_, a_training(tracker, finished=finished)).weights.unlink()
    train(request_, a_training(tracker, finished=finished))
    assert len(tracker.runs()) == 2


@pytest.mark.parametrize("fails", [TrainingFailedError("out of memory"), StoppedError("stopped")])
def test_a_training_that_did_not_finish_is_not_remembered(tracker, request_, fails):
    finished = FakeFinishedTrainings()
    with pytest.raises(type(fails)):
        train(request_, a_training(tracker, FakeTrainer(fails=fails), finished=finished))
    assert finished.trainings == {}


@pytest.mark.parametrize("refused", ["log_metrics", "log_artifacts", "log_model", "tag"])
def test_a_training_whose_outcome_could_not_be_recorded_is_not_repeated_and_its_record_is_completed(
    monkeypatch, tracker, request_, refused
):
    def refuses(*_, **__):
        raise RunFailedError("MLflow refuses it")

    finished, trainer = FakeFinishedTrainings(), FakeTrainer()
    with monkeypatch.context() as patched:
        patched.setattr(tracker, refused, refuses)
        with pytest.raises(RunFailedError):
            train(request_, a_training(tracker, finished=finished))
    (failed,) = tracker.runs()
    assert (failed.status, WEIGHTS_TAG in failed.tags) == (RunStatus.FAILED, False)
    model = train(request_, a_training(tracker, trainer, finished=finished))
    (run,) = tracker.runs()
    assert (trainer.requests, model.run_id) == ([], run.run_id)
    assert run.tags[WEIGHTS_TAG] == model.weights_sha256
    assert run.metrics["duration_s"] == model.duration_s
    whole = FakeExperimentTracker()
    train(request_, a_training(whole))
    assert tracker.kept(run.run_id) == whole.kept(whole.runs()[0].run_id)


MORE_IMAGES = (*some_images(Split.TRAIN, 5), *some_images(Split.VAL, 3))
DIFFERENT = {
    "seed": lambda request: replace(request, spec=replace(request.spec, seed=8)),
    "code": lambda request: replace(request, spec=replace(request.spec, code_version="another")),
    "data": lambda request: replace(request, manifest=a_manifest(images=MORE_IMAGES)),
    "dvc": lambda request: replace(request, manifest=a_manifest(dvc_hash=None, versioned=False)),
    "versioned": lambda request: replace(request, manifest=a_manifest(versioned=False)),
    "name": lambda request: replace(request, manifest=a_manifest(name="another")),
    "folder": lambda request: replace(request, dataset_root=request.dataset_root / "another"),
    "trust": lambda request: replace(request, spec=replace(request.spec, trusted=True)),
}


@pytest.mark.parametrize("change", list(DIFFERENT))
def test_whatever_determines_a_training_makes_it_another_one(request_, change):
    fingerprint = fingerprint_of(request_, "cv_yolo_tiny")
    assert fingerprint_of(DIFFERENT[change](request_), "cv_yolo_tiny") != fingerprint
    assert fingerprint_of(request_, "another") != fingerprint


def test_a_training_that_an_earlier_version_knew_by_a_hash_of_its_code_is_taken_over(tracker, request_):
    (today, former), *_ = FORMER_CODE_VERSIONS.items()
    finished, trainer = FakeFinishedTrainings(), FakeTrainer()
    then = replace(request_, spec=replace(request_.spec, code_version=former))
    now = replace(request_, spec=replace(request_.spec, code_version=today))
    model = train(then, a_training(tracker, finished=finished))
    assert train(now, a_training(tracker, trainer, finished=finished)).run_id == model.run_id
    another = replace(request_, spec=replace(request_.spec, code_version=today, seed=8))
    assert train(another, a_training(tracker, trainer, finished=finished)).run_id != model.run_id
    assert len(trainer.requests) == 1


def test_where_a_training_writes_does_not_make_it_another_one(request_, tmp_path):
    moved = replace(request_, workdir=tmp_path / "another")
    assert fingerprint_of(moved, "cv_yolo_tiny") == fingerprint_of(request_, "cv_yolo_tiny")


def test_a_training_that_stopped_early_by_its_own_rule_is_good(tracker, request_):
    early = FakeTrainer(tamper=lambda result: replace(result, epochs_completed=1))
    assert train(request_, a_training(tracker, early)).weights.is_file()


def test_where_a_follower_fails_the_run_is_failed_too(tracker, request_):
    def refuse(epoch):
        raise ServiceUnavailableError(f"no display at epoch {epoch.epoch}")

    with pytest.raises(ServiceUnavailableError):
        train(request_, a_training(tracker, on_epoch=refuse))
    assert failed_run(tracker) == (RunStatus.FAILED, "ServiceUnavailableError: no display at epoch 1")


def test_where_the_run_cannot_be_closed_the_first_error_is_still_the_one_that_is_raised(tracker, request_):
    class LosesContact(FakeExperimentTracker):
        def finish(self, run_id, status, reason=None):
            raise ServiceUnavailableError("MLflow is gone")

    with pytest.raises(TrainingFailedError, match="out of memory") as raised:
        train(request_, a_training(LosesContact(), FakeTrainer(fails=TrainingFailedError("out of memory"))))
    assert raised.value.__notes__ == [
        "and its tracked run could not be closed: ServiceUnavailableError: MLflow is gone"
    ]


def test_the_run_names_user_source_and_each_split_of_its_data(tracker, request_):
    training = a_training(tracker, user="anna", source="cv-yolo grid", tags={"dataset_path": "data/tiny"})
    run = tracker.get(train(request_, training).run_id)
    manifest = a_manifest()
    assert run.user == "anna"
    assert [(each.name, each.context, each.source, each.profile["images"]) for each in run.inputs] == [
        ("tiny_coco/train", "training", "data/tiny", 4),
        ("tiny_coco/val", "validation", "data/tiny", 3),
    ]
    assert {each.digest for each in run.inputs} == {manifest.revision[:36]}


def test_the_trained_model_is_logged_with_what_determines_it(tracker, request_):
    model = train(request_, a_training(tracker))
    (logged,) = tracker.models(model.run_id)
    assert (logged.model_name, logged.model_type) == ("e3_s320", "object detector")
    assert logged.model_params == {name: str(value) for name, value in asdict(request_.spec).items()}
    assert logged.model_tags == {
        "weights_sha256": model.weights_sha256,
        "dataset_revision": a_manifest().revision,
    }


def test_a_training_that_fails_logs_no_model(tracker, request_):
    with pytest.raises(TrainingFailedError):
        train(request_, a_training(tracker, FakeTrainer(fails=TrainingFailedError("out of memory"))))
    (run,) = tracker.runs()
    assert tracker.models(run.run_id) == ()


def test_system_metrics_are_recorded_with_each_epoch_and_reported_nowhere_else(tracker, request_):
    reported = []
    read = iter((10.0, 20.0, 30.0))
    training = a_training(tracker, on_epoch=reported.append, system_metrics=lambda: {"system/cpu": next(read)})
    model = train(request_, training)
    assert tracker.history(model.run_id, "system/cpu") == ((1, 10.0), (2, 20.0), (3, 30.0))
    assert tracker.history(model.run_id, "val/map_50") == ((1, 0.1), (2, 0.2), (3, 0.3))
    assert all(list(epoch.values) == ["val/map_50"] for epoch in reported)
