"""The servers' state: written by their supervisor, read by all other processes."""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from cv_yolo.errors import one_line
from cv_yolo.files import write_whole
from cv_yolo_stack.servers.service import Service


class Status(StrEnum):
    """The status of a service."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """One service. `pid` is its process; an external service has none.

    `health` is that of a ready one since `health_since`; `next_attempt_at` is when a failed one is tried again. Times
    are ISO 8601, in UTC.
    """

    name: str
    title: str
    url: str
    status: Status = Status.WAITING
    pid: int | None = None
    starts: int = 0
    restarts: int = 0
    ready_after_s: float | None = None
    note: str = ""
    health: str = ""
    health_since: str = ""
    next_attempt_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """All services, and the supervisor's own process."""

    pid: int
    services: tuple[ServiceState, ...]

    @property
    def ready(self) -> bool:
        """Whether every service is usable."""
        return all(service.status is Status.READY for service in self.services)

    @property
    def failed(self) -> tuple[ServiceState, ...]:
        """Services that the supervisor no longer restarts."""
        return tuple(service for service in self.services if service.status is Status.FAILED)

    def of(self, name: str) -> ServiceState | None:
        """The service of that name."""
        return next((service for service in self.services if service.name == name), None)


def read_state(path: Path) -> StackState | None:
    """The supervisor's last state, or None."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        services = (ServiceState(**{**each, "status": Status(each["status"])}) for each in kept.pop("services"))
        return StackState(**kept, services=tuple(services))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # of another version: its supervisor no longer runs
        return None


class Board:
    """Where the supervisor's threads write their services' states; each change is on disk at once, and in the log."""

    def __init__(self, path: Path, services: Sequence[Service], *, pid: int) -> None:
        states = tuple(ServiceState(name=each.name, title=each.title, url=each.url) for each in services)
        self._path, self._lock = path, threading.Lock()
        self._state = StackState(pid=pid, services=states)
        self._write()

    def update(self, name: str, **changes: Any) -> None:
        """Change what is known of a service."""
        with self._lock:
            before = self._of(name)
            services = tuple(replace(each, **changes) if each.name == name else each for each in self._state.services)
            self._state = replace(self._state, services=services)
            self._write()
            now = self._of(name)
        if (before.status, before.health, before.note) != (now.status, now.health, now.note):
            health = f" ({now.health})" if now.health else ""
            log_line(f"{name} {now.status}{health}{f': {now.note}' if now.note else ''}")

    def of(self, name: str) -> ServiceState:
        """The state of a service."""
        with self._lock:
            return self._of(name)

    def _of(self, name: str) -> ServiceState:
        return next(each for each in self._state.services if each.name == name)

    def _write(self) -> None:
        try:
            write_whole(self._path, json.dumps(asdict(self._state), indent=1))
        except OSError as error:  # a full disk must not stop the servers that still run
            log_line(f"cannot write the state: {one_line(error)}")


def log_line(text: str) -> None:
    """A line with the time, for the supervisor's log; on a full disk it is dropped."""
    with suppress(OSError):
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)  # noqa: T201 - its log is its output
