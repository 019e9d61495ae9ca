"""SQLite files behind the port `DatabaseFiles`: copied while in use, and rewritten when a folder has moved."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.sql.records import COUNTS, TABLES, content_of
from cv_yolo_stack.ports.databases import RecordKind

BUSY_WITHIN_S: Final = 60.0


class SqliteFiles:
    """Databases that are files; waits for other writers."""

    def copy(self, source: Path, target: Path) -> None:
        """Copy a database as of one moment, and check the copy."""
        with _translated(source), closing(_opened(source)) as former, closing(sqlite3.connect(target)) as copy:
            former.backup(copy)
            said = copy.execute("PRAGMA quick_check").fetchone()[0]
        if said != "ok":
            raise ServiceUnavailableError(f"{source} is damaged: {said}", hint="restore it from an earlier backup")

    def count_records(self, database: Path) -> dict[RecordKind, int]:
        """How many records of which kind are in a database, where it is there."""
        if not database.is_file():
            return {}
        with _translated(database), closing(_opened(database)) as connection:
            tables = _tables(connection)
            kinds = [kind for kind in RecordKind if TABLES[kind] in tables]
            return {kind: int(connection.execute(COUNTS[kind]).fetchone()[0]) for kind in kinds}

    def rewrite_text(self, database: Path, rewritten: Callable[[str], str]) -> int:
        """Change every text in a database, in one transaction; returns how many values that were."""
        with _translated(database), closing(sqlite3.connect(database)) as connection, connection:
            connection.create_function("rewritten", 1, rewritten, deterministic=True)
            return sum(_rewrite(connection, table) for table in _tables(connection))


def stored_in_file(path: Path) -> Callable[[str], bytes]:
    """What ZenML keeps of a secret's values in an SQLite file, by its id."""

    def stored(secret_id: str) -> bytes:
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                found = connection.execute('SELECT "values" FROM secret WHERE id = ?', (secret_id,)).fetchone()
        except sqlite3.Error as error:
            raise ServiceUnavailableError(f"{path}: {error}") from error
        return content_of(found)

    return stored


def _tables(connection: sqlite3.Connection) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


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


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise ServiceUnavailableError(f"{path}: {error}", hint="`cv-yolo doctor machine` examines it") from error
