"""The outbox: a folder with a file for each run of which letters wait, which grows by lines and is then removed.

`<run>.jsonl` holds the letters, one JSON line each, and a line `{"delivered": N}` for each that waits no longer;
`<run>/N/` the files of letter N; `<run>.refused.jsonl` what can never be delivered, with the reason. A last line
without its end was being written when its process was killed: it was never kept.
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

PATIENCE_S: Final = 600.0
REFUSED: Final = ".refused.jsonl"


class FolderOutbox:
    """The outbox in `folder`; locks keep threads and processes of this machine apart, run by run."""

    def __init__(self, folder: Path, *, patience_s: float = PATIENCE_S) -> None:
        self._folder, self._patience_s = folder, patience_s

    def runs(self) -> tuple[str, ...]:
        """The runs of which letters wait."""
        found = self._folder.glob("*.jsonl")
        return tuple(sorted(path.stem for path in found if not path.name.endswith(REFUSED)))

    @contextmanager
    def opened(self, run_id: str) -> Iterator["RunEventsFile"]:
        """The letters of a run; raises `ServiceUnavailableError` where another process holds them for too long."""
        with _telling(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._folder / f".{run_id[-1:]}.lock")  # a few locks, however many runs
            try:
                lock.acquire(timeout=self._patience_s)
            except Timeout as error:
                raise ServiceUnavailableError(
                    f"{self._folder}: another process has held the outbox for {self._patience_s:g} s",
                    hint="wait for it, or end it; then run the same command again",
                ) from error
        try:
            events = RunEventsFile(path=self._folder / f"{run_id}.jsonl")
            events.sweep()
            yield events
        finally:
            lock.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEventsFile:
    """The letters of one run in the file `path`; its lock is held."""

    path: Path

    def waiting(self) -> tuple[TrackingEvent, ...]:
        """All that wait, the oldest first."""
        with _telling(self.path):
            lines, delivered = self._read()
            return tuple(self._event(number, line) for number, line in enumerate(lines) if number >= delivered)

    def add(self, event: TrackingEvent) -> None:
        """Keep a letter behind the others, and copies of its files: the originals may change."""
        with _telling(self.path):
            if isinstance(event, RunFiles):
                event = replace(event, paths=self._copied(event.paths, number=len(self._read()[0])))
            _append(self.path, _letter().dump_python(event, mode="json"))

    def delivered(self) -> None:
        """The first one waits no longer; with the last one, nothing of the run is left here."""
        with _telling(self.path):
            lines, delivered = self._read()
            if delivered + 1 < len(lines):
                _append(self.path, {"delivered": delivered + 1})
                shutil.rmtree(self._folder_of(delivered), ignore_errors=True)
            else:
                self.path.unlink()
                self.sweep()

    def sweep(self) -> None:
        """Remove the files of letters that wait no longer, where none does."""
        if not self.path.exists():
            shutil.rmtree(self.path.with_suffix(""), ignore_errors=True)

    def set_aside(self, reason: str) -> None:
        """Keep the first one apart, with the reason and its files, and go on behind it."""
        with _telling(self.path):
            lines, delivered = self._read()
            files, apart = self._folder_of(delivered), self.path.with_suffix(REFUSED)
            _append(apart, {"reason": reason, "letter": lines[delivered]})
            if files.is_dir():
                shutil.move(files, apart.with_suffix("") / f"{delivered}-{files.stat().st_mtime_ns}")
        self.delivered()

    def _read(self) -> tuple[list[Any], int]:
        """The letters as they were written, and how many of them wait no longer."""
        content = self.path.read_bytes() if self.path.exists() else b""
        lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
        events = [line for line in lines if "delivered" not in line]
        return events, len(lines) - len(events)

    def _event(self, number: int, line: Any) -> TrackingEvent:
        event = _letter().validate_python(line, strict=False)
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
    """Write a line behind the last whole one; it is on the disk when this returns."""
    path.touch()
    with path.open("r+b") as file:
        file.seek(file.read().rfind(b"\n") + 1)
        file.truncate()
        file.write(json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


@cache
def _letter() -> "TypeAdapter[TrackingEvent]":
    """What reads and writes a letter; imported only where one waits."""
    from pydantic import TypeAdapter

    return TypeAdapter(TrackingEvent)


@contextmanager
def _telling(place: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ServiceUnavailableError(
            f"{place}: what waits for the tracker cannot be kept or read: {reason}",
            hint="make room on the disk, or move a damaged file away; then run the same command again",
        ) from error
