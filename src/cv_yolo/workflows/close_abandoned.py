"""Runs whose process ended without a word (killed, power cut) are not running any more: say so."""

from collections.abc import Callable

from cv_yolo.domain.runs import Run, RunStatus
from cv_yolo.ports import ExperimentTracker

DRIVER_TAG = "driver"
REASON = "abandoned: the process that supervised the run ended without a word"


def close_abandoned(tracker: ExperimentTracker, *, is_gone: Callable[[str], bool]) -> tuple[Run, ...]:
    """End, as failed, each run that is recorded as running though its driver is gone; returns those.

    `is_gone` tells of a driver's mark whether its process has ended; it must not guess about other machines.
    A run whose end waits in the outbox is none of them: the tracker delivers what waits before it tells of the runs.
    """
    abandoned = tuple(
        run for run in tracker.runs() if run.status is RunStatus.RUNNING and is_gone(run.tags.get(DRIVER_TAG, ""))
    )
    for run in abandoned:
        tracker.finish(run.run_id, RunStatus.FAILED, REASON)
    return abandoned
