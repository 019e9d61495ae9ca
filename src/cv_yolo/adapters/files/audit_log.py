"""The audit log as a file: each line an entry in its canonical form, so that `sha256sum` of a line is its hash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cv_yolo.domain.promotion.audit import AuditFinding, Entry, read_entry
from cv_yolo.errors import AuditLogError, LogGrewError, ServiceUnavailableError

PATIENCE_S: Final = 120.0


class AuditFile:
    """The log of one model in `path`; `path` with the suffix `.lock` keeps its writers apart.

    A last line without its end was being written when its process was killed: it was never part of the log, is passed
    over by readers, and removed by the next writer.
    """

    def __init__(self, path: Path, *, patience_s: float = PATIENCE_S) -> None:
        self._path, self._patience_s = path, patience_s
        self._lock = FileLock(path.with_suffix(".lock"))

    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order of the file."""
        entries, damage = self._read()
        if damage:
            raise AuditLogError(
                damage[0].sentence,
                hint="bring the file back from a copy; `cv-yolo history --verify` names every line that was changed",
            )
        return entries

    def damage(self) -> tuple[AuditFinding, ...]:
        """The lines that are no entries."""
        return self._read()[1]

    def append(self, entry: Entry) -> None:
        """Write the entry behind the last whole line; it is on the disk when this returns."""
        with self.locked():
            try:
                self._path.touch()
                with self._path.open("r+b") as file:
                    content = file.read()
                    _require_last(entry, content.count(b"\n"), self._path)
                    file.seek(content.rfind(b"\n") + 1)
                    file.truncate()
                    file.write(entry.canonical.encode() + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise AuditLogError(
                    f"{self._path}: entry {entry.number} could not be written: {error}",
                    hint="`cv-yolo history` shows whether it is there all the same",
                ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other writer on this machine out; its lock is freed when a process ends, however it ends."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._patience_s)
        except Timeout as error:
            raise ServiceUnavailableError(
                f"{self._path}: another process has held the log for {self._patience_s:g} s",
                hint="wait for it, or end it; then run the same command again",
            ) from error
        except OSError as error:
            raise AuditLogError(f"{self._path}: cannot be locked: {error}") from error
        try:
            yield
        finally:
            self._lock.release()

    def _read(self) -> tuple[tuple[Entry, ...], tuple[AuditFinding, ...]]:
        entries, damage = [], []
        for number, line in enumerate(self._lines(), 1):
            try:
                entries.append(read_entry(line.decode()))
            except ValueError as error:
                damage.append(AuditFinding(number=number, sentence=f"{self._path}, line {number}: {error}"))
        return tuple(entries), tuple(damage)

    def _lines(self) -> list[bytes]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AuditLogError(f"{self._path}: cannot be read: {error}") from error
        return content.split(b"\n")[:-1]


def _require_last(entry: Entry, lines: int, path: Path) -> None:
    if entry.number != lines + 1:
        raise LogGrewError(
            f"{path}: entry {entry.number} cannot be written behind {lines} entries: the log is not what it was",
            hint="nothing was moved; run the same command again",
        )
