"""Records that tests start from: made once, then put back, which takes milliseconds where making them takes seconds."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cv_yolo.settings import Settings


@dataclass(kw_only=True)
class KeptRecords:
    """The databases and the audit log of a home, as they were after `make`.

    They are put back underneath the libraries, which stay connected: SQLite's own copy notifies them.
    """

    folder: Path
    copies: dict[Path, Path] = field(default_factory=dict)

    def start(self, settings: Settings, make: Callable[[], None]) -> None:
        """Make the records, or put them back."""
        if not self.copies:
            make()
            records = (
                settings.mlflow_database,
                *(settings.home / "zenml").rglob("*.db"),
                *settings.audit.glob("*.jsonl"),
            )
            self.copies = {path: self.folder / f"{number}{path.suffix}" for number, path in enumerate(records)}
            for path, copy in self.copies.items():
                _copy(path, copy)
        else:
            for path, copy in self.copies.items():
                _copy(copy, path)


def _copy(source: Path, target: Path) -> None:
    if source.suffix != ".db":
        shutil.copy(source, target)
        return
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)
