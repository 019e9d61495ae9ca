"""A driver that is seen keeps its runs; one that is not seen for longer than its lease has lost them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.domain.training.lease import (
    BEAT_EVERY,
    HEARTBEAT_TAG,
    LEASE,
    LOST,
    TOLERANCE,
    heartbeat,
    last_seen,
    lost_since,
    reason_of,
    was_called_lost,
)
from cv_yolo.domain.training.runs import RunStatus
from tests.builders import a_run

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
SPANS = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400))
SKEWS = st.timedeltas(min_value=-TOLERANCE, max_value=TOLERANCE)


def a_running_run(seen, **changes):
    return a_run(status=RunStatus.RUNNING, tags={} if seen is None else heartbeat(seen), **changes)


@given(SKEWS, st.timedeltas(min_value=timedelta(), max_value=LEASE))
def test_a_driver_that_was_seen_within_its_lease_is_never_lost_whatever_the_clocks_say_within_their_tolerance(
    skew, since
):
    assert lost_since(a_running_run(NOON + skew), NOON + since) is None


@given(SKEWS, SPANS)
def test_one_that_is_not_seen_any_more_is_lost_in_the_end_and_stays_so(skew, later):
    run = a_running_run(NOON + skew)
    late = NOON + skew + LEASE + TOLERANCE + timedelta(seconds=1) + later
    assert lost_since(run, late) == last_seen(run)


@given(SPANS, SPANS)
def test_who_is_lost_now_was_not_seen_between_and_is_lost_later_too(first, second):
    run, sooner, later = a_running_run(NOON), NOON + min(first, second), NOON + max(first, second)
    assert lost_since(run, sooner) is None or lost_since(run, later) is not None


def test_a_lease_outlasts_many_beats():
    assert LEASE >= 8 * BEAT_EVERY, "a few that the server did not take are no loss"


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.RUNNING}))
def test_a_run_that_ended_is_not_lost(status):
    run = a_run(status=status, tags=heartbeat(NOON))
    assert lost_since(run, NOON + timedelta(days=1)) is None


@pytest.mark.parametrize("reported", [None, "", "yesterday", "2026-03-04T12:00:00"])
def test_a_driver_that_never_said_when_it_was_seen_is_not_called_lost(reported):
    run = a_run(status=RunStatus.RUNNING, tags={} if reported is None else {HEARTBEAT_TAG: reported})
    assert last_seen(run) is None
    assert lost_since(run, NOON + timedelta(days=1000)) is None


def test_a_beat_is_a_time_that_every_place_reads_alike():
    elsewhere = NOON.astimezone(timezone(timedelta(hours=9)))
    assert heartbeat(elsewhere) == heartbeat(NOON) == {HEARTBEAT_TAG: "2026-03-04T12:00:00+00:00"}
    assert last_seen(a_running_run(elsewhere)) == NOON


def test_a_run_that_was_ended_as_lost_says_since_when_and_is_known_by_it():
    reason = reason_of(NOON)
    assert reason == f"{LOST} 2026-03-04 12:00:00 UTC"
    assert was_called_lost(a_run(status=RunStatus.FAILED, reason=reason))
    assert not was_called_lost(a_run(status=RunStatus.FAILED, reason="out of memory"))
    assert not was_called_lost(a_run(status=RunStatus.FAILED, reason=None))
    assert not was_called_lost(a_run(status=RunStatus.RUNNING, reason=reason))
