"""Ctrl-C and a termination signal, on their way to the children."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


@contextmanager
def stopping(stop: threading.Event) -> Iterator[None]:
    """Tell the children to end, before the main thread unwinds and waits for them."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if not stop.is_set():
            stop.set()
            click.echo("Stopping: ending what runs, keeping what is done …", err=True)
            raise KeyboardInterrupt

    former = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
