"""SQLite files: copied as of one moment under a busy writer, counted, and told that a folder has moved."""

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.backup.sqlite import copy_sqlite, count, is_sqlite, rewrite

COPIES = 4


def a_database(path: Path, *, mode: str = "delete") -> Path:
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
def test_a_copy_holds_whole_transactions_only_while_somebody_writes(tmp_path: Path, mode: str) -> None:
    source, stop = a_database(tmp_path / "source.db", mode=mode), threading.Event()

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
            copy_sqlite(source, tmp_path / f"{number}.db")
    finally:
        stop.set()
        writer.join()
    found = [sums(tmp_path / f"{number}.db") for number in range(COPIES)]
    assert all(debit == credit for debit, credit in found)
    assert found == sorted(found)


def test_what_is_no_database_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("SQLite? no", encoding="utf-8")
    assert is_sqlite(a_database(tmp_path / "real"))
    assert not is_sqlite(tmp_path / "text.db")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"gone\.db"):
        copy_sqlite(tmp_path / "gone.db", tmp_path / "copy.db")
    assert not (tmp_path / "gone.db").exists()


def test_a_damaged_database_is_not_taken_for_a_copy(tmp_path: Path) -> None:
    source = a_database(tmp_path / "source.db")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.executemany("INSERT INTO debit VALUES (?, ?)", [(number, "x" * 500) for number in range(100)])
    with source.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 4))
    with pytest.raises(ServiceUnavailableError, match=r"source\.db"):
        copy_sqlite(source, tmp_path / "copy.db")


def test_rows_are_counted_and_a_table_that_is_not_there_has_none(tmp_path: Path) -> None:
    source = a_database(tmp_path / "source.db")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("INSERT INTO debit VALUES (1, 'x')")
    questions = {"debit": "SELECT COUNT(*) FROM debit", "other": "SELECT COUNT(*) FROM other"}
    assert count(source, questions) == {"debit": 1, "other": 0}
    assert count(tmp_path / "none.db", questions) == {"debit": 0, "other": 0}


def test_every_text_is_rewritten_and_nothing_else(tmp_path: Path) -> None:
    source = a_database(tmp_path / "source.db")
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute('CREATE TABLE "odd ""name" ("a ""column" TEXT, binary BLOB)')
        connection.execute('INSERT INTO "odd ""name" VALUES (?, ?)', ("/old/x", b"/old/x"))
        connection.execute("INSERT INTO debit VALUES (7, '/old/y'), (8, NULL), (9, 'other')")
    assert rewrite(source, lambda text: text.replace("/old", "/new")) == 2
    with closing(sqlite3.connect(source)) as connection:
        assert connection.execute('SELECT * FROM "odd ""name"').fetchall() == [("/new/x", b"/old/x")]
        assert connection.execute("SELECT * FROM debit").fetchall() == [(7, "/new/y"), (8, None), (9, "other")]
