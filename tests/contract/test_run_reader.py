"""`RunReader`: the runs of an experiment, listed by the fake, by MLflow's client, and from MLflow's SQLite file."""

import math
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow.database import RunsInDatabase, VersionsInDatabase
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import DatasetInput, Run, RunStatus
from cv_yolo.domain.training.tracking_events import RunEnding, StepMetrics
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun, Recorder, RunReader
from cv_yolo.ports.registry import NewVersion
from tests.fakes import FakeExperimentTracker

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)


class NoClient:
    """MLflow's client where it must not be needed."""

    def runs(self) -> tuple[Run, ...]:
        raise AssertionError("MLflow's client was asked")


class Client:
    """MLflow's client where it is to be asked."""

    asked = 0

    def runs(self) -> tuple[Run, ...]:
        self.asked += 1
        return ()


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who records the runs of an experiment, and who lists them."""

    recorder: Recorder
    reader: RunReader


@pytest.fixture(params=["fake", "mlflow", "database"])
def case(request: pytest.FixtureRequest, store: Path) -> Case:
    if request.param == "fake":
        fake = FakeExperimentTracker()
        return Case(recorder=fake, reader=fake)
    experiment = request.node.name  # each test has an experiment of its own; the database is made once
    tracker = recording(store, experiment)
    if request.param == "mlflow":
        return Case(recorder=tracker, reader=tracker)
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


def test_a_metric_that_is_no_number_is_listed_as_none(case: Case) -> None:
    run_id = case.recorder.start(NewRun(name="e3_s320", params={}, tags={}))
    case.recorder.log_metrics(run_id, {"final/map_50": math.nan})
    assert math.isnan(case.reader.runs()[0].metrics["final/map_50"])


def test_of_two_values_the_last_one_is_listed(case: Case) -> None:
    run_id = case.recorder.start(NewRun(name="e3_s320", params={}, tags={}))
    for step, value in ((1, 0.1), (2, 0.2)):
        case.recorder.deliver(StepMetrics(run_id=run_id, at=NOON, step=step, values={"val/map_50": value}))
    assert case.reader.runs()[0].metrics == {"val/map_50": 0.2}


def test_a_run_that_goes_on_again_has_not_ended(case: Case) -> None:
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


def test_what_is_in_the_file_is_listed_as_mlflows_client_lists_it(store: Path) -> None:
    tracker = recording(store, "as the client")
    ids = [tracker.start(NewRun(name=f"run {number}", params={"z": "1", "a": "2"}, tags={})) for number in range(3)]
    for run_id in ids:
        tracker.log_metrics(run_id, {"z": 1.0, "a": 2.0, "m": 3.0})
        tracker.log_metrics(run_id, {"b": 1e300, "z": 5.0})
    client = tracker._client
    client.delete_run(ids[0])
    client.update_run(ids[1], name="renamed")
    client.delete_tag(ids[1], "mlflow.user") if "mlflow.user" in client.get_run(ids[1]).data.tags else None
    reader = RunsInDatabase(store / "mlflow.db", experiment="as the client", otherwise=NoClient())
    found, wanted = reader.runs(), tracker.runs()
    assert found == wanted
    assert len(found) == 2
    for run, same in zip(found, wanted, strict=True):
        assert [list(each) for each in (run.metrics, run.params, run.tags)] == [
            list(each) for each in (same.metrics, same.params, same.tags)
        ]


def test_a_deleted_experiment_is_left_to_the_client_which_says_how_to_restore_it(store: Path) -> None:
    tracker = recording(store, "deleted one")
    tracker._client.delete_experiment(tracker._experiment_id)
    again = MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment="deleted one")
    with pytest.raises(NotFoundError, match="deleted one was deleted"):
        RunsInDatabase(store / "mlflow.db", experiment="deleted one", otherwise=again).runs()


@pytest.fixture
def copied(store: Path, tmp_path: Path) -> Path:
    """A database of the test's own."""
    recording(store, "copied")
    return Path(shutil.copy(store / "mlflow.db", tmp_path / "it's a ? #1.db"))


