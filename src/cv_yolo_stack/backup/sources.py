"""What of a project belongs in a backup: records, files and keys; not what the next command recreates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.settings import Settings
from cv_yolo_stack.domain.backup_manifest import HOME, PROJECT

IN_HOME: Final = (
    *("audit", "connection.json", "mlflow", "outbox", "schema.json", "trained", "weights", "zenml"),
    *("dvc/cache", "dvc/remote"),
    *("services/credentials.json", "services/stack.json"),
    *("services/data/mlflow/mlflow.db", "services/data/mlflow/users.db", "services/data/zenml/zenml.db"),
)
IN_PROJECT: Final = ("reports/decisions", ".dvc/cache")
TRACKING_RECORDS: Final = ("home/services/data/mlflow/mlflow.db", "home/mlflow/mlflow.db")
AUDIT_FILES: Final = f"{HOME}/audit/"
OURS: Final = (
    "home/audit/",
    "home/outbox/",
    "home/trained/",
    "home/weights/",
    "home/dvc/",
)  # we know each file in them
SQLITE_MAGIC: Final = b"SQLite format 3\0"
SQLITE_COMPANIONS: Final = ("-wal", "-shm", "-journal")  # next to a database that is in use
UNFINISHED: Final = re.compile(r"\..+\.[0-9a-f]{8}|.+\.part|.+\.lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSource:
    """A file that is to be kept, by its place; `turn` is its turn where the order matters."""

    place: str
    path: Path
    turn: int

    @property
    def is_record(self) -> bool:
        """Whether it is a database or an audit log: all of these are copied as of one moment."""
        return self.turn < 3  # noqa: PLR2004 - see `_turn`

    @property
    def is_database(self) -> bool:
        """Whether it is an SQLite file, which can be copied only by SQLite."""
        return self.turn < 2  # noqa: PLR2004 - see `_turn`


def backup_sources(settings: Settings) -> list[BackupSource]:
    """Every file that is to be kept, in the order in which they have to be copied.

    MLflow's records first, with the anchor of each audit log, and the logs after them: a log may be longer than its
    anchor knows, never shorter. Files last: what a record names is there by then.
    """
    found = (*_below(HOME, settings.home, IN_HOME), *_below(PROJECT, settings.root, IN_PROJECT))
    return sorted(found, key=lambda each: (each.turn, each.place))


def target_of(place: str, *, root: Path, home: Path) -> Path:
    """Where the file of that place belongs in a project."""
    area, _, path = place.partition("/")
    return {HOME: home, PROJECT: root}[area] / path


def _below(area: str, root: Path, names: tuple[str, ...]) -> Iterator[BackupSource]:
    for name in names:
        start = root / name
        for path in sorted(start.rglob("*")) if start.is_dir() else [start]:
            place = f"{area}/{path.relative_to(root).as_posix()}"
            if path.is_file() and not path.is_symlink() and not _is_remade(place, path):
                yield BackupSource(place=place, path=path, turn=_turn(place, path))


def _is_remade(place: str, path: Path) -> bool:
    """Locks, files that are being written, and SQLite's companions of a database that is in use."""
    if place.startswith(OURS) and UNFINISHED.fullmatch(path.name):
        return True
    beside = next((suffix for suffix in SQLITE_COMPANIONS if path.name.endswith(suffix)), None)
    return beside is not None and path.with_name(path.name.removesuffix(beside)).is_file()


def _turn(place: str, path: Path) -> int:
    if place in TRACKING_RECORDS:
        return 0
    if place.startswith(AUDIT_FILES):
        return 2
    return 1 if is_sqlite(path) else 3


def is_sqlite(path: Path) -> bool:
    """Whether the file is a database, by its content."""
    with path.open("rb") as file:
        return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
