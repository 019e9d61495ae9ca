"""How the servers fare, as a table."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cv_yolo.domain.liveness import Health
from cv_yolo.services.processes import memory_bytes, process_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from cv_yolo.services.stack_folder import StackFolder
    from cv_yolo.services.stack_state import ServiceState, StackState

COLOURS = {"ready": "green", "failed": "red", "restarting": "yellow"}


def figures_of(
    state: "StackState", folder: "StackFolder", *, silent: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """What is known of each service, with what only its process can tell: memory, and how long it runs.

    Those in `silent` do not answer us; they are hung unless their supervisor sees that they are busy.
    """
    return [
        _figures(service, folder) | {"hung": _is_hung(service, silent), "failing": service.health == Health.FAILING}
        for service in state.services
    ]


def telling(figures: list[dict[str, Any]]) -> "Iterator[str]":
    """What to do about each server that is not well."""
    for each in figures:
        name, since = each["name"], ""
        if each["health"] == Health.HUNG:
            since = f" since {clock_text(each['health_since'])}"
        if each["hung"] and each["pid"]:
            itself = f"{name} is hung{since}, and is restarted when it stays so. " if since else ""
            yield f"{itself}`cv-yolo restart {name}` restarts it, `cv-yolo logs {name}` shows its last output."
        elif each["hung"] or each["failing"]:
            yield f"`cv-yolo doctor {name}` tells more of it."
        elif each["next_attempt_at"]:
            again = clock_text(each["next_attempt_at"])
            yield f"{name} was given up; the next attempt is at {again}, or now with `cv-yolo restart {name}`."


def _is_hung(service: "ServiceState", silent: frozenset[str]) -> bool:
    return service.health == Health.HUNG or (service.name in silent and service.health != Health.BUSY)


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
