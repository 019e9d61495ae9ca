"""How far a backup is: one line that changes in a terminal, a line for each step and every ten seconds elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from cv_yolo.services.backup.progress import Progress, Report

EVERY_S: Final = {True: 0.1, False: 10.0}  # in a terminal, and elsewhere
CLEAR: Final = "\r\x1b[K"


@contextmanager
def showing() -> Iterator["Report"]:
    """Show on stderr what is reported inside the block."""
    shown = _Shown(terminal=sys.stderr.isatty())
    try:
        yield shown.show
    finally:
        shown.close()


def size_text(size_bytes: int) -> str:
    """`1.2 GB`, `45 MB`, `3 kB`."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.3g} {name}"
    return f"{size_bytes} B"


class _Shown:
    def __init__(self, *, terminal: bool) -> None:
        self._terminal, self._what, self._next = terminal, "", 0.0

    def show(self, progress: "Progress") -> None:
        now = time.monotonic()
        if progress.what == self._what and now < self._next:
            return
        self._what, self._next = progress.what, now + EVERY_S[self._terminal]
        if self._terminal:
            click.echo(f"{CLEAR}{_words(progress)} …", nl=False, err=True)
        else:
            click.echo(f"{datetime.now():%H:%M:%S} {_words(progress)}", err=True)

    def close(self) -> None:
        if self._terminal and self._what:
            click.echo(CLEAR, nl=False, err=True)


def _words(progress: "Progress") -> str:
    counted = f": {progress.done} of {progress.total}" if progress.total else ""
    sizes = f", {size_text(progress.done_bytes)} of {size_text(progress.total_bytes)}" if progress.total_bytes else ""
    return f"{progress.what}{counted}{sizes}"
