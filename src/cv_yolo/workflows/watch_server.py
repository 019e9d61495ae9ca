"""Give up a server that stays silent while the work waits for it, though the libraries that ask it never come back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

LOOK_EVERY_S: Final = 5.0


@dataclass(slots=True, kw_only=True)
class Silence:
    """For how long a server has not answered.

    `answers` is a cheap probe of the server. While the work is `busy` with something that does not need the server,
    as a training is, the server is not asked, and its time does not count.
    """

    answers: Callable[[], bool]
    busy: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    since_s: float | None = None

    def lasts_s(self) -> float:
        """Ask once; returns the time since the first probe of this silence was sent, 0 where there is none."""
        asked_at_s = self.clock()
        if self.busy() or self.answers() or self.busy():
            self.since_s = None
            return 0.0
        self.since_s = asked_at_s if self.since_s is None else self.since_s
        return self.clock() - self.since_s


@contextmanager
def watching(
    silence: Silence, give_up: Callable[[], None], *, after_s: float, every_s: float = LOOK_EVERY_S
) -> Iterator[None]:
    """Ask the server until the block ends, in a thread of its own; `give_up` is called there, once."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            lasts_s = silence.lasts_s()
            if lasts_s and lasts_s >= after_s and not ended.is_set():
                give_up()
                return

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
