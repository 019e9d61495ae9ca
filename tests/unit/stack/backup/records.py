"""Small projects to be backed up: the embedded records as files, without MLflow and ZenML."""

import sqlite3
from contextlib import closing
from pathlib import Path

from cv_yolo.settings import Settings
from cv_yolo_stack.backup.content_store import Progress
from cv_yolo_stack.container import StackContainer

RUN = "0123456789abcdef0123456789abcdef"
ZENML = "zenml/local_stores/default_zen_store/zenml.db"


def quiet(_: Progress) -> None:
    """Report nothing."""


def run_sql(path: Path, *statements: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def ask_sql(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(question).fetchall()


def a_project(root: Path) -> StackContainer:
    """One run with an artifact, one ZenML artifact, an audit log, weights and a decision."""
    container = StackContainer(Settings(root=root))
    home = container.home
    artifact = home / "mlflow" / "artifacts" / "demo" / RUN / "artifacts" / "best.pt"
    for path, text in {
        artifact: "weights",
        home / "audit" / "det.jsonl": "one entry\n",
        home / "audit" / "det.lock": "",
        home / "weights" / "w.pt": "weights",
        home / "connection.json": '{"url": "http://zenml.test", "api_key": "key"}',
        home / "zenml" / "config.yaml": f"store: sqlite:///{home}/{ZENML}\n",
        root / "reports" / "decisions" / "one.md": "promote",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    uri = artifact.parent.as_uri()
    run_sql(
        home / "mlflow" / "mlflow.db",
        "CREATE TABLE experiments (experiment_id INTEGER, name TEXT)",
        "INSERT INTO experiments VALUES (1, 'demo')",
        "CREATE TABLE runs (run_uuid TEXT, experiment_id INTEGER, lifecycle_stage TEXT, artifact_uri TEXT)",
        f"INSERT INTO runs VALUES ('{RUN}', 1, 'active', '{uri}')",
    )
    run_sql(
        home / ZENML,
        "CREATE TABLE artifact_version (uri TEXT)",
        f"INSERT INTO artifact_version VALUES ('{home}/zenml/local_stores/x')",
    )
    return container
