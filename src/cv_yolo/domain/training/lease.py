"""A run belongs to its driver for as long as the driver is seen: a heartbeat renews a lease, and a lost one ends it.

The driver tags its open runs with the time every `BEAT_EVERY`. A run that is recorded as running, and whose driver was
last seen longer ago than `LEASE` and the `TOLERANCE` for clocks that differ, is lost. A run without a heartbeat, of an
older version or of other software, is never called lost: it has no lease.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from cv_yolo.domain.training.runs import Run, RunStatus

HEARTBEAT_TAG: Final = "heartbeat"
BEAT_EVERY: Final = timedelta(seconds=30)
LEASE: Final = timedelta(minutes=5)
TOLERANCE: Final = timedelta(minutes=1)
LOST: Final = "lost: its driver has not been seen since"


def heartbeat(now: datetime) -> dict[str, str]:
    """The tag that says that the driver was seen now."""
    return {HEARTBEAT_TAG: now.astimezone(UTC).isoformat(timespec="seconds")}


def last_seen(run: Run) -> datetime | None:
    """When the run's driver was last seen; None where it never said so, or said no time."""
    try:
        beat = datetime.fromisoformat(run.tags[HEARTBEAT_TAG])
    except (KeyError, ValueError):
        return None
    return beat if beat.tzinfo else None


def lost_since(run: Run, now: datetime) -> datetime | None:
    """When the driver of a lost run was last seen; None where the run is not lost."""
    seen = last_seen(run) if run.status is RunStatus.RUNNING else None
    return seen if seen is not None and now - seen > LEASE + TOLERANCE else None


def reason_of(seen: datetime) -> str:
    """Why a lost run counts as failed."""
    return f"{LOST} {seen.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def was_called_lost(run: Run) -> bool:
    """Whether the run was closed because its driver was not seen."""
    return run.status is RunStatus.FAILED and (run.reason or "").startswith(LOST)
