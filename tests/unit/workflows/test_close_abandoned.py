"""A run whose process is gone is not running any more."""

from datetime import UTC, datetime, timedelta

import pytest

from cv_yolo.domain.training.lease import LEASE, TOLERANCE, heartbeat, reason_of
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.tracking_events import RunEnding
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.retry import RetryPolicy
from cv_yolo.workflows.run_lease import DRIVER_TAG, REASON, as_they_stand, close_abandoned
from tests.fakes import FakeExperimentTracker, FakeOutbox


def started(tracker, driver):
    tags = {} if driver is None else {DRIVER_TAG: driver}
    return tracker.start(NewRun(name="e3_s320", params={}, tags=tags))


def test_a_running_run_whose_driver_is_gone_is_ended_as_failed_with_its_reason():
    tracker = FakeExperimentTracker()
    gone, alive = started(tracker, "host:1"), started(tracker, "host:2")
    closed = close_abandoned(tracker, is_gone=lambda mark: mark == "host:1")
    assert [run.run_id for run in closed] == [gone]
    run = tracker.get(gone)
    assert (run.status, run.reason, run.ended_at is not None) == (RunStatus.FAILED, REASON, True)
    assert tracker.get(alive).status is RunStatus.RUNNING


@pytest.mark.parametrize("status", [RunStatus.FINISHED, RunStatus.FAILED, RunStatus.STOPPED])
def test_a_run_that_ended_keeps_its_end(status):
    tracker = FakeExperimentTracker()
    run_id = started(tracker, "host:1")
    tracker.finish(run_id, status, "as it was")
    before = tracker.get(run_id)
    assert close_abandoned(tracker, is_gone=lambda mark: True) == ()
    assert tracker.get(run_id) == before


def test_a_run_without_a_drivers_mark_is_asked_about_by_an_empty_mark():
    tracker = FakeExperimentTracker()
    run_id = started(tracker, None)
    asked = []
    assert close_abandoned(tracker, is_gone=lambda mark: bool(asked.append(mark))) == ()
    assert asked == [""]
    assert tracker.get(run_id).status is RunStatus.RUNNING


def test_a_run_whose_end_waits_in_the_outbox_ended_so():
    """Its process ended it while the tracker was silent, and is gone since."""
    recorder, outbox = FakeExperimentTracker(), FakeOutbox()
    run_id = started(recorder, "host:1")
    with outbox.opened(run_id) as events:
        events.add(RunEnding(run_id=run_id, at=datetime.now(UTC), status=RunStatus.FINISHED, reason=None))
    retry = RetryPolicy(total_s=0, wait=lambda seconds: False)
    tracker = DeliveringTracker(recorder, outbox, line=TrackerState(), retry=retry, report=lambda text: None)
    assert close_abandoned(tracker, is_gone=lambda mark: True) == ()
    assert recorder.get(run_id).status is RunStatus.FINISHED


NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
LONG_AGO = NOON - LEASE - TOLERANCE - timedelta(seconds=1)


def seen_at(tracker, time):
    return tracker.start(NewRun(name="e3_s320", params={}, tags={DRIVER_TAG: "elsewhere:1"} | heartbeat(time)))


def unknown(mark):
    return False


def test_a_run_whose_driver_is_on_another_machine_and_lost_is_ended_with_the_time_it_was_seen_last():
    tracker = FakeExperimentTracker()
    lost, seen = seen_at(tracker, LONG_AGO), seen_at(tracker, NOON - LEASE)
    assert [run.run_id for run in close_abandoned(tracker, is_gone=unknown, now=NOON)] == [lost]
    run = tracker.get(lost)
    assert (run.status, run.reason) == (RunStatus.FAILED, reason_of(LONG_AGO))
    assert tracker.get(seen).status is RunStatus.RUNNING


def test_without_a_time_no_driver_is_called_lost():
    tracker = FakeExperimentTracker()
    seen_at(tracker, LONG_AGO)
    assert close_abandoned(tracker, is_gone=unknown) == ()


def test_runs_are_shown_as_they_stand_and_nothing_is_written():
    tracker = FakeExperimentTracker()
    lost, seen, gone = seen_at(tracker, LONG_AGO), seen_at(tracker, NOON), started(tracker, "here:1")
    ended = started(tracker, "here:1")
    tracker.finish(ended, RunStatus.FINISHED)
    shown = {
        run.run_id: (run.status, run.reason)
        for run in as_they_stand(tracker.runs(), is_gone=lambda mark: mark == "here:1", now=NOON)
    }
    assert shown == {
        lost: (RunStatus.LOST, reason_of(LONG_AGO)),
        seen: (RunStatus.RUNNING, None),
        gone: (RunStatus.LOST, REASON),
        ended: (RunStatus.FINISHED, None),
    }
    assert tracker.get(lost).status is RunStatus.RUNNING
