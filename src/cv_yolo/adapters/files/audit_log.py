"""The audit log as a file: each line an entry in its canonical form, so that `sha256sum` of a line is its hash."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from cv_yolo.domain.promotion.audit import AuditFinding, Entry, read_entry
from cv_yolo.errors import AuditLogError, LogGrewError, ServiceUnavailableError

LOCK_TIMEOUT_S: Final = 120.0


class AuditFile:
    """The log of one model in `path`; `path` with the suffix `.lock` keeps its writers apart.

    A last line without its end was being written when its process was killed: it was never part of the log, is passed
    over by readers, and removed by the next writer.
    """

    def __init__(self, path: Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._path, self._lock_timeout_s = path, lock_timeout_s
        self._lock = FileLock(path.with_suffix(".lock"))

    def entries(self) -> tuple[Entry, ...]:
        """All entries in the order of the file."""
        entries, damage = self._read()
        if damage:
            raise AuditLogError(
                damage[0].sentence,
                hint="restore the file from a copy; `cv-yolo history --verify` names every changed line",
            )
        return entries

    def damage(self) -> tuple[AuditFinding, ...]:
        """The lines that are no entries."""
        return self._read()[1]

    def append(self, entry: Entry) -> None:
        """Append the entry after the last whole line; it is on disk when this returns."""
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
                    hint="`cv-yolo history` shows whether it was written nevertheless",
                ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock out every other writer on this machine; the lock is released when the process exits, even if killed."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._lock_timeout_s)
        except Timeout as error:
            raise ServiceUnavailableError(
                f"{self._path}: another process has held the log for {self._lock_timeout_s:g} s",
                hint="wait for it, or stop it; then run the same command again",
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
            f"{path}: entry {entry.number} cannot be appended after {lines} entries: the log has changed",
            hint="nothing was moved; run the same command again",
        )
