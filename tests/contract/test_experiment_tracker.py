"""`ExperimentTracker`: the record of runs, kept by the fake and by MLflow on SQLite, each with an outbox and without.

And `Recorder`: events as of their own time, which count once however often they are delivered.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.training.runs import DatasetInput, RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.domain.training.tracking_events import LoggedModel, RunDetails, RunEnding, RunFiles, StepMetrics
from cv_yolo.errors import NotFoundError
from cv_yolo.ports.records import ExperimentTracker, NewRun, Recorder
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.retry import RetryPolicy
from tests.fakes import FakeExperimentTracker, FakeOutbox

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)


def a_recorder(kind: str, test: str, store: Path) -> Recorder:
    if kind == "fake":
        return FakeExperimentTracker()
    experiment = test  # each test has an experiment of its own; the database is made once
    return MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment=experiment, artifacts=store / experiment)


@pytest.fixture(params=["fake", "mlflow"])
def recorder(request: pytest.FixtureRequest, store: Path) -> Recorder:
    made = a_recorder(request.param, request.node.name, store)
    made.connect()
    return made


@pytest.fixture(params=["fake", "mlflow", "fake with outbox", "mlflow with outbox"])
def tracker(request: pytest.FixtureRequest, store: Path, tmp_path: Path) -> ExperimentTracker:
    kind, _, outbox = request.param.partition(" with ")
    made = a_recorder(kind, request.node.name, store)
    if not outbox:
        return made
    return DeliveringTracker(
        made,
        FakeOutbox() if kind == "fake" else FolderOutbox(tmp_path / "outbox"),
        line=TrackerState(),
        retry=RetryPolicy(total_s=0, wait=lambda seconds: False),
        report=pytest.fail,
    )


def new_run(**changes: Any) -> NewRun:
    values = {"name": "e3_s320", "params": {"epochs": "3", "image_size_px": "320"}, "tags": {"dataset_revision": "r1"}}
    return NewRun(**(values | changes))


def test_a_new_experiment_has_no_runs(tracker: ExperimentTracker) -> None:
    assert tracker.runs() == ()


def test_a_started_run_is_running_and_says_all_that_it_was_started_with(tracker: ExperimentTracker) -> None:
    run = tracker.get(tracker.start(new_run()))
    assert (run.name, run.status, run.reason, run.ended_at) == ("e3_s320", RunStatus.RUNNING, None, None)
    assert run.params == {"epochs": "3", "image_size_px": "320"}
    assert run.tags == {"dataset_revision": "r1"}
    assert run.revision == "r1"
    assert run.started_at.tzinfo is not None


def test_a_run_names_its_user_and_the_data_that_it_used(tracker: ExperimentTracker) -> None:
    inputs = (
        DatasetInput(
            name="demo/train",
            digest="r" * 64,
            context="training",
            source="data/demo",
            profile={"images": 24, "boxes": 50},
        ),
        DatasetInput(name="demo/val", digest="r" * 64, context="validation", profile={"images": 8, "boxes": 9}),
    )
    run = tracker.get(tracker.start(new_run(user="anna", source="cv-yolo grid", note="a note", inputs=inputs)))
    assert run.user == "anna"
    assert run.inputs == tuple(replace(each, digest="r" * 36) for each in inputs)
    assert run.tags == {"dataset_revision": "r1"}


def test_a_run_without_inputs_has_none(tracker: ExperimentTracker) -> None:
    run = tracker.get(tracker.start(new_run()))
    assert run.inputs == ()


def test_two_runs_on_the_same_data_name_it_both(tracker: ExperimentTracker) -> None:
    data = DatasetInput(name="demo/train", digest="r" * 64, context="training")
    runs = [tracker.get(tracker.start(new_run(inputs=(data,)))) for _ in range(2)]
    assert [run.inputs for run in runs] == [(replace(data, digest="r" * 36),)] * 2


def test_runs_have_ids_of_their_own_and_are_listed_newest_first(tracker: ExperimentTracker) -> None:
    first, second = tracker.start(new_run(name="first")), tracker.start(new_run(name="second"))
    assert first != second
    assert {run.run_id for run in tracker.runs()} == {first, second}
    started = [run.started_at for run in tracker.runs()]
    assert started == sorted(started, reverse=True)


def test_each_epoch_is_one_step_of_the_history(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    for epoch in (1, 2, 3):
        tracker.log_epoch(run_id, EpochMetrics(epoch=epoch, values={"val/map_50": epoch / 10, "train/box_loss": 2.0}))
    assert tracker.history(run_id, "val/map_50") == ((1, 0.1), (2, 0.2), (3, 0.3))
    assert tracker.get(run_id).metrics == {"val/map_50": 0.3, "train/box_loss": 2.0}


def test_an_unlogged_metric_has_an_empty_history(tracker: ExperimentTracker) -> None:
    assert tracker.history(tracker.start(new_run()), "val/map_50") == ()


def test_final_figures_are_the_runs_scores(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    tracker.log_metrics(run_id, {"final/map_50": 0.61, "duration_s": 41.0})
    assert tracker.get(run_id).scores == {"map_50": 0.61}
    assert tracker.get(run_id).metrics["duration_s"] == 41.0


def test_figures_logged_again_replace_the_former_ones(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    tracker.log_metrics(run_id, {"final/map_50": 0.2})
    tracker.log_metrics(run_id, {"final/map_50": 0.6})
    assert tracker.get(run_id).scores == {"map_50": 0.6}


@pytest.mark.parametrize("status", [RunStatus.FINISHED, RunStatus.FAILED, RunStatus.STOPPED])
def test_a_run_ends_with_the_status_it_is_given(tracker: ExperimentTracker, status: RunStatus) -> None:
    run_id = tracker.start(new_run())
    tracker.finish(run_id, status)
    run = tracker.get(run_id)
    assert run.status is status
    assert run.ended_at is not None
    assert run.ended_at >= run.started_at


def test_a_failed_run_says_why(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    tracker.finish(run_id, RunStatus.FAILED, "TrainingFailedError: out of memory")
    assert tracker.get(run_id).reason == "TrainingFailedError: out of memory"


def test_a_run_that_finishes_after_all_loses_its_former_reason(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    tracker.finish(run_id, RunStatus.FAILED, "out of memory")
    tracker.finish(run_id, RunStatus.FINISHED)
    run = tracker.get(run_id)
    assert (run.status, run.reason) == (RunStatus.FINISHED, None)
    assert run.tags == {"dataset_revision": "r1"}


def test_stored_files_are_returned_byte_for_byte(tracker: ExperimentTracker, tmp_path: Path) -> None:
    weights, table = tmp_path / "best.pt", tmp_path / "results.csv"
    weights.write_bytes(b"\x00\xff weights")
    table.write_bytes(b"epoch\n1\n")
    run_id = tracker.start(new_run())
    tracker.log_artifacts(run_id, [weights], "weights")
    tracker.log_artifacts(run_id, [table])
    assert tracker.artifact(run_id, "weights/best.pt") == b"\x00\xff weights"
    assert tracker.artifact(run_id, "results.csv") == b"epoch\n1\n"


def test_a_file_that_was_not_kept_is_not_found(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    with pytest.raises(NotFoundError):
        tracker.artifact(run_id, "weights/best.pt")


def test_facts_that_are_known_later_are_tagged_beside_the_others(tracker: ExperimentTracker) -> None:
    run_id = tracker.start(new_run())
    tracker.tag(run_id, {"weights_sha256": "a" * 64, "note": "first"})
    tracker.tag(run_id, {"note": "second"})
    assert tracker.get(run_id).tags == {"dataset_revision": "r1", "weights_sha256": "a" * 64, "note": "second"}


def test_a_run_that_ended_can_still_be_tagged_and_given_files(tracker: ExperimentTracker, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"a page")
    run_id = tracker.start(new_run())
    tracker.finish(run_id, RunStatus.FINISHED)
    tracker.tag(run_id, {"note": "late"})
    tracker.log_artifacts(run_id, [tmp_path / "page.html"], "decision")
    run = tracker.get(run_id)
    assert (run.status, run.tags["note"]) == (RunStatus.FINISHED, "late")
    assert tracker.artifact(run_id, "decision/page.html") == b"a page"


def test_the_files_of_a_folder_are_listed_and_those_below_it_are_not(
    tracker: ExperimentTracker, tmp_path: Path
) -> None:
    for name in ("b.json", "a.json", "deep.npz"):
        (tmp_path / name).write_bytes(name.encode())
    run_id = tracker.start(new_run())
    tracker.log_artifacts(run_id, [tmp_path / "b.json", tmp_path / "a.json"], "evaluation/val")
    tracker.log_artifacts(run_id, [tmp_path / "deep.npz"], "evaluation/val/0123456789ab")
    assert tracker.artifacts(run_id, "evaluation/val") == ("evaluation/val/a.json", "evaluation/val/b.json")
    assert tracker.artifacts(run_id, "evaluation/val/0123456789ab") == ("evaluation/val/0123456789ab/deep.npz",)
    assert tracker.artifacts(run_id, "evaluation") == ()


def test_a_folder_that_is_not_there_holds_no_files(tracker: ExperimentTracker) -> None:
    assert tracker.artifacts(tracker.start(new_run()), "evaluation/test") == ()


def test_a_file_that_is_kept_again_replaces_the_former_one(tracker: ExperimentTracker, tmp_path: Path) -> None:
    run_id = tracker.start(new_run())
    for content in (b"a longer first content", b"second"):
        (tmp_path / "detections.npz").write_bytes(content)
        tracker.log_artifacts(run_id, [tmp_path / "detections.npz"], "evaluation/val")
    assert tracker.artifacts(run_id, "evaluation/val") == ("evaluation/val/detections.npz",)
    assert tracker.artifact(run_id, "evaluation/val/detections.npz") == b"second"


def test_an_unknown_run_is_not_found(tracker: ExperimentTracker) -> None:
    tracker.start(new_run())
    unknown = "0" * 31 + "9"
    with pytest.raises(NotFoundError, match=unknown):
        tracker.get(unknown)
    with pytest.raises(NotFoundError, match=unknown):
        tracker.log_metrics(unknown, {"final/map_50": 0.5})
    with pytest.raises(NotFoundError, match=unknown):
        tracker.finish(unknown, RunStatus.FINISHED)
    with pytest.raises(NotFoundError, match=unknown):
        tracker.tag(unknown, {"note": "lost"})
    with pytest.raises(NotFoundError, match=unknown):
        tracker.artifacts(unknown, "weights")


def test_an_event_that_is_delivered_twice_changes_nothing(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "best.pt").write_bytes(b"weights")
    data = DatasetInput(name="demo/val", digest="r" * 64, context="validation")
    run_id = recorder.start(new_run(inputs=(data,)))
    events = (
        StepMetrics(run_id=run_id, at=NOON, step=1, values={"val/map_50": 0.1, "train/box_loss": 2.0}),
        StepMetrics(run_id=run_id, at=NOON + timedelta(seconds=1), step=2, values={"val/map_50": 0.1}),
        RunDetails(run_id=run_id, at=NOON, tags={"note": "first"}),
        RunFiles(run_id=run_id, at=NOON, paths=(tmp_path / "best.pt",), folder="weights"),
        LoggedModel(
            run_id=run_id,
            at=NOON,
            model_name="e3_s320",
            model_type="object detector",
            model_params={"epochs": "3"},
            model_tags={"weights_sha256": "a" * 64},
        ),
        StepMetrics(run_id=run_id, at=NOON, step=0, values={"final/map_50": 0.5}, data=data),
        RunEnding(run_id=run_id, at=NOON + timedelta(hours=1), status=RunStatus.FAILED, reason="why"),
        RunEnding(run_id=run_id, at=NOON + timedelta(hours=2), status=RunStatus.FINISHED, reason=None),
    )
    for event in events:
        for _ in range(3):
            recorder.deliver(event)
    assert recorder.history(run_id, "val/map_50") == ((1, 0.1), (2, 0.1))
    assert recorder.history(run_id, "train/box_loss") == ((1, 2.0),)
    assert recorder.artifacts(run_id, "weights") == ("weights/best.pt",)
    assert recorder.history(run_id, "final/map_50") == ((0, 0.5),)
    run = recorder.get(run_id)
    assert [each.name for each in run.inputs] == ["demo/val"]
    assert (run.status, run.reason, run.tags["note"]) == (RunStatus.FINISHED, None, "first")


def test_of_two_figures_of_the_run_the_one_measured_later_counts_though_it_arrives_late(recorder: Recorder) -> None:
    run_id = recorder.start(new_run())
    for seconds, value in ((0, 0.9), (1, 0.2)):
        at = NOON + timedelta(seconds=seconds)
        recorder.deliver(StepMetrics(run_id=run_id, at=at, step=0, values={"final/map_50": value}))
    assert recorder.get(run_id).scores == {"map_50": 0.2}


def test_a_closed_run_can_be_resumed(recorder: Recorder) -> None:
    """Its driver was called lost, and lives."""
    run_id = recorder.start(new_run())
    recorder.finish(run_id, RunStatus.FAILED, "lost")
    recorder.deliver(RunEnding(run_id=run_id, at=NOON, status=RunStatus.RUNNING, reason=None))
    run = recorder.get(run_id)
    assert (run.status, run.reason, run.ended_at) == (RunStatus.RUNNING, None, None)
    recorder.finish(run_id, RunStatus.FINISHED)
    assert recorder.get(run_id).status is RunStatus.FINISHED
