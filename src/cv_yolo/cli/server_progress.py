"""How the servers come up and go down, for a person: a line for each that changes, or a table that moves."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.live import Live

    from cv_yolo.services.stack_state import ServiceState, StackState


@contextmanager
def showing() -> Iterator["Callable[[StackState], None]"]:
    """Show on stderr what is reported inside the block."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    table = _Table()
    try:
        yield table.show
    finally:
        table.close()


class _Lines:
    """A line whenever a service changes: for log files and pipes."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def show(self, state: "StackState") -> None:
        for service in state.services:
            text = f"{service.title}: {_words(service)}"
            if self._shown.get(service.name) != text:
                self._shown[service.name] = text
                click.echo(f"{datetime.now():%H:%M:%S} {text}", err=True)


class _Table:
    """A table that moves, from the first report on."""

    def __init__(self) -> None:
        self._live: Live | None = None

    def show(self, state: "StackState") -> None:
        from rich.console import Console
        from rich.live import Live

        if self._live is None:
            self._live = Live(console=Console(stderr=True), refresh_per_second=8)
            self._live.start()
        self._live.update(_table(state))

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _table(state: "StackState") -> Any:
    from rich.markup import escape
    from rich.spinner import Spinner
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    for service in state.services:
        sign: Any = {"ready": "[green]✓", "failed": "[red]✗", "stopped": "·"}.get(service.status)
        table.add_row(sign or Spinner("dots"), service.title, escape(_words(service)))
    return table


def _words(service: "ServiceState") -> str:
    took = f" after {service.ready_after_s:g} s" if service.status == "ready" and service.ready_after_s else ""
    note = f": {service.note}" if service.note else ""
    return f"{service.status}{took}{note}"
