"""This machine behind the port `MachineProbe`."""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError

PACKAGES: Final = ("boto3", "dvc", "mlflow", "torch", "ultralytics", "zenml")


class LocalProbe:
    """Looks at the folder of all state, and at the files `stores` in it."""

    def __init__(self, *, home: Path, stores: Mapping[str, Path], timeout_s: float) -> None:
        self._home, self._stores, self._timeout_s = home, stores, timeout_s

    def free_bytes(self) -> int:
        """Free disk space where the folder is, or will be."""
        return shutil.disk_usage(self._place).free

    def write(self) -> str:
        """Write a file and remove it."""
        place = self._place
        try:
            with tempfile.TemporaryFile(dir=place) as file:
                file.write(b"cv-yolo")
                file.flush()
        except OSError as error:
            raise ServiceUnavailableError(f"{place}: {error.strerror or error}") from error
        return str(self._home)

    def missing_packages(self) -> tuple[str, ...]:
        """The libraries that cannot be found; none is imported."""
        return tuple(name for name in PACKAGES if find_spec(name) is None)

    def records(self) -> Mapping[str, Path]:
        """The stores that were made so far."""
        return {name: path for name, path in self._stores.items() if path.is_file()}

    def use_record(self, record: Path) -> None:
        """Check a whole SQLite file, and begin a write, which fails while another process holds the file."""
        try:
            with closing(
                sqlite3.connect(f"{record.absolute().as_uri()}?mode=rw", uri=True, timeout=self._timeout_s)
            ) as file:
                found = file.execute("PRAGMA quick_check(1)").fetchone()[0]
                file.execute("BEGIN IMMEDIATE")
                file.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise ServiceUnavailableError(f"{record}: {error}") from error
        if found != "ok":
            raise ServiceUnavailableError(f"{record}: damaged: {found}")

    @property
    def _place(self) -> Path:
        return next(folder for folder in (self._home, *self._home.parents) if folder.is_dir())
