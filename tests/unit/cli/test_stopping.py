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
from cv_yolo.cli.stopping import stopping
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
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf])
threading.Thread(target=threading.Event().wait).start()  # as one that waits for a server; no daemon
with stopping(threading.Event()):
    print(child.pid, flush=True)
    try:
        threading.Event().wait()
    finally:
        threading.Event().wait()  # a clean-up that never ends
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_tells_the_children_and_interrupts(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt), stopping(stop):
        os.kill(os.getpid(), number)
    assert stop.is_set()
    assert "Stopping: ending what runs, keeping what is done" in capsys.readouterr().err


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


def test_a_block_that_ends_in_time_leaves_no_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_handler_that_a_library_put_before_ours_and_that_hangs_is_no_obstacle() -> None:
    """ZenML's asks its server for the state of the run before it calls the former handler."""
    assert subprocess.run([sys.executable, "-c", FOREIGN_HANDLER], timeout=60, check=False).returncode == 130


def test_what_fails_because_of_the_stop_is_no_failure_of_its_own() -> None:
    stop = threading.Event()
    with pytest.raises(StoppedError), stopping(stop):
        stop.set()
        raise ServiceUnavailableError("MLflow does not answer, and the work was stopped")


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


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
