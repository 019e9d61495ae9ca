"""The embedded records of a project, kept and brought back: in whole, once, into an empty project only."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from cv_yolo.errors import InputError, NotFoundError, ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.backup import content_store as room
from cv_yolo_stack.backup import restore as restoring
from cv_yolo_stack.backup import take
from cv_yolo_stack.backup.content_store import Contents, Progress, verified
from cv_yolo_stack.backup.restore import restore
from cv_yolo_stack.backup.take import read_snapshot, take_backup
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.domain.backup_manifest import manifest_of
from tests.unit.stack.backup.records import RUN, ZENML, a_project, ask_sql, quiet, run_sql

TABLES = (
    "CREATE TABLE experiments (experiment_id, name)",
    "INSERT INTO experiments VALUES (1, 'cv_yolo_probe_admin'), (2, 'demo')",
    "CREATE TABLE runs (lifecycle_stage, experiment_id)",
)
ONE_RUN = (*TABLES, "INSERT INTO runs VALUES ('active', 1)")
A_DELETED_RUN = (*TABLES, "INSERT INTO runs VALUES ('deleted', 2)")
A_PROBE = (*TABLES, "INSERT INTO runs VALUES ('deleted', 1)")
ONE_PIPELINE_RUN = ("CREATE TABLE pipeline_run (a)", "INSERT INTO pipeline_run VALUES (1)")


@pytest.fixture
def container(tmp_path: Path) -> StackContainer:
    return a_project(tmp_path / "project")


@pytest.fixture
def backup(container: StackContainer, tmp_path: Path) -> Path:
    take_backup(container, None, tmp_path / "backup", take_snapshot=None, report=quiet)
    return tmp_path / "backup"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path / "another place")


def files_of(settings: Settings) -> dict[str, bytes]:
    return {
        str(path.relative_to(settings.root)): path.read_bytes()
        for path in sorted(settings.root.rglob("*"))
        if path.is_file() and path.suffix not in {".lock", ".db"}
    }


def test_a_backup_is_restored_in_place_unchanged(container: StackContainer, backup: Path) -> None:
    before, databases = files_of(container.settings), ask_sql(container.home / "mlflow/mlflow.db", "SELECT * FROM runs")
    shutil.rmtree(container.settings.root)
    restored = restore(container, container.settings, backup, report=quiet)
    assert files_of(container.settings) == before
    assert ask_sql(container.home / "mlflow/mlflow.db", "SELECT * FROM runs") == databases
    assert (restored.stack, restored.moved) == (None, False)
    assert not (container.home / "restoring").exists()
    assert (container.home / "connection.json").stat().st_mode & 0o777 == 0o600


def test_in_another_place_the_records_name_their_files_there(
    container: StackContainer, backup: Path, elsewhere: Settings
) -> None:
    restore(container, elsewhere, backup, report=quiet)
    (uri,) = ask_sql(elsewhere.mlflow_database, "SELECT artifact_uri FROM runs")[0]
    assert uri == (elsewhere.mlflow_artifacts / "demo" / RUN / "artifacts").as_uri()
    assert ask_sql(elsewhere.home / ZENML, "SELECT uri FROM artifact_version") == [
        (f"{elsewhere.home}/zenml/local_stores/x",)
    ]
    assert str(elsewhere.home) in (elsewhere.home / "zenml" / "config.yaml").read_text(encoding="utf-8")
    assert (elsewhere.mlflow_artifacts / "demo" / RUN / "artifacts" / "best.pt").read_text(
        encoding="utf-8"
    ) == "weights"


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (lambda it: run_sql(it.mlflow_database, *ONE_RUN), "1 MLflow runs"),
        (lambda it: run_sql(it.mlflow_database, *A_DELETED_RUN), "1 MLflow runs"),
        (lambda it: write(it.services / "data" / "store" / "x", "x"), "the servers' data in .*, without their keys"),
        (lambda it: run_sql(it.home / ZENML, *ONE_PIPELINE_RUN), "1 ZenML pipeline runs"),
        (lambda it: write(it.audit / "det.jsonl", "an entry\n"), r"the audit log det\.jsonl"),
        (lambda it: write(it.outbox / "embedded" / "r.jsonl", "{}\n"), "undelivered events of 1 runs in the outbox"),
        (lambda it: write(it.decisions / "one.md", "reject"), r"another reports/decisions/one\.md"),
        (lambda it: write(it.connection_file, "{}"), "the connection to a server"),
    ],
)
def test_existing_records_are_named_and_not_overwritten(
    container: StackContainer, backup: Path, elsewhere: Settings, there: Callable[[Settings], None], message: str
) -> None:
    there(elsewhere)
    before = files_of(elsewhere)
    with pytest.raises(InputError, match=f"is not empty: {message}"):
        restore(container, elsewhere, backup, report=quiet)
    assert files_of(elsewhere) == before


def test_a_restored_home_of_an_earlier_schema_is_migrated(
    container: StackContainer, elsewhere: Settings, tmp_path: Path
) -> None:
    (container.home / "schema.json").unlink()
    write(container.settings.trained / "one.json", '{"run_id": "1"}')
    take_backup(container, None, tmp_path / "backup", take_snapshot=None, report=quiet)
    restore(container, elsewhere, tmp_path / "backup", report=quiet)
    assert json.loads((elsewhere.trained / "one.json").read_text(encoding="utf-8"))["model"] == {"run_id": "1"}
    assert (elsewhere.home / "schema.json").is_file()


def test_a_home_of_a_newer_schema_is_refused_before_anything_is_touched(
    container: StackContainer, elsewhere: Settings, tmp_path: Path
) -> None:
    write(container.home / "schema.json", '{"schema": 99}')
    take_backup(container, None, tmp_path / "backup", take_snapshot=None, report=quiet)
    with pytest.raises(InputError, match="newer version"):
        restore(container, elsewhere, tmp_path / "backup", report=quiet)
    assert not elsewhere.trained.exists()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_empty_records_are_removed_and_other_files_kept(
    container: StackContainer, backup: Path, elsewhere: Settings
) -> None:
    run_sql(elsewhere.mlflow_database, *A_PROBE)
    write(elsewhere.mlflow_database.with_name("mlflow.db-wal"), "of the former database")
    write(elsewhere.weights / "other.pt", "mine")
    write(elsewhere.decisions / "one.md", "promote")
    restore(container, elsewhere, backup, report=quiet)
    assert len(ask_sql(elsewhere.mlflow_database, "SELECT * FROM runs WHERE lifecycle_stage = 'active'")) == 1
    assert (elsewhere.weights / "other.pt").read_text(encoding="utf-8") == "mine"


def test_a_second_time_it_is_refused(container: StackContainer, backup: Path, elsewhere: Settings) -> None:
    restore(container, elsewhere, backup, report=quiet)
    with pytest.raises(InputError, match="is not empty"):
        restore(container, elsewhere, backup, report=quiet)


@pytest.mark.parametrize("at", ["copy the files", "move everything into place"])
def test_an_interrupted_restore_is_repeated_or_completed_by_the_same_command(
    container: StackContainer, backup: Path, elsewhere: Settings, at: str
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.what == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(container, elsewhere, backup, report=interrupt)
    assert not elsewhere.mlflow_database.exists(), "nothing half restored is in place"
    restore(container, elsewhere, backup, report=quiet)
    assert len(ask_sql(elsewhere.mlflow_database, "SELECT * FROM runs")) == 1
    assert not (elsewhere.home / "restoring").exists()


def test_a_restore_that_was_killed_while_moving_is_completed(
    container: StackContainer, backup: Path, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves: list[str] = []
    real = shutil.move

    def move(source: Path, target: Path) -> None:
        moves.append(str(source))
        if len(moves) == 3:
            raise KeyboardInterrupt
        real(source, target)

    monkeypatch.setattr(restoring.shutil, "move", move)
    with pytest.raises(KeyboardInterrupt):
        restore(container, elsewhere, backup, report=quiet)
    restore(container, elsewhere, backup, report=quiet)
    assert set(files_of(elsewhere)) == set(files_of(container.settings))


def test_another_backup_does_not_complete_an_interrupted_restore(
    container: StackContainer, backup: Path, elsewhere: Settings, tmp_path: Path
) -> None:
    write(elsewhere.home / "restoring" / "ready", "of another")
    with pytest.raises(InputError, match="another backup was interrupted"):
        restore(container, elsewhere, backup, report=quiet)


def test_two_restores_at_once_are_kept_apart(container: StackContainer, backup: Path, elsewhere: Settings) -> None:
    elsewhere.home.mkdir(parents=True)
    with FileLock(elsewhere.home / "restoring.lock"), pytest.raises(ServiceUnavailableError, match="another restore"):
        restore(container, elsewhere, backup, report=quiet)


def test_records_of_other_versions_are_not_restored(
    container: StackContainer, elsewhere: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    Contents(folder).begin()
    old = {"zenml": "0.66.0", "mlflow": "2.1.0"}
    Contents(folder).finish(manifest_of([], made_at=datetime.now(UTC), home="/", software=old))
    with pytest.raises(InputError, match=r"made with zenml 0\.66\.0 \(here: .*\), mlflow 2\.1\.0"):
        restore(container, elsewhere, folder, report=quiet)


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(
    container: StackContainer, backup: Path, elsewhere: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match=r"GB may be needed, and 0\.00 GB are free"):
        take_backup(container, None, tmp_path / "new", take_snapshot=None, report=quiet)
    with pytest.raises(InputError, match=r"GB may be needed, and 0\.00 GB are free"):
        restore(container, elsewhere, backup, report=quiet)
    assert not (tmp_path / "new").exists()
    assert files_of(elsewhere) == {}


def test_a_backup_goes_into_a_new_folder(container: StackContainer, backup: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an empty folder"):
        take_backup(container, None, backup, take_snapshot=None, report=quiet)
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="is not an empty folder"):
        take_backup(container, None, tmp_path / "file", take_snapshot=None, report=quiet)
    (tmp_path / "empty").mkdir()
    take_backup(container, None, tmp_path / "empty", take_snapshot=None, report=quiet)
    verified(tmp_path / "empty", quiet)


def test_an_interrupted_backup_is_not_a_backup_and_is_not_continued(container: StackContainer, tmp_path: Path) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.what == "copy the files":
            raise KeyboardInterrupt

    folder = tmp_path / "new"
    with pytest.raises(KeyboardInterrupt):
        take_backup(container, None, folder, take_snapshot=None, report=interrupt)
    with pytest.raises(NotFoundError, match="unfinished backup"):
        verified(folder, quiet)
    with pytest.raises(InputError, match="holds an unfinished backup"):
        take_backup(container, None, folder, take_snapshot=None, report=quiet)


def test_a_backup_waits_for_a_promotion_and_then_names_it(
    container: StackContainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take, "PROMOTION_WITHIN_S", 0.1)
    with FileLock(container.settings.audit / "det.lock"), pytest.raises(ServiceUnavailableError, match="a promotion"):
        take_backup(container, None, tmp_path / "new", take_snapshot=None, report=quiet)


def test_a_project_without_records_has_nothing_to_keep(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path)
    with pytest.raises(NotFoundError, match="nothing is recorded") as raised:
        take_backup(StackContainer(settings), None, tmp_path / "new", take_snapshot=None, report=quiet)
    assert "records" in str(raised.value.hint)
    write(settings.connection_file, json.dumps({"url": "http://zenml.test", "api_key": "key"}))
    with pytest.raises(NotFoundError) as raised:
        take_backup(StackContainer(Settings(root=tmp_path)), None, tmp_path / "new", take_snapshot=None, report=quiet)
    assert "http://zenml.test" in str(raised.value.hint)


def test_the_snapshots_before_and_after_are_in_the_backup(container: StackContainer, tmp_path: Path) -> None:
    reported = iter([{"runs": {"a": "1", "b": "1"}}, {"runs": {"a": "1", "b": "2"}}])
    folder = tmp_path / "new"
    manifest = take_backup(container, None, folder, take_snapshot=lambda: next(reported), report=quiet)
    snapshot = read_snapshot(Contents(folder), manifest)
    assert snapshot is not None
    assert snapshot.settled == {"runs": {"a": "1"}}
    assert snapshot.moving == {"runs": ("b",)}
    assert read_snapshot(Contents(folder), manifest_of([], made_at=manifest.made_at, home="/", software={})) is None
