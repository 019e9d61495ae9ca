"""The outbox: a folder with a file for each run with undelivered events, which grows by lines and is then removed.

`<run>.jsonl` holds the events, one JSON line each, and a line `{"delivered": N}` for each delivered one; `<run>/N/`
the files of event N; `<run>.refused.jsonl` what can never be delivered, with the reason. An incomplete last line
was being written when its process was killed: it was never kept.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from cv_yolo.domain.training.tracking_events import RunFiles, TrackingEvent
from cv_yolo.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

LOCK_TIMEOUT_S: Final = 600.0
REFUSED: Final = ".refused.jsonl"


class FolderOutbox:
    """The outbox in `folder`; locks keep threads and processes of this machine apart, run by run."""

    def __init__(self, folder: Path, *, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self._folder, self._lock_timeout_s = folder, lock_timeout_s

    def runs(self) -> tuple[str, ...]:
        """The runs with undelivered events."""
        found = self._folder.glob("*.jsonl")
        return tuple(sorted(path.stem for path in found if not path.name.endswith(REFUSED)))

    @contextmanager
    def opened(self, run_id: str) -> Iterator["RunEventsFile"]:
        """The events of a run; raises `ServiceUnavailableError` if another process holds them for too long."""
        with _translated(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / f".{run_id[-1:]}.lock")  # a few locks, however many runs
            try:
                lock.acquire(timeout=self._lock_timeout_s)
            except Timeout as error:
                raise ServiceUnavailableError(
                    f"{self._folder}: another process has held the outbox for {self._lock_timeout_s:g} s",
                    hint="wait for it, or stop it; then run the same command again",
                ) from error
        try:
            events = RunEventsFile(path=self._folder / f"{run_id}.jsonl")
            events.sweep()
            yield events
        finally:
            lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEventsFile:
    """The undelivered events of one run in the file `path`; its lock is held."""

    path: Path

    def waiting(self) -> tuple[TrackingEvent, ...]:
        """All undelivered events, oldest first."""
        with _translated(self.path):
            lines, delivered = self._read()
            return tuple(self._event(number, line) for number, line in enumerate(lines) if number >= delivered)

    def add(self, event: TrackingEvent) -> None:
        """Append an event, and keep copies of its files: the originals may change."""
        with _translated(self.path):
            if isinstance(event, RunFiles):
                event = replace(event, paths=self._copied(event.paths, number=len(self._read()[0])))
            _append(self.path, _events_adapter().dump_python(event, mode="json"))

    def delivered(self) -> None:
        """Mark the first event as delivered; after the last one, nothing of the run is left here."""
        with _translated(self.path):
            lines, delivered = self._read()
            if delivered + 1 < len(lines):
                _append(self.path, {"delivered": delivered + 1})
                shutil.rmtree(self._folder_of(delivered), ignore_errors=True)
            else:
                self.path.unlink()
                self.sweep()

    def sweep(self) -> None:
        """Remove the files of delivered events, once all are delivered."""
        if not self.path.exists():
            shutil.rmtree(self.path.with_suffix(""), ignore_errors=True)

    def set_aside(self, reason: str) -> None:
        """Set the first event aside, with the reason and its files, and continue with the next."""
        with _translated(self.path):
            lines, delivered = self._read()
            files, apart = self._folder_of(delivered), self.path.with_suffix(REFUSED)
            _append(apart, {"reason": reason, "letter": lines[delivered]})
            if files.is_dir():
                shutil.move(files, apart.with_suffix("") / f"{delivered}-{files.stat().st_mtime_ns}")
        self.delivered()

    def _read(self) -> tuple[list[Any], int]:
        """The events as they were written, and how many of them are delivered."""
        content = self.path.read_bytes() if self.path.exists() else b""
        lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
        events = [line for line in lines if "delivered" not in line]
        return events, len(lines) - len(events)

    def _event(self, number: int, line: Any) -> TrackingEvent:
        event = _events_adapter().validate_python(line, strict=False)
        if not isinstance(event, RunFiles):
            return event
        return replace(event, paths=tuple(self._folder_of(number) / path for path in event.paths))

    def _copied(self, paths: tuple[Path, ...], *, number: int) -> tuple[Path, ...]:
        folder = self._folder_of(number)
        shutil.rmtree(folder, ignore_errors=True)  # left by a process that was killed before it wrote the line
        for place, path in enumerate(paths):
            kept = folder / str(place) / path.name
            kept.parent.mkdir(parents=True)
            shutil.copyfile(path, kept)
            with kept.open("r+b") as file:
                os.fsync(file.fileno())
        return tuple(Path(str(place), path.name) for place, path in enumerate(paths))

    def _folder_of(self, number: int) -> Path:
        return self.path.with_suffix("") / str(number)


def _append(path: Path, line: Any) -> None:
    """Append a line after the last whole one; it is on disk when this returns."""
    path.touch()
    with path.open("r+b") as file:
        file.seek(file.read().rfind(b"\n") + 1)
        file.truncate()
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@cache
def _events_adapter() -> "TypeAdapter[TrackingEvent]":
    """Reads and writes an event; imported only where one is undelivered."""
    from pydantic import TypeAdapter

    return TypeAdapter(TrackingEvent)


@contextmanager
def _translated(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ServiceUnavailableError(
            f"{place}: undelivered events cannot be read or written: {reason}",
            hint="free disk space, or move a damaged file away; then run the same command again",
        ) from error
