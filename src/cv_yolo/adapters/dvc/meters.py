"""Progress of the child process that transfers, printed for its parent: one JSON object per line."""

import json
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from fsspec.callbacks import Callback  # type: ignore[import-untyped]

EVERY_S: Final = 0.1


class ProgressMeter(Callback):  # type: ignore[misc]
    """Takes steps from DVC and from us, and prints them for the parent process: one JSON object per line."""

    def __init__(self, stage: str, *, files: int = 0, total_bytes: int = 0) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.begin(stage, files=files, total_bytes=total_bytes)

    def begin(self, stage: str, *, files: int = 0, total_bytes: int = 0) -> None:
        """Begin a stage with so many files and bytes."""
        self._stage, self.files, self.total_bytes = stage, files, total_bytes
        self.done = self.bytes = 0
        self._print()

    def set_size(self, size: int) -> None:
        """The number of files is known from the beginning."""

    def relative_update(self, inc: int = 1) -> None:
        """One more file is done."""
        self.step(files=inc)

    def step(self, *, files: int = 0, size: int = 0) -> None:
        """Count files and bytes that are done."""
        with self._lock:
            self.done += files
            self.bytes += size
            if time.monotonic() - self._printed_s > EVERY_S:
                self._print()

    def branched(self, path_1: Any, path_2: str, **_: Any) -> Callback:  # noqa: ARG002 - the signature is fsspec's
        """What counts the bytes of one file."""
        return _Bytes(self)

    def _print(self) -> None:
        self._printed_s = time.monotonic()
        say(
            {
                "stage": self._stage,
                "files": self.files,
                "done": self.done,
                "bytes": self.bytes,
                "total_bytes": self.total_bytes,
            }
        )


class _Bytes(Callback):  # type: ignore[misc]
    def __init__(self, meter: ProgressMeter) -> None:
        super().__init__()
        self._meter = meter

    def relative_update(self, inc: int = 1) -> None:
        self._meter.step(size=inc)


class ShardMeter(Callback):  # type: ignore[misc]
    """Counts the bytes of a shard that is transferred as those of the files in it, of which it has `most` bytes."""

    def __init__(self, meter: ProgressMeter, *, most: int) -> None:
        super().__init__()
        self._meter, self._left = meter, most

    def relative_update(self, inc: int = 1) -> None:
        """A part of the shard is done; its headers are no content."""
        counted = min(inc, self._left)
        self._left -= counted
        self._meter.step(size=counted)

    def branched(self, path_1: Any, path_2: str, **_: Any) -> Callback:  # noqa: ARG002 - the signature is fsspec's
        """The bytes of the only file count here."""
        return self

    def finish(self, files: int) -> None:
        """The shard is done, with so many files."""
        self._meter.step(files=files, size=self._left)
        self._left = 0


def say(message: Mapping[str, Any]) -> None:
    """Print a line for the parent process."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
