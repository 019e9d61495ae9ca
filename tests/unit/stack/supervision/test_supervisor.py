"""The supervisor from outside: it starts, answers, ends all in order, and leaves nothing however it dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.supervision import control as module
from cv_yolo_stack.supervision.control import Control
from cv_yolo_stack.supervision.log_file import LIMIT_BYTES
from cv_yolo_stack.supervision.processes import is_alive, processes_of
from cv_yolo_stack.supervision.state import StackState, Status
from tests.unit.stack.small import SLEEP

REPOSITORY = Path(__file__).resolve().parents[4]
TIMEOUT_S = 20


def wait_for(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


class Outside:
    """The control of a folder whose supervisor keeps two small servers, and what was reported."""

    def __init__(self, root: Path, second: str = "sleep") -> None:
        self.folder = StackFolder(root=root)
        self.folder.make()
        self.reports: list[StackState] = []
        command = (sys.executable, "-m", "tests.unit.stack.small", str(root), second)
        self.control = Control(
            self.folder, hide=lambda text: text.replace("luck", "•••"), report=self.reports.append, command=command
        )
        self.environment = {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}

    def start(self) -> StackState:
        return self.control.start(self.environment, within_s=TIMEOUT_S)

    def state(self) -> StackState:
        state = self.control.running()
        assert state is not None
        return state


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    made = Outside(tmp_path)
    yield made
    made.control.stop()


def test_all_are_ready_when_it_returns_and_all_are_gone_after_stop(outside: Outside) -> None:
    assert outside.control.running() is None
    state = outside.start()
    assert [each.status for each in state.services] == [Status.READY, Status.READY]
    processes = processes_of(outside.folder.root)
    assert {state.pid, *(each.pid for each in state.services)} < {process.pid for process in processes}, (
        "and an orphan guard"
    )
    assert outside.reports[-1] == state
    assert outside.control.stop()
    assert not any(map(is_alive, processes))
    assert outside.control.running() is None
    assert not outside.control.stop(), "nothing ran"
    log = outside.folder.log("supervisor").read_text(encoding="utf-8")
    assert log.index("second stopped") < log.index("first stopping"), "who needs others ends before them"


def test_stopped_services_are_reported_during_down(outside: Outside) -> None:
    outside.start()
    outside.reports.clear()
    outside.control.stop()
    assert Status.STOPPED in {each.status for state in outside.reports for each in state.services}


def test_one_service_restarts_on_request_and_an_unknown_one_is_named(outside: Outside) -> None:
    with pytest.raises(ServiceUnavailableError, match="not running"):
        outside.control.restart("first", within_s=TIMEOUT_S)
    before = outside.start()
    after = outside.control.restart("first", within_s=TIMEOUT_S)
    assert after.ready
    assert [now.pid != then.pid for now, then in zip(after.services, before.services, strict=True)] == [True, False]
    with pytest.raises(NotFoundError, match="there is no service third") as caught:
        outside.control.restart("third", within_s=TIMEOUT_S)
    assert caught.value.hint == "services: first, second"


def test_nothing_is_left_when_the_supervisor_is_killed(outside: Outside) -> None:
    state = outside.start()
    processes = processes_of(outside.folder.root)
    os.kill(state.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, processes)))
    assert outside.control.running() is None


def test_processes_left_by_supervisor_and_orphan_guard_are_stopped_before_the_next_start(outside: Outside) -> None:
    state = outside.start()
    servers = {each.pid for each in state.services}
    left = processes_of(outside.folder.root)
    for process in left:
        if process.pid not in servers:
            process.kill()
    wait_for(lambda: {each.pid for each in processes_of(outside.folder.root)} == servers)
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP])
    try:
        outside.control.clear()
        assert not any(map(is_alive, left))
        assert stranger.poll() is None, "a process without our mark is not ours"
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_orphan_guard_is_replaced(outside: Outside) -> None:
    state = outside.start()
    ours = {state.pid, *(each.pid for each in state.services)}
    (orphan_guard,) = (each for each in processes_of(outside.folder.root) if each.pid not in ours)
    orphan_guard.kill()
    wait_for(lambda: len({each.pid for each in processes_of(outside.folder.root)} - ours - {orphan_guard.pid}) == 1)
    assert outside.state().ready


def test_a_second_supervisor_is_refused(outside: Outside) -> None:
    state = outside.start()
    command = (sys.executable, "-m", "tests.unit.stack.small", str(outside.folder.root), "sleep")
    second = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert second.returncode != 0
    now = outside.state()
    assert (now.pid, [(each.pid, each.starts) for each in now.services]) == (
        state.pid,
        [(each.pid, each.starts) for each in state.services],
    )


def test_a_service_that_does_not_come_up_is_reported_with_the_end_of_its_log_and_all_others_stop(
    tmp_path: Path,
) -> None:
    outside = Outside(tmp_path, second="crash")
    with pytest.raises(ServiceUnavailableError) as caught:
        outside.start()
    assert caught.value.message == "Second did not come up: exited with code 3\n  | no •••"
    assert str(outside.folder.log("second")) in str(caught.value.hint)
    assert processes_of(tmp_path) == []


def test_a_supervisor_that_fails_to_start_is_reported_with_its_log(tmp_path: Path) -> None:
    outside = Outside(tmp_path, second="unknown")
    with pytest.raises(ServiceUnavailableError, match=r"(?s)supervisor has exited.*KeyError: 'unknown'"):
        outside.start()


def test_a_timeout_names_the_missing_services_and_leaves_nothing_running(tmp_path: Path) -> None:
    outside = Outside(tmp_path, second="never")
    with pytest.raises(ServiceUnavailableError, match=r"Second did not come up: still (waiting|starting)"):
        outside.control.start(outside.environment, within_s=1.0)
    assert processes_of(tmp_path) == []


def test_a_full_disk_is_reported_before_anything_starts(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(ServiceUnavailableError, match=r"the disk of .* is full: \d+ MB are free"):
        outside.control.clear()


def test_a_service_that_fails_on_a_full_disk_is_reported_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 10**18)
    with pytest.raises(ServiceUnavailableError, match=r"code 3 \(the disk is full: \d+ MB are free\)"):
        Outside(tmp_path, second="crash").start()


def test_a_log_that_cannot_be_rotated_does_not_stop_the_supervisor(outside: Outside) -> None:
    outside.start()
    log = outside.folder.log("first")
    log.with_suffix(".log.1").mkdir()
    with log.open("ab") as file:
        file.truncate(LIMIT_BYTES + 1)
    reported = outside.folder.log("supervisor")
    wait_for(lambda: f"{log}: IsADirectoryError" in reported.read_text(encoding="utf-8"))
    assert outside.state().ready
