"""Ctrl-C, a termination signal and a closed terminal stop a command within seconds, whatever hangs.

A signal that the parent process has ignored (`nohup`, `&` in a script) stays ignored.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Final

import click

from cv_yolo.errors import CvYoloError, StoppedError

GONE_WITHIN_S: Final = 6.0  # children have 2 s, records 3.5 s; ten seconds in all leave room on a busy machine
TERMINATION: Final = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
INTERRUPTED: Final = threading.Event()  # this process was asked to stop
AGAIN: Final = "Stopping: finished work is kept … (press again to stop at once)"


@contextmanager
def stopping(stop: threading.Event, *, leave: Callable[[int], None] | None = None) -> Iterator[None]:
    """Stop the children before the main thread unwinds and waits for them.

    A second signal, or the time limit of the first one, ends the process and its children at once.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        if not INTERRUPTED.is_set():
            INTERRUPTED.set()
            click.echo(AGAIN, err=True)
            raise KeyboardInterrupt

    INTERRUPTED.clear()
    with _handled_by(interrupt, (signal.SIGINT, *TERMINATION)) as heard, _watching(heard, stop, leave or leave_at_once):
        try:
            yield
        except Exception as error:
            if stop.is_set() and not isinstance(error, StoppedError):  # what fails after a stop fails because of it
                raise StoppedError("stopped", hint=error.hint if isinstance(error, CvYoloError) else None) from error
            raise


@contextmanager
def terminable() -> Iterator[None]:
    """A termination signal stops the command as Ctrl-C does: it cleans up, and exits with code 130.

    Where Ctrl-C is ignored, as in the background of a script, this is the way to stop it.
    """
    with _handled_by(signal.default_int_handler, TERMINATION):
        yield


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], Any], numbers: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The signals to handle: none outside the main thread, and none that the parent has ignored."""
    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
        former = {number: signal.signal(number, handler) for number in heard}
    try:
        yield tuple(former)
    finally:
        for number, before in former.items():
            signal.signal(number, before)


@contextmanager
def _watching(numbers: tuple[int, ...], stop: threading.Event, leave: Callable[[int], None]) -> Iterator[None]:
    """Count these signals in a separate thread, and exit when the time limit is reached.

    The main thread may be where no handler of Python's runs, or in one of ZenML's, which asks its server before it
    calls ours.
    """
    if not numbers:
        yield
        return
    heard, said = socket.socketpair()
    said.setblocking(False)
    watchdog = threading.Timer(GONE_WITHIN_S, leave, [StoppedError.exit_code])
    watchdog.daemon = True

    def listen() -> None:
        count = 0
        while received := heard.recv(64):
            for _ in filter(numbers.__contains__, received):
                count += 1
                stop.set()
                if count == 1:
                    watchdog.start()
                elif count == 2:  # noqa: PLR2004 - the second signal
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


def leave_with(error: CvYoloError) -> None:
    """Print the error, and end this process and all its children now, from any thread."""
    say(error)
    leave_at_once(error.exit_code)


def say(error: CvYoloError) -> None:
    """Print the error and its hint."""
    click.secho(f"error: {error.message}", err=True, fg="red")
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)


def leave_at_once(exit_code: int) -> None:
    """End this process and all its children now: threads that wait for an unresponsive server would block it."""
    import psutil

    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    leave_without_waiting(exit_code)


def leave_without_waiting(exit_code: int) -> None:
    """End this process without joining its threads: one may be waiting for an unresponsive server."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the reader has exited
            stream.flush()
    os._exit(exit_code)
