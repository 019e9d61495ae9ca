"""Stacks and their backups without starting a server: what is kept, what is refused, and with which words."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cv_yolo.errors import InputError, NotFoundError, ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.backup import stack as servers
from cv_yolo_stack.backup import take
from cv_yolo_stack.backup.content_store import Contents
from cv_yolo_stack.backup.preconditions import require_empty
from cv_yolo_stack.backup.records import adapt_connection, adapt_records
from cv_yolo_stack.backup.stack import kept_stack, require_able
from cv_yolo_stack.backup.take import take_backup
from cv_yolo_stack.configuration.choice import DatabaseKind, StoreKind
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.programs import find_mariadb
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.domain.backup_manifest import BackupManifest, manifest_of
from cv_yolo_stack.ports.databases import DatabaseFiles, RecordKind
from tests.databases import FakeDatabaseFiles, FakeDatabaseServer
from tests.unit.stack.backup.records import quiet
from tests.unit.stack.backup.stacks import MemoryStore, a_stack

EXTERNAL_STORE = {"store": StoreKind.EXTERNAL, "store_url": "http://s3.test"}
EXTERNAL_DATABASE = {"database": DatabaseKind.EXTERNAL, "database_url": "mysql://db.test:3306"}
NOTHING = manifest_of(
    [], made_at=datetime(2026, 11, 26, tzinfo=UTC), home="/", software={"database": "10.11.6-MariaDB"}
)


def holding(files: DatabaseFiles) -> Any:
    """What `StackContainer` gives of files."""
    return SimpleNamespace(database_files=files)


def a_kept(tmp_path: Path, **choice: Any) -> tuple[BackupManifest, Contents]:
    """The backup of a stack's choice and keys."""
    stack, contents = a_stack(tmp_path / "former", **choice), Contents(tmp_path / "backup")
    contents.begin()
    kept = [
        contents.keep_file("home/services/stack.json", stack.folder.choice),
        contents.keep_file("home/services/credentials.json", stack.folder.credentials),
    ]
    return manifest_of(kept, made_at=NOTHING.made_at, home="/", software={}), contents


def test_a_stack_is_kept_with_its_keys_and_may_listen_elsewhere(tmp_path: Path) -> None:
    manifest, contents = a_kept(tmp_path, minio="/opt/somewhere/minio", store=StoreKind.MINIO)
    stack = kept_stack(manifest, contents, StackFolder(root=tmp_path / "new"), {"zenml": 9999})
    assert stack is not None
    assert stack.pipelines.url == "http://127.0.0.1:9999"
    assert stack.tracking.uri == "http://127.0.0.1:5000"
    assert stack.choice.minio is None, "the other machine's path is not looked for here"
    assert stack.credentials.zenml_encryption_key


def test_a_backup_of_no_servers_has_no_stack(tmp_path: Path) -> None:
    assert kept_stack(NOTHING, Contents(tmp_path), StackFolder(root=tmp_path), {}) is None


def test_a_drill_replaces_external_servers_by_local_ones(tmp_path: Path) -> None:
    manifest, contents = a_kept(tmp_path, host="0.0.0.0", **EXTERNAL_STORE, **EXTERNAL_DATABASE)
    folder = StackFolder(root=tmp_path / "new")
    as_it_was, own = (kept_stack(manifest, contents, folder, {}, own=own) for own in (False, True))
    assert as_it_was is not None
    assert own is not None
    assert as_it_was.choice.store_url == "http://s3.test"
    assert (own.choice.store, own.choice.database) == (StoreKind.RCLONE, DatabaseKind.MARIADB)
    assert (own.choice.store_url, own.choice.database_url, own.choice.host) == (None, None, "127.0.0.1")


def test_others_servers_are_not_filled_where_they_hold_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = a_stack(tmp_path, **EXTERNAL_STORE, **EXTERNAL_DATABASE)
    server = FakeDatabaseServer(databases={"mlflow": {RecordKind.MLFLOW_RUN: 1}})
    container = MemoryStore(kept={"mlflow": {"x": b"theirs"}}).container(server)
    monkeypatch.setattr(servers, "require_loader", lambda: Path("mariadb"))
    with pytest.raises(InputError, match=r"mysql://db\.test:3306 holds records and the buckets .* hold objects"):
        require_able(container, stack, NOTHING)


@pytest.mark.parametrize(
    ("kept", "here", "able"),
    [
        ("10.11.6-MariaDB", "10.11.2-MariaDB", True),
        ("10.11.6-MariaDB", "11.4.1-MariaDB", True),
        ("10.11.6-MariaDB", "10.6.1-MariaDB", False),
        ("8.4.0", "8.4.1", True),
        ("8.4.0", "10.11.2-MariaDB", False),
        ("10.11.6-MariaDB", "8.4.0", False),
    ],
)
def test_a_dump_is_loaded_by_the_same_kind_of_server_and_no_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str, here: str, able: bool
) -> None:
    stack = a_stack(tmp_path, **EXTERNAL_DATABASE)
    container = MemoryStore().container(FakeDatabaseServer(name=here))
    monkeypatch.setattr(servers, "require_loader", lambda: Path("mariadb"))
    manifest = replace(NOTHING, software={"database": kept})
    if able:
        require_able(container, stack, manifest)
        return
    with pytest.raises(InputError, match=f"need {kept}; this machine has {here}"):
        require_able(container, stack, manifest)


