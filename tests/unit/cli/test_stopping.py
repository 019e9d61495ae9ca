"""Ctrl-C and a termination signal reach the children first, and the process is gone soon, whatever it waits for."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from cv_yolo.cli import stopping as module
from cv_yolo.cli.stopping import stopping, terminable
from cv_yolo.errors import ServiceUnavailableError, StoppedError
from tests.e2e.project import wait_for

FOREIGN_HANDLER = """
import os, signal, threading
from cv_yolo.cli import stopping as module
from cv_yolo.cli.stopping import stopping

module.GONE_WITHIN_S = 0.5
with stopping(threading.Event()):
    signal.signal(signal.SIGINT, lambda *_: threading.Event().wait())
    os.kill(os.getpid(), signal.SIGINT)
"""
HUNG = """
import subprocess, sys, threading
from cv_yolo.cli import stopping as module
from cv_yolo.cli.stopping import stopping

module.GONE_WITHIN_S = float(sys.argv[1])
stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
threading.Thread(target=threading.Event().wait).start()  # as one that waits for a server; no daemon
with stopping(threading.Event()):
    try:
        print(child.pid, flush=True)
        threading.Event().wait()
    finally:
        threading.Event().wait()  # a clean-up that never ends
"""
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


pytestmark = pytest.mark.usefixtures("signals_of_a_terminal")


@pytest.mark.parametrize("number", STOPS)
def test_a_signal_stops_the_children_and_interrupts(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt), stopping(stop):
        os.kill(os.getpid(), number)
    assert stop.is_set()
    assert "Stopping: finished work is kept" in capsys.readouterr().err


def test_a_second_signal_ends_the_process_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    left: list[int] = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            wait_for(lambda: left, what="the second signal's end")

    with pytest.raises(KeyboardInterrupt), stopping(threading.Event(), leave=left.append):
        work()
    assert left == [130]
    assert capsys.readouterr().err.count("Stopping") == 1


def test_the_process_leaves_when_the_time_to_stop_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GONE_WITHIN_S", 0.05)
    left = threading.Event()

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            assert left.wait(10)

    with pytest.raises(KeyboardInterrupt), stopping(threading.Event(), leave=lambda _: left.set()):
        work()


def test_a_block_that_finishes_in_time_leaves_no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GONE_WITHIN_S", 0.2)
    left: list[int] = []
    with pytest.raises(KeyboardInterrupt), stopping(threading.Event(), leave=left.append):
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.4)
    assert left == []


@pytest.mark.parametrize(("allowed_s", "signals"), [(0.5, 1), (600, 2)])
def test_nothing_that_hangs_keeps_the_process_or_a_child_of_it(allowed_s: float, signals: int, tmp_path: Path) -> None:
    """Neither a thread that waits, nor a child that does not listen, nor a clean-up without an end."""
    hung = subprocess.Popen(
        [sys.executable, "-c", HUNG, str(allowed_s)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert hung.stdout is not None
    assert hung.stderr is not None
    child = psutil.Process(int(hung.stdout.readline()))
    hung.send_signal(signal.SIGINT)
    assert "Stopping" in hung.stderr.readline()
    if signals > 1:
        hung.send_signal(signal.SIGINT)
    assert hung.wait(10) == 130
    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, what="the end of the child")
    hung.communicate()


def test_a_hanging_signal_handler_of_a_library_does_not_block_ours() -> None:
    """ZenML's asks its server for the state of the run before it calls the former handler."""
    assert subprocess.run([sys.executable, "-c", FOREIGN_HANDLER], timeout=60, check=False).returncode == 130


def test_a_failure_caused_by_the_stop_is_not_reported_separately() -> None:
    stop = threading.Event()
    error = ServiceUnavailableError("MLflow does not answer, and the work was stopped")

    def fail() -> None:
        stop.set()
        raise error

    with pytest.raises(StoppedError), stopping(stop):
        fail()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ignored_signals_stay_ignored_and_a_termination_signal_stops(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)  # put back by the fixtures
    went_on = []

    def work() -> None:
        os.kill(os.getpid(), number)
        went_on.append(number)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt), stopping(threading.Event()):
        work()
    assert went_on == [number]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_any_command_is_interrupted_by_a_termination_signal(number: int) -> None:
    with pytest.raises(KeyboardInterrupt), terminable():
        os.kill(os.getpid(), number)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    before, within = handlers(), []

    def work() -> None:
        with terminable(), stopping(threading.Event()):
            within.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert within == [before]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("ctrl_c_is_ignored")
def test_in_the_background_a_command_ignores_ctrl_c_and_exits_cleanly_on_a_termination_signal(
    project: Path, number: int
) -> None:
    command = (sys.executable, "-m", "cv_yolo", "data", "synth", "--counts", "100000", "0", "0", "--size", "64")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        give_up = time.monotonic() + 60
        while not list(project.rglob("*.jpg")) and time.monotonic() < give_up:
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1)
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert err.endswith("error: stopped\n")
    assert "Traceback" not in err
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["schema.json"]


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in STOPS]


def test_afterwards_the_signals_are_as_they_were() -> None:
    before = handlers()
    with stopping(threading.Event()):
        assert not set(map(id, handlers())) & set(map(id, before))
    assert handlers() == before


def test_after_an_error_the_signals_are_as_they_were_too() -> None:
    before = handlers()
    with pytest.raises(ValueError, match="wrong"), stopping(threading.Event()):
        raise ValueError("wrong")
    assert handlers() == before


def test_another_thread_can_exit_the_process_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[int] = []
    monkeypatch.setattr(module, "leave_at_once", left.append)
    module.leave_with(ServiceUnavailableError("the object store does not answer", hint="run the same command again"))
    assert left == [3]
    assert capsys.readouterr().err == "error: the object store does not answer\nhint: run the same command again\n"
