"""SQLite files: copied while others write to them, and told that a folder has moved."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError

MAGIC: Final = b"SQLite format 3\0"
COMPANIONS: Final = ("-wal", "-shm", "-journal")
BUSY_WITHIN_S: Final = 60.0


def is_sqlite(path: Path) -> bool:
    """Whether the file is a database."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy as of one moment, whoever writes meanwhile; raises `ServiceUnavailableError` for a damaged database."""
    try:
        with closing(_opened(source)) as former, closing(sqlite3.connect(target)) as copy:
            former.backup(copy)
            said = copy.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.Error as error:
        raise ServiceUnavailableError(f"{source}: {error}", hint="`cv-yolo doctor machine` examines it") from error
    if said != "ok":
        raise ServiceUnavailableError(f"{source} is damaged: {said}", hint="bring it back from an earlier backup")


def count(database: Path, questions: dict[str, str]) -> dict[str, int]:
    """The number that each SQL question yields; of a table that is not there, 0."""
    if not database.is_file():
        return dict.fromkeys(questions, 0)
    with closing(_opened(database)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return {
            table: connection.execute(question).fetchone()[0] if table in tables else 0
            for table, question in questions.items()
        }


def rewrite(database: Path, text: Callable[[str], str]) -> int:
    """Change every text in a database so; how many values that were."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.create_function("rewritten", 1, text, deterministic=True)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(_rewrite(connection, table) for table in tables)


def _rewrite(connection: sqlite3.Connection, table: str) -> int:
    changed = 0
    for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall():
        is_other = f"typeof({_quoted(column)}) = 'text' AND rewritten({_quoted(column)}) <> {_quoted(column)}"
        update = f"UPDATE {_quoted(table)} SET {_quoted(column)} = rewritten({_quoted(column)}) WHERE {is_other}"  # noqa: S608 - quoted names
        changed += connection.execute(update).rowcount
    return changed


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _opened(path: Path) -> sqlite3.Connection:
    """Never made where it is not there; not read-only: what a killed writer left behind is settled first."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_WITHIN_S)
