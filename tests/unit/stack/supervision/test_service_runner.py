"""One service, kept running: until it is usable, after a crash, with its workers, and to a clean end."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.supervision import service_runner as module
from cv_yolo_stack.supervision.processes import is_alive, mark
from cv_yolo_stack.supervision.service_runner import ServiceRunner
from cv_yolo_stack.supervision.state import Board, ServiceState, Status
from tests.unit.stack.small import (
    CRASH,
    IGNORES_SIGTERM,
    SERVE,
    SLEEP,
    WITH_WORKER,
    a_service,
    answers_at,
    unusable,
)

TIMEOUT_S = 20


class Kept:
    """A keeper at work, and what its board says."""

    def __init__(self, folder: Path, *services: Service) -> None:
        self.folder = folder
        self.board = Board(folder / "state.json", services, pid=os.getpid())
        self.runners: list[ServiceRunner] = []
        for each in services:
            needs = [runner for runner in self.runners if runner.service.name in each.needs]
            self.runners.append(
                ServiceRunner(each, board=self.board, log=folder / f"{each.name}.log", mark=mark(folder), needs=needs)
            )
        for runner in self.runners:
            runner.start()

    def state(self, name: str = "small") -> ServiceState:
        return self.board.of(name)

    def until(self, condition: Callable[[ServiceState], bool], name: str = "small") -> ServiceState:
        give_up = time.monotonic() + TIMEOUT_S
        while not condition(self.state(name)):
            assert time.monotonic() < give_up, self.state(name)
            time.sleep(0.02)
        return self.state(name)

    def until_status(self, status: Status, name: str = "small") -> ServiceState:
        return self.until(lambda state: state.status is status, name)

    def log(self, name: str = "small") -> str:
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def end(self) -> None:
        for runner in self.runners:
            runner.stop()
        for runner in self.runners:
            runner.join(TIMEOUT_S)
            assert not runner.is_alive()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Kept]]:
    monkeypatch.setattr(module, "POLL_S", 0.02)
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.05)
    made: list[Kept] = []

    def make(*services: Service) -> Kept:
        made.append(Kept(tmp_path, *services))
        return made[-1]

    yield make
    for each in made:
        each.end()


def alive(pid: int | None) -> bool:
    return pid is not None and psutil.pid_exists(pid) and is_alive(psutil.Process(pid))


def test_a_server_is_ready_once_it_can_be_used_and_gone_when_it_is_stopped(kept: Any) -> None:
    port = free_port(0)
    small = kept(a_service(SERVE, str(port), use=answers_at(port)))
    ready = small.until_status(Status.READY)
    assert ready.ready_after_s is not None
    assert (ready.starts, ready.restarts, ready.note) == (1, 0, "")
    assert "serving" in small.log()
    small.end()
    assert small.state().status is Status.STOPPED
    assert small.state().pid is None
    assert not alive(ready.pid)


def test_a_killed_service_restarts_and_reports_the_signal(kept: Any) -> None:
    small = kept(a_service(SLEEP))
    first = small.until_status(Status.READY)
    os.kill(first.pid, signal.SIGKILL)
    second = small.until(lambda state: state.restarts == 1 and state.status is Status.READY)
    assert second.pid != first.pid
    assert second.starts == 2


def test_the_delay_grows_and_after_five_crashes_in_a_row_the_service_fails(kept: Any, tmp_path: Path) -> None:
    began = tmp_path / "begins"
    once = f"""
import pathlib, sys, time
began = pathlib.Path({str(began)!r})
time.sleep(0 if began.exists() else 0.3)  # usable once, and never again
began.touch()
sys.exit(3)
"""
    small = kept(a_service(once))
    given_up = small.until_status(Status.FAILED)
    assert given_up.restarts == 5
    assert given_up.note == "exited with code 3"
    assert given_up.pid is None


def test_one_that_was_never_usable_is_given_up_at_once(kept: Any) -> None:
    small = kept(a_service(CRASH, use=unusable))
    given_up = small.until_status(Status.FAILED)
    assert (given_up.starts, given_up.restarts) == (1, 0)
    assert small.log() == "no luck\n"


def test_a_service_that_is_not_usable_in_time_is_stopped_and_its_last_error_reported(kept: Any) -> None:
    small = kept(a_service(SLEEP, use=unusable, ready_within_s=0.2))
    given_up = small.until_status(Status.FAILED)
    assert given_up.note == "not usable within 0.2 s: it does not answer"


def test_a_failed_service_is_tried_again_on_request(kept: Any, tmp_path: Path) -> None:
    door = tmp_path / "open"
    code = f"import pathlib, sys, time; pathlib.Path({str(door)!r}).exists() or sys.exit(1); time.sleep(600)"
    small = kept(a_service(code, use=lambda: None if door.exists() else unusable()))
    small.until_status(Status.FAILED)
    door.touch()
    small.runners[0].request_restart()
    assert small.until_status(Status.READY).starts == 2


def test_a_restart_on_request_is_not_a_crash(kept: Any) -> None:
    small = kept(a_service(SLEEP))
    first = small.until_status(Status.READY)
    small.runners[0].request_restart()
    second = small.until(lambda state: state.starts == 2 and state.status is Status.READY)
    assert second.restarts == 0
    assert not alive(first.pid)


def test_the_workers_of_a_killed_server_are_stopped_before_its_restart(kept: Any) -> None:
    small = kept(a_service(WITH_WORKER))
    first = small.until(lambda state: state.status is Status.READY and bool(small.log()))
    worker = int(small.log().split()[0])
    assert alive(worker)
    os.kill(first.pid, signal.SIGKILL)
    small.until(lambda state: state.restarts == 1 and state.status is Status.READY)
    assert not alive(worker)


def test_one_that_does_not_listen_is_killed_after_its_grace(kept: Any) -> None:
    small = kept(a_service(IGNORES_SIGTERM, grace_s=0.2))
    first = small.until(lambda state: state.status is Status.READY and "ready" in small.log())
    small.end()
    assert not alive(first.pid)


def test_one_waits_for_those_that_it_needs(kept: Any, tmp_path: Path) -> None:
    door = tmp_path / "open"
    first = a_service(SLEEP, name="first", use=lambda: None if door.exists() else unusable())
    both = kept(first, a_service(SLEEP, name="second", needs=("first",)))
    both.until_status(Status.STARTING, "first")
    assert both.state("second").status is Status.WAITING
    door.touch()
    both.until_status(Status.READY, "second")


def test_one_that_waits_can_be_stopped(kept: Any) -> None:
    both = kept(a_service(SLEEP, name="first", use=unusable), a_service(SLEEP, name="second", needs=("first",)))
    both.end()
    assert both.state("second").starts == 0


def test_an_external_service_has_no_process_but_is_tested_by_use(kept: Any) -> None:
    used: list[int] = []
    elsewhere = Service(name="small", title="Small", url="http://elsewhere", use=lambda: used.append(1))
    small = kept(elsewhere)
    assert small.until_status(Status.READY).pid is None
    small.end()
    assert used == [1]


def test_a_service_that_cannot_be_prepared_or_started_is_reported(kept: Any, tmp_path: Path) -> None:
    missing = Service(name="small", title="S", url="u", use=lambda: None, command=(str(tmp_path / "missing"),))
    assert "FileNotFoundError" in kept(missing).until_status(Status.FAILED).note


def test_an_internal_error_is_shown_on_the_board(kept: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _: None)

    def use() -> None:
        raise KeyError("surprise")

    small = kept(a_service(SLEEP, use=use))
    assert small.until_status(Status.FAILED).note == "internal error: KeyError: 'surprise'"
