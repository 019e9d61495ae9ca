"""The servers of this machine, for people: a table of their states, and their progress line by line."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from cv_yolo_stack.domain.liveness import Health
from cv_yolo_stack.supervision.processes import memory_bytes, process_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.live import Live
    from rich.table import Table

    from cv_yolo_stack.configuration.folder import StackFolder
    from cv_yolo_stack.supervision.state import ServiceState, StackState

COLOURS = {"ready": "green", "failed": "red", "restarting": "yellow"}


def figures_of(
    state: "StackState", folder: "StackFolder", *, unresponsive: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """The state of each service, with memory and uptime from its process.

    Those in `unresponsive` did not respond; they are hung unless their supervisor sees that they are busy.
    """
    return [
        _figures(service, folder)
        | {"hung": _is_hung(service, unresponsive), "failing": service.health == Health.FAILING}
        for service in state.services
    ]


def telling(figures: list[dict[str, Any]]) -> "Iterator[str]":
    """What to do about each server that is not healthy."""
    for each in figures:
        name, since = each["name"], ""
        if each["health"] == Health.HUNG:
            since = f" since {clock_text(each['health_since'])}"
        if each["hung"] and each["pid"]:
            itself = f"{name} is hung{since}, and is restarted if it stays so. " if since else ""
            yield f"{itself}`cv-yolo restart {name}` restarts it, `cv-yolo logs {name}` shows its last output."
        elif each["hung"] or each["failing"]:
            yield f"`cv-yolo doctor {name}` shows more."
        elif each["next_attempt_at"]:
            again = clock_text(each["next_attempt_at"])
            yield f"{name} failed repeatedly; the next attempt is at {again}, or now with `cv-yolo restart {name}`."


def _is_hung(service: "ServiceState", unresponsive: frozenset[str]) -> bool:
    return service.health == Health.HUNG or (service.name in unresponsive and service.health != Health.BUSY)


def servers_table(figures: list[dict[str, Any]]) -> "Table":
    """A row for each service."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, side in (("name", "left"), ("server", "left"), ("status", "left"), ("address", "left")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    for column in ("pid", "runs for", "restarts", "memory"):
        table.add_column(column, justify="right")
    for each in figures:
        colour = COLOURS.get("failed" if each["hung"] else each["status"], "")
        said = "does not answer" if each["hung"] else ": ".join(filter(None, (_unwell(each), each["note"])))
        note = f" ({escape(said)})" if said else ""
        words = f"[{colour}]{each['status']}[/]{note}" if colour else f"{each['status']}{note}"
        running = "" if each["runs_for_s"] is None else _span(each["runs_for_s"])
        memory = "" if each["memory_bytes"] is None else f"{each['memory_bytes'] / 1e6:.0f} MB"
        pid = "" if each["pid"] is None else str(each["pid"])
        table.add_row(each["name"], each["title"], words, each["url"], pid, running, str(each["restarts"]), memory)
    return table


def _figures(service: "ServiceState", folder: "StackFolder") -> dict[str, Any]:
    process = process_of(folder.root, service.pid) if service.pid else None
    return {
        **{name: getattr(service, name) for name in ("name", "title", "status", "url", "restarts", "note")},
        **{name: getattr(service, name) or None for name in ("health", "health_since", "next_attempt_at")},
        "pid": process.pid if process else None,
        "runs_for_s": round(time.time() - process.create_time()) if process else None,
        "memory_bytes": memory_bytes(process.pid) if process else None,
    }


def _unwell(figures: dict[str, Any]) -> str:
    """`busy since 12:00:05`; nothing of one that is healthy."""
    well = figures["health"] in {None, Health.HEALTHY}
    return "" if well else f"{figures['health']} since {clock_text(figures['health_since'])}"


def clock_text(iso: str) -> str:
    """The time of day, here."""
    return f"{datetime.fromisoformat(iso).astimezone():%H:%M:%S}"


def _span(seconds: int) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@contextmanager
def showing() -> Iterator["Callable[[StackState], None]"]:
    """Show progress inside the block on stderr."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    table = _ServerTable()
    try:
        yield table.show
    finally:
        table.close()


class _Lines:
    """Prints a line whenever a service changes: for log files and pipes."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def show(self, state: "StackState") -> None:
        for service in state.services:
            text = f"{service.title}: {_words(service)}"
            if self._shown.get(service.name) != text:
                self._shown[service.name] = text
                click.echo(f"{datetime.now():%H:%M:%S} {text}", err=True)


class _ServerTable:
    """A live table, from the first report on."""

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
