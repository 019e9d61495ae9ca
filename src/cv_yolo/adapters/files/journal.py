"""The journal of a grid: a file of events, one JSON line each, which displays follow and which outlives the process."""

import errno
import os
import threading
from pathlib import Path

from pydantic import TypeAdapter

from cv_yolo.domain.training.progress import Event

_EVENT = TypeAdapter(Event)


class Journal:
    """Events of one grid in `path`; several threads may write, any process may read."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()

    def write(self, event: Event) -> None:
        """Append an event, whole or not at all."""
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab", buffering=0) as file:
                before, line = file.tell(), _EVENT.dump_json(event) + b"\n"
                try:
                    if file.write(line) < len(line):  # the disk is full
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                except OSError as error:
                    file.truncate(before)
                    raise OSError(error.errno, error.strerror, str(self._path)) from error

    def events(self, start: int = 0) -> tuple[Event, ...]:
        """All whole events, from number `start` on."""
        if not self._path.is_file():
            return ()
        lines = self._path.read_bytes().splitlines(keepends=True)
        return tuple(_EVENT.validate_json(line) for line in lines[start:] if line.endswith(b"\n"))
