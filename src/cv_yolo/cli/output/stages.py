"""Progress of work in stages with a known number of steps: a bar in a terminal, a quiet line now and then in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import click

from cv_yolo.reports.text.formatting import duration_text

QUIET_S: Final = 10.0
OnStep = Callable[[str, int, int], None]


@contextmanager
def stages(*, quiet: bool = False, transient: bool = False) -> Iterator[OnStep]:
    """Yields what takes the steps: `on_step(stage, done, total)`. `quiet` shows nothing, `transient` leaves nothing."""
    if quiet:
        yield lambda stage, done, total: None
    elif sys.stderr.isatty():
        with _bars(transient=transient) as on_step:
            yield on_step
    else:
        yield _LogLines().step


@contextmanager
def _bars(*, transient: bool) -> Iterator[OnStep]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=transient) as progress:
        tasks = {}

        def on_step(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done, total=total)

        yield on_step


class _LogLines:
    """A line for a stage that takes long, with the remaining time."""

    def __init__(self) -> None:
        self._stage, self._since_s, self._written_s = "", 0.0, 0.0

    def step(self, stage: str, done: int, total: int) -> None:
        """Write a line if nothing was written for a while."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._since_s, self._written_s = stage, now, now
        if now - self._written_s < QUIET_S or not done:
            return
        self._written_s = now
        left = duration_text((now - self._since_s) / done * (total - done))
        click.echo(f"{datetime.now():%H:%M:%S} {stage.lower()}: {done} of {total} (about {left} left)", err=True)
