"""A run whose process is gone is not running any more."""

from datetime import UTC, datetime

import pytest

from cv_yolo.domain.letters import Ending
from cv_yolo.domain.runs import RunStatus
from cv_yolo.ports import NewRun
from cv_yolo.workflows.close_abandoned import DRIVER_TAG, REASON, close_abandoned
from cv_yolo.workflows.deliver import DeliveringTracker, Line
from cv_yolo.workflows.patience import Patience
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
    with outbox.opened(run_id) as letters:
        letters.add(Ending(run_id=run_id, at=datetime.now(UTC), status=RunStatus.FINISHED, reason=None))
    patience = Patience(total_s=0, wait=lambda seconds: False)
    tracker = DeliveringTracker(recorder, outbox, line=Line(), patience=patience, report=lambda text: None)
    assert close_abandoned(tracker, is_gone=lambda mark: True) == ()
    assert recorder.get(run_id).status is RunStatus.FINISHED