@pytest.mark.skipif(find_mariadb() is None, reason="mariadbd is not installed")
def test_the_version_of_the_server_on_this_machine_is_asked_of_it(tmp_path: Path) -> None:
    stack = a_stack(tmp_path, database=DatabaseKind.MARIADB)
    require_able(StackContainer(Settings(root=tmp_path)), stack, NOTHING)
    with pytest.raises(InputError, match=r"need 99\.1-MariaDB; this machine has \d+\.\d+"):
        require_able(
            StackContainer(Settings(root=tmp_path)), stack, replace(NOTHING, software={"database": "99.1-MariaDB"})
        )


def test_missing_programs_are_named_before_anything_changes(tmp_path: Path) -> None:
    stack = a_stack(tmp_path, store=StoreKind.MINIO, minio=str(tmp_path / "no minio"))
    stack = replace(stack, choice=replace(stack.choice, minio=None))
    if shutil.which("minio"):
        pytest.skip("MinIO is installed")
    with pytest.raises(NotFoundError, match="minio is not installed"):
        require_able(StackContainer(Settings(root=tmp_path / "home")), stack, NOTHING)


def test_servers_that_are_down_cannot_be_backed_up(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path / "project")
    stack = a_stack(settings.services)
    with pytest.raises(ServiceUnavailableError, match="the servers are not all running") as raised:
        take_backup(StackContainer(settings), stack, tmp_path / "new", take_snapshot=None, report=quiet)
    assert "cv-yolo up" in str(raised.value.hint)


def test_a_stack_with_records_is_not_empty(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path / "project")
    stack = a_stack(settings.services)
    require_empty(holding(FakeDatabaseFiles()), settings, NOTHING)
    for path in (stack.folder.data("store") / "mlflow" / "x", stack.folder.data("store") / ".minio.sys" / "own"):
        path.parent.mkdir(parents=True)
        path.write_text("x", encoding="utf-8")
    files = FakeDatabaseFiles()
    files.make(stack.folder.data("mlflow") / "mlflow.db", {RecordKind.MLFLOW_MODEL_VERSION: 1})
    files.make(stack.folder.data("zenml") / "zenml.db", {RecordKind.ZENML_ARTIFACT: 1, RecordKind.MLFLOW_RUN: 0})
    with pytest.raises(InputError, match="1 objects in the store, 1 MLflow model versions, 1 ZenML artifacts"):
        require_empty(holding(files), settings, NOTHING)


def test_records_in_the_home_are_named(tmp_path: Path) -> None:
    settings, files = Settings(root=tmp_path / "project"), FakeDatabaseFiles()
    files.make(settings.mlflow_database, {RecordKind.MLFLOW_RUN: 2})
    with pytest.raises(InputError, match=r"is not empty: 2 MLflow runs$"):
        require_empty(holding(files), settings, NOTHING)


def test_the_size_of_the_databases_is_asked_of_their_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, settings = a_stack(tmp_path / "services", **EXTERNAL_DATABASE), Settings(root=tmp_path)
    server = FakeDatabaseServer(databases={"zenml": {RecordKind.ZENML_ARTIFACT: 10**15}})
    container = MemoryStore().container(server)
    container.settings = settings
    monkeypatch.setattr(take, "_require_up", lambda _: None)
    with pytest.raises(InputError, match=r"new: 1000000000\.10 GB may be needed"):
        take_backup(container, stack, tmp_path / "new", take_snapshot=None, report=quiet)
    assert not (tmp_path / "new").exists()


def test_records_in_another_home_name_its_files(tmp_path: Path) -> None:
    files, record = FakeDatabaseFiles(), tmp_path / "mlflow" / "mlflow.db"
    files.make(record, {}, ["/former/home/artifacts/x", "/elsewhere"])
    adapt_records(tmp_path, files, former="/former/home", home=Path("/home/of/mine"))
    assert files.texts(record) == ["/home/of/mine/artifacts/x", "/elsewhere"]


def test_a_connection_to_the_stacks_own_server_follows_it(tmp_path: Path) -> None:
    connection = tmp_path / "connection.json"
    adapt_connection(connection, former_url="http://a:1", url="http://a:2")
    assert not connection.exists()
    connection.write_text(json.dumps({"url": "http://a:1", "api_key": "key"}), encoding="utf-8")
    adapt_connection(connection, former_url="http://a:1", url="http://a:2")
    assert json.loads(connection.read_text(encoding="utf-8")) == {"url": "http://a:2", "api_key": "key"}
    assert connection.stat().st_mode & 0o777 == 0o600
    adapt_connection(connection, former_url="http://a:1", url="http://a:3")
    assert json.loads(connection.read_text(encoding="utf-8"))["url"] == "http://a:2"
