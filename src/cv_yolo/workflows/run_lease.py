"""Who drives a run: the driver is seen by its heartbeat, and runs whose driver is gone are closed."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from cv_yolo.domain.training.lease import BEAT_EVERY, lost_since, reason_of
from cv_yolo.domain.training.runs import Run, RunStatus
from cv_yolo.ports.records import ExperimentTracker

DRIVER_TAG = "driver"
REASON = "abandoned: the process that supervised the run ended without a word"


def close_abandoned(
    tracker: ExperimentTracker, *, is_gone: Callable[[str], bool], now: datetime | None = None
) -> tuple[Run, ...]:
    """End, as failed, each run that is recorded as running though its driver is gone or lost; returns those.

    `is_gone` returns whether the process behind a driver's mark has exited; it must not guess about other machines.
    For those, the lease counts: a driver that has not been seen for so long, as of `now`, is lost. A run whose end
    waits in the outbox is none of them: the tracker delivers what waits before it lists the runs.
    """
    running = [run for run in tracker.runs() if run.status is RunStatus.RUNNING]
    reasons = {run.run_id: _reason(run, is_gone, now) for run in running}
    abandoned = tuple(run for run in running if reasons[run.run_id] is not None)
    for run in abandoned:
        tracker.finish(run.run_id, RunStatus.FAILED, reasons[run.run_id])
    return abandoned


def as_they_stand(runs: Iterable[Run], *, is_gone: Callable[[str], bool], now: datetime) -> tuple[Run, ...]:
    """The runs as they stand now: one that is recorded as running, and whose driver is gone or lost, is lost."""

    def seen(run: Run) -> Run:
        reason = _reason(run, is_gone, now) if run.status is RunStatus.RUNNING else None
        return run if reason is None else replace(run, status=RunStatus.LOST, reason=reason)

    return tuple(map(seen, runs))


def _reason(run: Run, is_gone: Callable[[str], bool], now: datetime | None) -> str | None:
    if is_gone(run.tags.get(DRIVER_TAG, "")):
        return REASON
    seen = None if now is None else lost_since(run, now)
    return None if seen is None else reason_of(seen)


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
