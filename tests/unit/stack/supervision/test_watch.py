"""A server that does not do its work any more is found: one that is hung is ended, one that is busy is left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.domain.liveness import Health
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.supervision import health_watch as module
from cv_yolo_stack.supervision import service_runner as keeping
from cv_yolo_stack.supervision.health_watch import Watch
from cv_yolo_stack.supervision.state import Status
from tests.loopback import Reply, loopback
from tests.unit.stack.small import SERVE, SLEEP, a_service, answers_at
from tests.unit.stack.supervision.test_service_runner import Kept

WORKS = "while True: pass"
UNREACHABLE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_EVERY_S", 0.05)
    monkeypatch.setattr(module, "PROBE_LIMIT_S", 0.5)
    monkeypatch.setattr(module, "PING_LIMIT_S", 1.0)
    monkeypatch.setattr(keeping, "POLL_S", 0.02)
    monkeypatch.setattr(keeping, "FIRST_DELAY_S", 0.05)
    monkeypatch.setattr(keeping, "RESTART_AFTER_S", 0.3)


@pytest.fixture
def process() -> Iterator[Callable[[str], int]]:
    """Starts processes, each the leader of a group."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str) -> int:
        started.append(subprocess.Popen([sys.executable, "-c", code], start_new_session=True))
        return started[-1].pid

    yield start
    for each in started:
        each.kill()
        each.wait()


def hangs() -> None:
    time.sleep(5)


def refuses() -> None:
    raise ServiceUnavailableError("MLflow: /experiments was answered 500")


def seen(
    leader: int | None, probe: Callable[[], None], *, url: str = UNREACHABLE, needs_missing: bool = False
) -> Watch:
    """What a watch has found out after one probe."""
    service = Service(name="small", title="Small", url=url, use=probe)
    watch = Watch(service, leader, needs_missing=lambda: needs_missing)
    give_up, begun = time.monotonic() + 20, False
    while time.monotonic() < give_up:
        watch.look()
        begun = begun or watch._probe is not None
        if begun and watch._probe is None:
            return watch
        time.sleep(0.02)
    raise AssertionError("no probe has ended")


def test_one_that_is_usable_is_healthy() -> None:
    assert seen(None, lambda: None).look() is Health.HEALTHY


def test_one_that_is_answered_by_an_error_is_failing(process: Callable[[str], int]) -> None:
    with loopback(lambda _: Reply(status=500)) as url:
        watch = seen(process(SLEEP), refuses, url=url)
    assert (watch.look(), watch.note) == (Health.FAILING, "MLflow: /experiments was answered 500")


def test_one_that_answers_a_page_but_not_the_use_is_busy(process: Callable[[str], int]) -> None:
    with loopback(lambda _: Reply(status=401)) as url:
        watch = seen(process(SLEEP), hangs, url=url)
    assert (watch.look(), watch.note) == (Health.BUSY, "not usable within 0.5 s")


def test_one_that_says_nothing_but_computes_is_busy(process: Callable[[str], int]) -> None:
    assert seen(process(WORKS), hangs).look() is Health.BUSY


def test_one_that_says_nothing_and_does_nothing_is_hung(process: Callable[[str], int]) -> None:
    assert seen(process(SLEEP), hangs).look() is Health.HUNG


def test_one_that_waits_for_a_server_it_needs_is_not_blamed(process: Callable[[str], int]) -> None:
    assert seen(process(SLEEP), hangs, needs_missing=True).look() is Health.BUSY


def test_one_that_was_suspended_is_hung_whatever_else_is_seen(process: Callable[[str], int]) -> None:
    pid = process(WORKS)
    os.kill(pid, signal.SIGSTOP)
    assert seen(pid, hangs, needs_missing=True).look() is Health.HUNG


def test_an_unresponsive_external_server_is_hung() -> None:
    assert seen(None, hangs).look() is Health.HUNG


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(*services: Service) -> Kept:
        made.append(Kept(tmp_path, *services))
        return made[-1]

    yield make
    for each in made:
        each.end()


def test_a_server_that_stays_hung_is_restarted(kept: Any) -> None:
    port = free_port(0)
    service = replace(a_service(SERVE, str(port), use=answers_at(port)), url=f"http://127.0.0.1:{port}")
    small = kept(replace(service, probe=lambda: hangs() if small.suspended else None))
    small.suspended = False
    first = small.until(lambda state: state.health == Health.HEALTHY)
    os.kill(first.pid, signal.SIGSTOP)
    small.suspended = True
    found = small.until(lambda state: state.health == Health.HUNG)
    assert found.status is Status.READY
    assert found.health_since
    restarting = small.until(lambda state: state.restarts == 1)
    small.suspended = False
    assert restarting.note.startswith("hung for ")
    again = small.until(lambda state: state.status is Status.READY and state.health == Health.HEALTHY)
    assert again.pid != first.pid
    assert (again.note, again.starts) == ("", 2)


def test_a_server_that_is_busy_for_long_is_not_restarted(kept: Any) -> None:
    small = kept(replace(a_service(WORKS), probe=hangs, url=UNREACHABLE))
    first = small.until(lambda state: state.health == Health.BUSY)
    time.sleep(2)
    assert small.state().pid == first.pid
    assert (small.state().restarts, small.state().status) == (0, Status.READY)


def test_one_that_hangs_again_and_again_is_given_up_and_tried_again_later(
    kept: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CRASHES", 1)
    monkeypatch.setattr(keeping, "AGAIN_AFTER_S", 1.0)
    small = kept(replace(a_service(SLEEP), probe=hangs, url=UNREACHABLE))
    given_up = small.until_status(Status.FAILED)
    assert given_up.restarts == 1
    assert given_up.next_attempt_at > given_up.health_since
    again = small.until(lambda state: state.starts == 3)
    assert again.next_attempt_at == ""
    small.until_status(Status.FAILED)
