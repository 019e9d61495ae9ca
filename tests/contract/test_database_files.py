"""`DatabaseFiles`: databases are copied, counted and rewritten after a move; SQLite's, under a busy writer."""

import os
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.sql.records import TABLES
from cv_yolo_stack.adapters.sql.sqlite_files import SqliteFiles
from cv_yolo_stack.ports.databases import DatabaseFiles, RecordKind
from tests.databases import FakeDatabaseFiles

COPIES = 4
RUN, ARTIFACT = RecordKind.MLFLOW_RUN, RecordKind.ZENML_ARTIFACT


@dataclass(frozen=True, kw_only=True)
class Files:
    """A port, and how a database for it is made and read."""

    port: DatabaseFiles

    def make(self, database: Path, records: Mapping[RecordKind, int], texts: Sequence[str] = ()) -> Path:
        if isinstance(self.port, FakeDatabaseFiles):
            self.port.make(database, records, texts)
            return database
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE notes (note TEXT)")
            connection.executemany("INSERT INTO notes VALUES (?)", [(text,) for text in texts])
            connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
            for kind, number in records.items():
                connection.execute(f"CREATE TABLE {TABLES[kind]} (experiment_id INTEGER, lifecycle_stage TEXT)")
                connection.executemany(f"INSERT INTO {TABLES[kind]} VALUES (?, 'active')", [(1,)] * number)
        return database

    def texts(self, database: Path) -> list[str]:
        if isinstance(self.port, FakeDatabaseFiles):
            return self.port.texts(database)
        with closing(sqlite3.connect(database)) as connection:
            return [text for (text,) in connection.execute("SELECT note FROM notes ORDER BY rowid")]


@pytest.fixture(params=["fake", "sqlite"])
def files(request: pytest.FixtureRequest) -> Files:
    return Files(port=FakeDatabaseFiles() if request.param == "fake" else SqliteFiles())


def test_a_copy_holds_what_was_there(files: Files, tmp_path: Path) -> None:
    source, copy = files.make(tmp_path / "source.db", {RUN: 3}, ["a", "b"]), tmp_path / "copy.db"
    files.port.copy(source, copy)
    assert (files.port.count_records(copy), files.texts(copy)) == ({RUN: 3}, ["a", "b"])


def test_a_database_that_is_missing_is_not_made(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"gone\.db"):
        files.port.copy(tmp_path / "gone.db", tmp_path / "copy.db")
    assert not (tmp_path / "gone.db").exists()


def test_records_are_counted_by_kind(files: Files, tmp_path: Path) -> None:
    source = files.make(tmp_path / "source.db", {RUN: 2, ARTIFACT: 1, RecordKind.ZENML_PIPELINE_RUN: 0})
    assert files.port.count_records(source) == {RUN: 2, ARTIFACT: 1, RecordKind.ZENML_PIPELINE_RUN: 0}


def test_a_database_that_is_missing_has_no_records(files: Files, tmp_path: Path) -> None:
    assert files.port.count_records(tmp_path / "none.db") == {}
    assert not (tmp_path / "none.db").exists()


def test_every_text_is_rewritten_where_it_differs(files: Files, tmp_path: Path) -> None:
    source = files.make(tmp_path / "source.db", {RUN: 1}, ["/old/x", "other", "/old/y"])
    assert files.port.rewrite_text(source, lambda text: text.replace("/old", "/new")) == 2
    assert files.texts(source) == ["/new/x", "other", "/new/y"]
    assert files.port.count_records(source) == {RUN: 1}


@pytest.mark.parametrize("do", ["copy", "count", "rewrite"])
def test_an_invalid_database_is_named(files: Files, tmp_path: Path, do: str) -> None:
    text = tmp_path / "text.db"
    text.write_text("no database at all: " + "x" * 2000, encoding="utf-8")
    with pytest.raises(ServiceUnavailableError, match=r"text\.db: "):
        {
            "copy": lambda: files.port.copy(text, tmp_path / "copy.db"),
            "count": lambda: files.port.count_records(text),
            "rewrite": lambda: files.port.rewrite_text(text, str.upper),
        }[do]()


def a_ledger(path: Path, *, mode: str = "delete") -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE debit (amount INTEGER, note TEXT)")
        connection.execute("CREATE TABLE credit (amount INTEGER)")
    return path


def sums(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as connection:
        return tuple(
            connection.execute(f"SELECT COALESCE(SUM(amount), 0) FROM {name}").fetchone()[0]
            for name in ("debit", "credit")
        )


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_copy_during_writes_contains_only_whole_transactions(tmp_path: Path, mode: str) -> None:
    source, stop = a_ledger(tmp_path / "source.db", mode=mode), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(source, timeout=60)) as connection:
            while not stop.wait(0.002):
                with connection:
                    connection.execute("INSERT INTO debit VALUES (1, 'x')")
                    connection.execute("INSERT INTO credit VALUES (1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(COPIES):
            SqliteFiles().copy(source, tmp_path / f"{number}.db")
    finally:
        stop.set()
        writer.join()
    found = [sums(tmp_path / f"{number}.db") for number in range(COPIES)]
    assert all(debit == credit for debit, credit in found)
    assert found == sorted(found)


def test_a_damaged_database_is_not_taken_for_a_copy(tmp_path: Path) -> None:
    source = a_ledger(tmp_path / "source.db")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.executemany("INSERT INTO debit VALUES (?, ?)", [(number, "x" * 500) for number in range(100)])
    with source.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))
    with pytest.raises(ServiceUnavailableError, match=r"source\.db"):
        SqliteFiles().copy(source, tmp_path / "copy.db")


def test_deleted_runs_of_our_probes_are_not_records(tmp_path: Path) -> None:
    source = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("CREATE TABLE experiments (experiment_id INTEGER, name TEXT)")
        connection.execute("INSERT INTO experiments VALUES (1, 'demo'), (2, 'cv_yolo_probe')")
        connection.execute("CREATE TABLE runs (experiment_id INTEGER, lifecycle_stage TEXT)")
        connection.execute("INSERT INTO runs VALUES (1, 'active'), (1, 'deleted'), (2, 'active'), (2, 'deleted')")
    assert SqliteFiles().count_records(source) == {RUN: 3}


def test_only_text_is_rewritten_whatever_tables_and_columns_are_called(tmp_path: Path) -> None:
    source = a_ledger(tmp_path / "source.db")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute('CREATE TABLE "odd ""name" ("a ""column" TEXT, binary BLOB)')
        connection.execute('INSERT INTO "odd ""name" VALUES (?, ?)', ("/old/x", b"/old/x"))
        connection.execute("INSERT INTO debit VALUES (7, '/old/y'), (8, NULL), (9, 'other')")
    assert SqliteFiles().rewrite_text(source, lambda text: text.replace("/old", "/new")) == 2
    with closing(sqlite3.connect(source)) as connection:
        assert connection.execute('SELECT * FROM "odd ""name"').fetchall() == [("/new/x", b"/old/x")]
        assert connection.execute("SELECT * FROM debit").fetchall() == [(7, "/new/y"), (8, None), (9, "other")]
