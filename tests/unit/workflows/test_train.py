"""A training leaves a complete record of itself, whatever happens."""

import math
from dataclasses import asdict, replace

import pytest

from cv_yolo.domain.runs import RunStatus
from cv_yolo.errors import ServiceUnavailableError, StoppedError, TrainingFailedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.workflows.train import Training, train
from tests.builders import a_manifest, a_training_request
from tests.fakes import FakeExperimentTracker, FakeTrainer


@pytest.fixture
def tracker():
    return FakeExperimentTracker()


@pytest.fixture
def request_(tmp_path):
    return a_training_request(tmp_path)


def a_training(tracker, trainer=None, **changes):
    return Training(**({"trainer": trainer or FakeTrainer(), "tracker": tracker, "tags": {"grid": "g1"}} | changes))


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
        "weights_sha256": sha256_of(request_.workdir / "best.pt"),
    }


def test_data_that_dvc_does_not_know_is_recorded_as_such(tracker, request_):
    unknown = replace(request_, manifest=a_manifest(dvc_hash=None, versioned=False))
    run = tracker.get(train(unknown, a_training(tracker)).run_id)
    assert (run.params["dvc_hash"], run.tags["dvc_hash"], run.tags["dvc_versioned"]) == ("none", "none", "false")


def test_each_epoch_is_told_and_recorded_once(tracker, request_):
    told = []
    model = train(request_, a_training(tracker, on_epoch=told.append))
    assert [epoch.epoch for epoch in told] == [1, 2, 3]
    assert tracker.history(model.run_id, "val/map_50") == ((1, 0.1), (2, 0.2), (3, 0.3))


def test_nobody_has_to_follow_the_epochs(tracker, request_):
    training = Training(trainer=FakeTrainer(), tracker=tracker, tags={})
    assert tracker.history(train(request_, training).run_id, "val/map_50")[-1] == (3, 0.3)


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