def asked(path: Path) -> int:
    client = Client()
    assert RunsInDatabase(path, experiment="copied", otherwise=client).runs() == ()
    return client.asked


def test_a_file_that_can_be_read_needs_no_client_and_no_file_means_no_runs(copied: Path, tmp_path: Path) -> None:
    assert asked(copied) == 0
    assert asked(tmp_path / "none.db") == 0
    assert not (tmp_path / "none.db").exists()


def test_a_file_of_another_schema_is_left_to_the_client(copied: Path) -> None:
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'another'")
    assert asked(copied) == 1
    with closing(sqlite3.connect(copied)) as database, database:
        database.execute("DROP TABLE alembic_version")
    assert asked(copied) == 1


def test_a_damaged_file_is_left_to_the_client(copied: Path) -> None:
    copied.write_bytes(b"no database at all" * 100)
    assert asked(copied) == 1
    copied.write_bytes(b"")
    assert asked(copied) == 1


@contextmanager
def writing(path: Path, *, lock: str) -> Iterator[sqlite3.Connection]:
    """Another client, in the middle of a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute(f"BEGIN {lock}")
        yield database
        database.execute("COMMIT")


def test_a_file_that_is_locked_is_left_to_the_client_and_one_that_is_being_written_to_is_read(copied: Path) -> None:
    with writing(copied, lock="EXCLUSIVE"):
        assert asked(copied) == 1
    with writing(copied, lock="IMMEDIATE") as database:
        database.execute("UPDATE experiments SET name = 'renamed' WHERE name = 'copied'")
        assert asked(copied) == 0


def test_the_file_is_not_changed_and_writers_go_on_at_once(copied: Path) -> None:
    before = copied.read_bytes()
    assert asked(copied) == 0
    assert copied.read_bytes() == before
    with closing(sqlite3.connect(copied, timeout=0)) as database, database:
        database.execute("UPDATE experiments SET name = 'renamed' WHERE name = 'copied'")


def test_versions_and_the_anchor_are_read_as_the_client_reads_them(store: Path) -> None:
    uri, path = f"sqlite:///{store}/mlflow.db", store / "mlflow.db"
    tracker, registry = recording(store, "versions"), MlflowRegistry(uri=uri, model="read from the file")

    def quick(place: Path = path) -> VersionsInDatabase:
        return VersionsInDatabase(place, model="read from the file", otherwise=MlflowRegistry(uri="none://", model="-"))

    assert (quick().versions(), quick().anchor()) == ((), None)
    assert (quick(store / "none.db").versions(), quick(store / "none.db").anchor()) == ((), None)
    for number in range(12):
        run_id = tracker.start(NewRun(name="e3_s320", params={}, tags={}))
        new = NewVersion(run_id=run_id, weights=Path("best.pt"), weights_sha256=f"{number}" * 64)
        registry.register(replace(new, confidence_threshold=1 / 3, classes=("person", "cart")) if number % 2 else new)
    for version, stage in (("1", Stage.STAGING), ("2", Stage.PRODUCTION), ("3", Stage.STAGING), ("11", Stage.ARCHIVED)):
        registry.set_stage(version, stage)
    registry.set_anchor(f"2 {'a' * 64}")
    registry._client.create_model_version("read from the file", source="file:///elsewhere")  # by another program
    registry._client.delete_model_version("read from the file", "4")
    assert quick().versions() == registry.versions()
    assert len(quick().versions()) == 11
    assert quick().anchor() == registry.anchor() == f"2 {'a' * 64}"


def test_versions_of_a_file_that_is_not_read_here_are_those_of_the_client(copied: Path) -> None:
    copied.write_bytes(b"no database at all" * 100)
    registry = MlflowRegistry(uri=f"sqlite:///{copied}", model="m")
    for question in ("versions", "anchor"):
        with pytest.raises(ServiceUnavailableError) as by_client:
            getattr(registry, question)()
        with pytest.raises(ServiceUnavailableError) as found:
            getattr(VersionsInDatabase(copied, model="m", otherwise=registry), question)()
        assert found.value.message == by_client.value.message
