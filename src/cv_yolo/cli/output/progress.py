"""One display over grid, run and epoch: bars in a terminal, plain lines in a log file."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

import click

from cv_yolo.domain.training.progress import Event, EventKind

if TYPE_CHECKING:
    from rich.progress import TaskID

POLL_S: Final = 0.2
WORDS: Final = {
    EventKind.PLANNED: "waits",
    EventKind.TRAINING: "trains",
    EventKind.EPOCH: "trains",
    EventKind.EVALUATING: "is evaluated",
    EventKind.FINISHED: "done",
    EventKind.FAILED: "failed",
}


class Source(Protocol):
    """Where the events come from."""

    def events(self, start: int = 0) -> tuple[Event, ...]: ...


class Display(Protocol):
    """Shows events to a person."""

    def show(self, event: Event) -> None: ...
    def close(self) -> None: ...


class LineDisplay:
    """A line for each event, with the time: for log files and pipes."""

    def show(self, event: Event) -> None:
        """Write the event's line."""
        progress = f" epoch {event.epoch}/{event.epochs}" if event.kind is EventKind.EPOCH else ""
        what = event.text if event.kind is EventKind.NOTE else f"{event.run}: {WORDS[event.kind]}{progress}"
        more = f": {event.text}" if event.text and event.kind is not EventKind.NOTE else ""
        click.echo(f"{datetime.now():%H:%M:%S} {what}{more}", err=True)

    def close(self) -> None:
        """Nothing to close."""


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

    def show(self, event: Event) -> None:
        """Move the bars."""
        from rich.markup import escape

        if event.kind is EventKind.NOTE:
            self._bars.console.print(escape(event.text))
            return
        if event.run not in self._tasks:
            self._tasks[event.run] = self._bars.add_task(f"  {event.run}", total=event.epochs, start=False, note="")
            self._bars.update(self._grid, total=len(self._tasks))
        task = self._tasks[event.run]
        if event.kind is not EventKind.PLANNED:
            self._bars.start_task(task)
        note = f"{WORDS[event.kind]} {escape(event.text)}".strip()
        self._bars.update(task, completed=event.epoch, note=note)
        if event.kind in {EventKind.FINISHED, EventKind.FAILED}:
            self._bars.stop_task(task)
            self._done.add(event.run)
            self._bars.update(self._grid, completed=len(self._done))

    def close(self) -> None:
        """Leave the bars as they stand."""
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
    shown, last = 0, False
    while not last:
        last = ended.wait(POLL_S)
        for event in source.events(shown):
            display.show(event)
            shown += 1
