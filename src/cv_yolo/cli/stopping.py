"""Ctrl-C and a termination signal, on their way to the children; the process is gone within seconds, whatever hangs."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

import click

from cv_yolo.errors import CvYoloError, StoppedError

GONE_WITHIN_S: Final = 8.0  # children have 3 s to end, records 4 s to be made; the rest is for a busy machine
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED: Final = threading.Event()  # this process was asked to end
AGAIN: Final = "Stopping: ending what runs, keeping what is done … (again: at once)"


@contextmanager
def stopping(stop: threading.Event, *, leave: Callable[[int], None] | None = None) -> Iterator[None]:
    """Tell the children to end, before the main thread unwinds and waits for them.

    A second signal, and the end of the time for the first one, ends the process and its children at once.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if not INTERRUPTED.is_set():
            INTERRUPTED.set()
            click.echo(AGAIN, err=True)
            raise KeyboardInterrupt

    INTERRUPTED.clear()
    with _watching(stop, leave or leave_at_once):
        former = {number: signal.signal(number, interrupt) for number in SIGNALS}
        try:
            yield
        except Exception as error:
            if stop.is_set() and not isinstance(error, StoppedError):  # what fails after a stop fails because of it
                raise StoppedError("stopped", hint=error.hint if isinstance(error, CvYoloError) else None) from error
            raise
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


@contextmanager
def _watching(stop: threading.Event, leave: Callable[[int], None]) -> Iterator[None]:
    """Count the signals in a thread of its own.

    The main thread may be where no handler of Python's runs, or in one of ZenML's, which asks its server before it calls
    ours.
    """
    heard, said = socket.socketpair()
    said.setblocking(False)
    watchdog = threading.Timer(GONE_WITHIN_S, leave, [StoppedError.exit_code])
    watchdog.daemon = True

    def listen() -> None:
        count = 0
        while numbers := heard.recv(64):
            for _ in filter(SIGNALS.__contains__, numbers):
                count += 1
                stop.set()
                if count == 1:
                    watchdog.start()
                elif count == 2:  # noqa: PLR2004 - the person is in a hurry
                    leave(StoppedError.exit_code)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    former = signal.set_wakeup_fd(said.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(former)
        said.close()
        listener.join()
        heard.close()
        watchdog.cancel()


def leave_at_once(exit_code: int) -> None:
    """End this process and all its children now: threads that wait for a silent server would hold it up."""
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    leave_without_waiting(exit_code)


def leave_without_waiting(exit_code: int) -> None:
    """End this process without joining its threads: the interpreter would wait for those that ask a silent server."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has gone
            stream.flush()
    os._exit(exit_code)
