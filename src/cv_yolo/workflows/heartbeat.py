"""Be seen: call a beat again and again, beside the work."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cv_yolo.domain.lease import BEAT_EVERY


@contextmanager
def beating(beat: Callable[[], None], *, every_s: float = BEAT_EVERY.total_seconds()) -> Iterator[None]:
    """Beat until the block ends, in a thread of its own; a beat that hangs does not delay the work."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every_s):
            beat()

    threading.Thread(target=go_on, name="heartbeat", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
