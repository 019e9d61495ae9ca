"""`RunReader`: the runs of an experiment, listed by the fake, MLflow's client, its SQLite file and its REST API."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow.database import RunsInDatabase
from cv_yolo.adapters.mlflow.rest import RunsOnServer
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.training.runs import DatasetInput, Run, RunStatus
from cv_yolo.domain.training.tracking_events import RunEnding, StepMetrics
from cv_yolo.ports.records import NewRun, Recorder, RunReader
from tests.fakes import FakeExperimentTracker

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)


class NoClient:
    """MLflow's client where it must not be needed."""

    def runs(self) -> tuple[Run, ...]:
        raise AssertionError("MLflow's client was asked")


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who records the runs of an experiment, and who lists them."""

    recorder: Recorder
    reader: RunReader


@pytest.fixture(params=["fake", "mlflow", "database", "server"])
def case(request: pytest.FixtureRequest, store: Path) -> Case:
    if request.param == "fake":
        fake = FakeExperimentTracker()
        return Case(recorder=fake, reader=fake)
    experiment = request.node.name  # each test has an experiment of its own; the database is made once
    tracker = recording(store, experiment)
    if request.param == "mlflow":
        return Case(recorder=tracker, reader=tracker)
    if request.param == "server":
        address = request.getfixturevalue("mlflow_server")
        listed = RunsOnServer(address, experiment=experiment, timeout_s=10, otherwise=NoClient())
        return Case(recorder=tracker, reader=listed)
    reader = RunsInDatabase(store / "mlflow.db", experiment=experiment, otherwise=NoClient())
    return Case(recorder=tracker, reader=reader)


def recording(store: Path, experiment: str) -> MlflowTracker:
    made = MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment=experiment, artifacts=store / experiment)
    made.connect()
    return made


def test_an_experiment_without_runs_has_none(case: Case) -> None:
    assert case.reader.runs() == ()


def test_a_run_is_listed_with_all_that_was_recorded(case: Case) -> None:
    data = (
        DatasetInput(name="demo/val", digest="r" * 36, context="validation", source="data/demo"),
        DatasetInput(name="demo/train", digest="r" * 36, context="training", profile={"images": 24}),
    )
    new = NewRun(
        name="e3_s320",
        params={"epochs": "3", "weights": "été.pt"},
        tags={"note": "first"},
        user="anna",
        note="of MLflow's pages",
        inputs=data,
    )
    run_id = case.recorder.start(new)
    case.recorder.log_metrics(run_id, {"final/map_50": 1 / 3, "lr": math.inf, "final/recall": 0.0})
    case.recorder.tag(run_id, {"note": "second"})
    case.recorder.finish(run_id, RunStatus.FAILED, "out of [memory]")
    (run,) = case.reader.runs()
    assert run == case.recorder.get(run_id)
    assert (run.name, run.status, run.reason, run.user) == ("e3_s320", RunStatus.FAILED, "out of [memory]", "anna")
    assert run.metrics["final/map_50"] == 1 / 3
    assert [type(value) for value in run.metrics.values()] == [float] * 3
    assert run.params == new.params
    assert run.tags["note"] == "second"
    assert run.inputs == (data[1], data[0])
    assert run.ended_at is not None


def test_a_metric_that_is_not_a_number_is_listed_as_none(case: Case) -> None:
    run_id = case.recorder.start(NewRun(name="e3_s320", params={}, tags={}))
    case.recorder.log_metrics(run_id, {"final/map_50": math.nan})
    assert math.isnan(case.reader.runs()[0].metrics["final/map_50"])


def test_of_two_values_the_last_one_is_listed(case: Case) -> None:
    run_id = case.recorder.start(NewRun(name="e3_s320", params={}, tags={}))
    for step, value in ((1, 0.1), (2, 0.2)):
        case.recorder.deliver(StepMetrics(run_id=run_id, at=NOON, step=step, values={"val/map_50": value}))
    assert case.reader.runs()[0].metrics == {"val/map_50": 0.2}


def test_a_resumed_run_has_no_end_time(case: Case) -> None:
    run_id = case.recorder.start(NewRun(name="e3_s320", params={}, tags={}))
    case.recorder.finish(run_id, RunStatus.FAILED, "lost")
    case.recorder.deliver(RunEnding(run_id=run_id, at=NOON, status=RunStatus.RUNNING, reason=None))
    (run,) = case.reader.runs()
    assert (run.status, run.ended_at, run.reason) == (RunStatus.RUNNING, None, None)


def test_runs_are_listed_newest_first_and_those_of_another_experiment_are_not(case: Case, store: Path) -> None:
    started = [case.recorder.start(NewRun(name=f"e{number}", params={}, tags={})) for number in range(3)]
    recording(store, "another").start(NewRun(name="another", params={}, tags={}))
    found = case.reader.runs()
    assert sorted(run.run_id for run in found) == sorted(started)
    times = [run.started_at for run in found]
    assert times == sorted(times, reverse=True)
    assert found == case.recorder.runs()
