"""What of a project is kept, and in which order."""

import sqlite3
from pathlib import Path

import pytest

from cv_yolo.settings import Settings
from cv_yolo_stack.backup.sources import backup_sources, is_sqlite, target_of

KEPT = (
    "home/mlflow/mlflow.db",
    "home/services/data/mlflow/mlflow.db",
    "home/services/data/mlflow/users.db",
    "home/services/data/zenml/zenml.db",
    "home/zenml/local_stores/default_zen_store/zenml.db",
    "home/audit/det.jsonl",
    "home/connection.json",
    "home/dvc/cache/files/md5/ab/cd",
    "home/dvc/remote/files/md5/ab/cd",
    "home/mlflow/artifacts/e/r/artifacts/.hidden",
    "home/mlflow/artifacts/e/r/artifacts/dvc.lock",
    "home/mlflow/artifacts/e/r/artifacts/run-wal",
    "home/mlflow/artifacts/e/r/artifacts/x.part",
    "home/outbox/embedded/r.jsonl",
    "home/services/credentials.json",
    "home/services/stack.json",
    "home/trained/f.json",
    "home/weights/w.pt",
    "home/zenml/config.yaml",
    "home/zenml/local_stores/id/artifact/data.json",
    "project/.dvc/cache/files/md5/ab/cd",
    "project/reports/decisions/one.md",
)
LEFT = (
    "home/audit/det.lock",
    "home/mlflow/mlflow.db-wal",
    "home/mlflow/mlflow.db-shm",
    "home/zenml/local_stores/default_zen_store/zenml.db-journal",
    "home/outbox/embedded/.a.lock",
    "home/trained/.f.json.0a1b2c3d",
    "home/weights/w.1a.part",
    "home/runs/pipeline/journal.jsonl",
    "home/services/state.json",
    "home/services/logs/zenml.log",
    "home/services/data/store/mlflow/x",
    "home/services/data/database/ibdata1",
    "home/bin/minio",
    "home/ultralytics/settings.json",
    "project/.dvc/config.local",
    "project/data/image.png",
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(root=tmp_path)
    for place in (*KEPT, *LEFT):
        path = target_of(place, root=settings.root, home=settings.home)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".db":
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE t (a)")
        else:
            path.write_text(place, encoding="utf-8")
    (settings.home / "weights" / "link.pt").symlink_to(settings.home / "weights" / "w.pt")
    return settings


def test_records_files_and_keys_are_backed_up_and_what_is_recreated_is_not(settings: Settings) -> None:
    assert [each.place for each in backup_sources(settings)] == list(KEPT)


def test_databases_and_logs_come_first_and_of_one_moment(settings: Settings) -> None:
    found = backup_sources(settings)
    assert [each.place for each in found if each.is_record] == list(KEPT[:6])
    assert [each.place for each in found if each.is_database] == list(KEPT[:5])


def test_an_empty_project_holds_nothing(tmp_path: Path) -> None:
    assert backup_sources(Settings(root=tmp_path)) == []


def test_a_database_is_known_by_its_content(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "real") as connection:
        connection.execute("CREATE TABLE x (a)")
    connection.close()
    (tmp_path / "text.db").write_text("SQLite? no", encoding="utf-8")
    assert is_sqlite(tmp_path / "real")
    assert not is_sqlite(tmp_path / "text.db")
