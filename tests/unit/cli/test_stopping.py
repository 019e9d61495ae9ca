"""Ctrl-C and a termination signal reach the children first, and once; afterwards they do what they did before."""

import os
import signal
import threading

import pytest

from cv_yolo.cli.stopping import stopping


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_tells_the_children_and_interrupts(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt), stopping(stop):
        os.kill(os.getpid(), number)
    assert stop.is_set()
    assert "Stopping: ending what runs, keeping what is done" in capsys.readouterr().err


def test_an_impatient_second_signal_does_not_interrupt_the_clearing_up(capsys: pytest.CaptureFixture[str]) -> None:
    cleared = []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            cleared.append("all")

    with pytest.raises(KeyboardInterrupt), stopping(threading.Event()):
        work()
    assert cleared == ["all"]
    assert capsys.readouterr().err.count("Stopping") == 1


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
