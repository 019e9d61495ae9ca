"""One display over grid, run and epoch: bars in a terminal, plain lines in a log file."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import click

from cv_yolo.domain.training.progress import Event, EventKind, RemainingTime
from cv_yolo.reports.text.formatting import duration_text

if TYPE_CHECKING:
    from rich.progress import TaskID

POLL_S: Final = 0.2
QUIET_S: Final = 30.0  # a log that shows nothing for so long looks as if the work hangs
STATES: Final = {
    EventKind.PLANNED: "waiting",
    EventKind.TRAINING: "training",
    EventKind.EPOCH: "training",
    EventKind.EVALUATING: "evaluating",
    EventKind.FINISHED: "done",
    EventKind.FAILED: "failed",
}
AT_WORK: Final = {EventKind.TRAINING, EventKind.EPOCH, EventKind.EVALUATING}


class Source(Protocol):
    """Where the events come from."""

    def events(self, start: int = 0) -> tuple[Event, ...]: ...


class Display(Protocol):
    """Shows events to the user; `left` is an estimate of the remaining time, or empty."""

    def show(self, event: Event, left: str) -> None: ...
    def tick(self, at_s: float, left: str) -> None: ...
    def close(self) -> None: ...


class LineDisplay:
    """A line for each event, with the time: for log files and pipes."""

    def __init__(self) -> None:
        self._latest: dict[str, Event] = {}
        self._quiet_since_s: float | None = None

    def show(self, event: Event, left: str = "") -> None:
        """Write the event's line."""
        if event.kind is EventKind.NOTE:
            self._write(event.text)
            return
        self._latest[event.run] = event
        self._write(
            f"{_state(event)}{f': {event.text}' if event.text else ''}"
            f"{f' ({left})' if left and event.kind is EventKind.EPOCH else ''}"
        )

    def tick(self, at_s: float, left: str = "") -> None:
        """Write what is at work where nothing was written for a while."""
        self._quiet_since_s = at_s if self._quiet_since_s is None else self._quiet_since_s
        active = [_state(event) for event in self._latest.values() if event.kind in AT_WORK]
        if active and at_s - self._quiet_since_s >= QUIET_S:
            self._write(f"still working: {', '.join(active)}{f' ({left})' if left else ''}")

    def close(self) -> None:
        """Nothing to close."""

    def _write(self, text: str) -> None:
        click.echo(f"{datetime.now():%H:%M:%S} {text}", err=True)
        self._quiet_since_s = None


def _state(event: Event) -> str:
    """`e3_s320: training epoch 2/3`: of a run that trains, the last epoch that is done."""
    epoch = f" epoch {event.epoch}/{event.epochs}" if event.kind is EventKind.EPOCH else ""
    return f"{event.run}: {STATES[event.kind]}{epoch}"


class BarDisplay:
    """A bar for the grid and one for each of its runs."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._grid = self._bars.add_task("[bold]grid", total=None, note="")
        self._tasks: dict[str, TaskID] = {}
        self._done: set[str] = set()
        self._bars.start()

    def show(self, event: Event, left: str = "") -> None:
        """Move the bars."""
        from rich.markup import escape

        if event.kind is EventKind.NOTE:
            self._bars.console.print(escape(event.text))
            return
        if event.run not in self._tasks:
            self._tasks[event.run] = self._bars.add_task(f"  {event.run}", total=event.epochs, start=False, note="")
            self._bars.update(self._grid, total=len(self._tasks))
        self._bars.update(self._grid, note=left)
        task = self._tasks[event.run]
        if event.kind is not EventKind.PLANNED:
            self._bars.start_task(task)
        note = f"{STATES[event.kind]} {escape(event.text)}".strip()
        self._bars.update(task, completed=event.epoch, note=note)
        if event.kind in {EventKind.FINISHED, EventKind.FAILED}:
            self._bars.stop_task(task)
            self._done.add(event.run)
            self._bars.update(self._grid, completed=len(self._done))

    def tick(self, at_s: float, left: str = "") -> None:  # noqa: ARG002 - the bars have a clock of their own
        """Show the remaining time."""
        self._bars.update(self._grid, note=left)

    def close(self) -> None:
        """Leave the bars as they are."""
        self._bars.stop()


@contextmanager
def following(source: Source) -> Iterator[None]:
    """Show the events of `source` as they come, until the block ends; the last ones are shown too."""
    display: Display = BarDisplay() if sys.stderr.isatty() else LineDisplay()
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(source, display, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        display.close()


def _follow(source: Source, display: Display, ended: threading.Event) -> None:
    shown, last, remaining = 0, False, RemainingTime()
    while not last:
        last = ended.wait(POLL_S)
        for event in source.events(shown):
            remaining.note(event, time.monotonic())
            display.show(event, _left(remaining))
            shown += 1
        display.tick(time.monotonic(), _left(remaining))


def _left(remaining: RemainingTime) -> str:
    seconds = remaining.seconds(time.monotonic())
    return "" if seconds is None else f"about {duration_text(seconds)} left"
