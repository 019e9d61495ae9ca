"""MLflow's file is read as its client reads it, or left to the client."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.store.db.utils import _get_latest_schema_revision

from cv_yolo.adapters.mlflow.database import SCHEMA, RunsInDatabase, VersionsInDatabase
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import Run
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from cv_yolo.ports.registry import NewVersion


class Client:
    """MLflow's client, and how often it was asked."""

    asked = 0

    def runs(self) -> tuple[Run, ...]:
        self.asked += 1
        return ()


def recording(store: Path, experiment: str) -> MlflowTracker:
    made = MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment=experiment, artifacts=store / experiment)
    made.connect()
    return made


def test_the_file_is_listed_as_mlflows_client_lists_it(store: Path) -> None:
    tracker = recording(store, "as the client")
    ids = [tracker.start(NewRun(name=f"run {number}", params={"z": "1", "a": "2"}, tags={})) for number in range(3)]
    for run_id in ids:
        tracker.log_metrics(run_id, {"z": 1.0, "a": 2.0, "m": 3.0})
        tracker.log_metrics(run_id, {"b": 1e300, "z": 5.0})
    client = tracker._client
    client.delete_run(ids[0])
    client.update_run(ids[1], name="renamed")
    otherwise = Client()
    reader = RunsInDatabase(store / "mlflow.db", experiment="as the client", otherwise=otherwise)
    found, wanted = reader.runs(), tracker.runs()
    assert found == wanted
    assert (len(found), otherwise.asked) == (2, 0)
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
    return Path(shutil.copy(store / "mlflow.db", tmp_path / "the client's %41 copy.db"))


def asked(path: Path) -> int:
    client = Client()
    assert RunsInDatabase(path, experiment="copied", otherwise=client).runs() == ()
    return client.asked


def test_a_file_that_can_be_read_needs_no_client_and_no_file_means_no_runs(copied: Path, tmp_path: Path) -> None:
    assert asked(copied) == 0
    assert asked(tmp_path / "none.db") == 0
    assert not (tmp_path / "none.db").exists()


def test_the_schema_that_is_known_is_that_of_the_installed_mlflow() -> None:
    assert _get_latest_schema_revision() == SCHEMA


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


def test_the_file_is_not_changed_and_writers_are_not_blocked(copied: Path) -> None:
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
