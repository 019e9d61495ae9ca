"""Whether servers respond at their addresses: a process may be alive and hung."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import psutil

from cv_yolo.errors import CvYoloError
from cv_yolo.http import is_answering
from cv_yolo_stack.domain.liveness import Health, Signs, judge
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.supervision.processes import group
from cv_yolo_stack.supervision.state import ServiceState, Status

TIMEOUT_S: Final = 10.0


def unresponsive(services: Sequence[ServiceState], *, timeout_s: float = TIMEOUT_S) -> frozenset[str]:
    """The names of the services that were ready and do not respond now; all are asked in parallel."""
    ready = [each for each in services if each.status is Status.READY]
    with ThreadPoolExecutor(len(ready) or 1) as threads:
        heard = list(threads.map(lambda each: answers(each.url, timeout_s=timeout_s), ready))
    return frozenset(each.name for each, says_something in zip(ready, heard, strict=True) if not says_something)


def answers(url: str, *, timeout_s: float = TIMEOUT_S) -> bool:
    """A page, a refusal, or a database's greeting: each is a response. Amazon S3 has no address to ask."""
    place = urlsplit(url)
    if place.scheme in {"http", "https"}:
        return is_answering(url, timeout_s=timeout_s)
    if place.scheme != "mysql":
        return True
    try:
        with socket.create_connection((place.hostname, place.port), timeout_s) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False


PROBE_EVERY_S: Final = 8.0
PROBE_LIMIT_S: Final = 10.0
PING_LIMIT_S: Final = 5.0  # a hung server is found after 23 s at the latest
LATE: Final = 0.9  # of the limit: our clients time out by themselves then, and that is no response
NOTE_LENGTH: Final = 200
WORKS_FROM: Final = 0.05  # of a core; a server that only waits uses less


class Watch:
    """One running server; `leader` is its process, None for an external one.

    `look` is called often, and never waits: each probe has its own thread.
    """

    def __init__(
        self,
        service: Service,
        leader: int | None,
        *,
        needs_missing: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service, self._leader, self._needs_missing, self._clock = service, leader, needs_missing, clock
        self._health, self.note = Health.HEALTHY, ""
        self.healthy_at_s = self._next_s = clock()
        self._next_s += PROBE_EVERY_S
        self._probe: _Probe | None = None
        self._began_s, self._cpu_s = 0.0, 0.0

    def look(self) -> Health:
        """The server's health, from the last probe that finished or timed out."""
        now_s = self._clock()
        if self._probe is None:
            if now_s >= self._next_s:
                self._began_s, self._cpu_s = now_s, _cpu_s(self._leader)
                self._probe = _Probe(self._service)
            return self._health
        if not self._probe.done and now_s < self._began_s + PROBE_LIMIT_S + PING_LIMIT_S:
            return self._health
        self._judge(self._probe, now_s)
        self._probe, self._next_s = None, self._clock() + PROBE_EVERY_S
        return self._health

    def _judge(self, probe: "_Probe", now_s: float) -> None:
        used_cores = (_cpu_s(self._leader) - self._cpu_s) / max(now_s - self._began_s, 0.01)
        states = _states(self._leader)
        signs = Signs(
            used=probe.used,
            refused=probe.answered and not probe.late,
            answered=probe.answered,
            works=used_cores >= WORKS_FROM or psutil.STATUS_DISK_SLEEP in states,
            suspended=psutil.STATUS_STOPPED in states,
            needs_missing=self._needs_missing(),
        )
        self._health = judge(signs)
        if self._health is Health.HEALTHY:
            self.healthy_at_s, self.note = now_s, ""
        else:
            said = " ".join(probe.error.split())[:NOTE_LENGTH]
            self.note = said or f"not usable within {PROBE_LIMIT_S:g} s"


class _Probe:
    """The probe of use and, where it fails or takes too long, the cheap one: a page, a refusal, a greeting."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.done = self.used = self.answered = self.late = False
        self.error = ""
        threading.Thread(target=self._run, name=f"probe of {service.name}", daemon=True).start()

    def _run(self) -> None:
        used, began_s = threading.Event(), time.monotonic()
        user = threading.Thread(target=self._use, args=(used,), name=f"use of {self._service.name}", daemon=True)
        user.start()
        user.join(PROBE_LIMIT_S)
        self.late = time.monotonic() - began_s >= PROBE_LIMIT_S * LATE
        if used.is_set():
            self.used = True
        else:
            self.answered = answers(self._service.url, timeout_s=PING_LIMIT_S)
        self.done = True

    def _use(self, used: threading.Event) -> None:
        try:
            (self._service.probe or self._service.use)()
            used.set()
        except CvYoloError as error:
            self.error = error.message


def _members(leader: int | None) -> list[psutil.Process]:
    return [] if leader is None else group(leader)


def _cpu_s(leader: int | None) -> float:
    total = 0.0
    for process in _members(leader):
        try:
            times = process.cpu_times()
        except psutil.Error:  # ended just now
            continue
        total += times.user + times.system
    return total


def _states(leader: int | None) -> set[str]:
    found: set[str] = set()
    for process in _members(leader):
        try:
            found.add(process.status())
        except psutil.Error:  # ended just now
            continue
    return found
