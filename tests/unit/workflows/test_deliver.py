"""Writers never wait for a silent tracker, and what they wrote arrives all the same: whole, in order, once."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.training.lease import last_seen, reason_of
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.domain.training.tracking_events import RunDetails
from cv_yolo.errors import NotFoundError, RunFailedError, ServiceUnavailableError, StoppedError
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.deliver import FIRST_PAUSE_S, LONGEST_PAUSE_S, DeliveringTracker, TrackerState
from cv_yolo.workflows.retry import RetryPolicy
from tests.fakes import FakeExperimentTracker, FakeOutbox

RUN = NewRun(name="e3_s320", params={"epochs": "3"}, tags={"dataset_revision": "r1"})
NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
GONE = ServiceUnavailableError("MLflow at http://x does not answer", hint="is it up?")


class Flaky(FakeExperimentTracker):
    """A tracker that is `down`, or whose answers to writers follow `fates`: done, down, or lost (done, unanswered)."""

    def __init__(self):
        super().__init__()
        self.down, self.fates, self.asked, self.seen = False, [], 0, []
        self.refuses = ()

    def start(self, run):
        self._answer()
        return super().start(run)

    def deliver(self, event):
        self._answer()
        fate = self.fates.pop(0) if self.fates else "done"
        if fate == "down":
            raise GONE
        if any(name in self.refuses for name in getattr(event, "values", ())):
            raise RunFailedError("MLflow refuses it: invalid metric name")
        super().deliver(event)
        self.seen.append(event)
        if fate == "lost":
            raise GONE

    def get(self, run_id):
        self._answer()
        return super().get(run_id)

    def runs(self):
        self._answer()
        return super().runs() if not self.down else ()

    def history(self, run_id, metric):
        self._answer()
        return super().history(run_id, metric)

    def artifact(self, run_id, path):
        self._answer()
        return super().artifact(run_id, path)

    def artifacts(self, run_id, folder):
        self._answer()
        return super().artifacts(run_id, folder)

    def _answer(self):
        self.asked += 1
        if self.down:
            raise GONE


@dataclass
class World:
    """A flaky tracker, an outbox, and time that passes only on demand."""

    recorder: Flaky = field(default_factory=Flaky)
    outbox: FakeOutbox = field(default_factory=FakeOutbox)
    now_s: float = 0.0
    reported: list[str] = field(default_factory=list)
    total_s: float = 60.0
    on_wait: object = None

    def tracker(self):
        """The tracker of a new process."""
        return DeliveringTracker(
            self.recorder,
            self.outbox,
            line=TrackerState(clock=lambda: self.now_s),
            retry=RetryPolicy(total_s=self.total_s, wait=self.wait, clock=lambda: self.now_s),
            report=self.reported.append,
            now=lambda: NOON + timedelta(seconds=self.now_s),
        )

    def wait(self, seconds):
        self.now_s += seconds
        return bool(self.on_wait and self.on_wait(self.now_s))


@pytest.fixture
def world():
    return World()


def epoch(number, value=0.5):
    return EpochMetrics(epoch=number, values={"val/map_50": value})


def test_while_the_tracker_answers_nothing_is_kept_or_reported(world, tmp_path):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    (tmp_path / "best.pt").write_bytes(b"weights")
    tracker.log_epoch(run_id, epoch(1))
    tracker.log_artifacts(run_id, [tmp_path / "best.pt"], "weights")
    tracker.finish(run_id, RunStatus.FINISHED)
    assert (world.outbox.kept, world.reported) == ({}, [])
    assert tracker.artifact(run_id, "weights/best.pt") == b"weights"


def test_an_unresponsive_tracker_blocks_no_run_and_everything_arrives_in_order_once_it_answers(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    tracker.log_epoch(run_id, epoch(1, 0.1))
    world.recorder.down = True
    tracker.log_epoch(run_id, epoch(2, 0.2))
    tracker.tag(run_id, {"note": "first"})
    tracker.tag(run_id, {"note": "second"})
    tracker.finish(run_id, RunStatus.FINISHED)
    world.recorder.down = False
    run = tracker.get(run_id)
    assert (run.status, run.tags["note"], run.metrics) == (RunStatus.FINISHED, "second", {"val/map_50": 0.2})
    assert tracker.history(run_id, "val/map_50") == ((1, 0.1), (2, 0.2))
    assert world.outbox.kept == {}
    assert world.reported == [
        "MLflow at http://x does not answer; what is to be recorded is kept, and delivered when it answers",
        f"the tracker answers: 4 entries kept for run {run_id} were delivered",
    ]


def test_what_is_written_while_something_waits_goes_behind_it(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.down = True
    tracker.tag(run_id, {"note": "first"})
    world.recorder.down = False
    tracker.tag(run_id, {"note": "second"})
    assert world.recorder.get(run_id).tags.get("note") is None, "the tracker was silent just now: not asked again yet"
    world.now_s += FIRST_PAUSE_S
    tracker.tag(run_id, {"more": "third"})
    assert [event.tags for event in world.recorder.seen] == [{"note": "first"}, {"note": "second"}, {"more": "third"}]


def test_an_unresponsive_tracker_is_asked_less_and_less_and_each_outage_is_shown_once(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.down = True
    asked_at = []
    for second in range(200):
        before = world.recorder.asked
        world.now_s = second
        tracker.log_epoch(run_id, epoch(second))
        asked_at += [second] * (world.recorder.asked - before)
    pauses = [later - earlier for earlier, later in pairwise(asked_at)]
    assert pauses[:4] == [FIRST_PAUSE_S, 4, 8, 16]
    assert set(pauses[4:]) == {LONGEST_PAUSE_S}
    assert len(world.reported) == 1
    world.recorder.down = False
    tracker.get(run_id)
    world.recorder.down = True
    tracker.log_epoch(run_id, epoch(200))
    assert [text.startswith("MLflow at http://x") for text in world.reported] == [True, False, True]
    assert len(tracker._outbox.kept[run_id]) == 1


def test_another_run_does_not_ask_a_tracker_that_just_failed_to_answer(world):
    tracker = world.tracker()
    first, second = tracker.start(RUN), tracker.start(RUN)
    world.recorder.down = True
    tracker.log_epoch(first, epoch(1))
    asked = world.recorder.asked
    tracker.log_epoch(second, epoch(1))
    assert world.recorder.asked == asked
    assert set(world.outbox.kept) == {first, second}


def test_the_next_process_delivers_what_the_killed_one_kept(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.down = True
    tracker.log_epoch(run_id, epoch(1))
    tracker.finish(run_id, RunStatus.FINISHED)
    world.recorder.down = False
    (run,) = world.tracker().runs()
    assert (run.status, run.metrics) == (RunStatus.FINISHED, {"val/map_50": 0.5})


def test_an_answer_that_was_lost_is_not_recorded_twice(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.fates = ["lost"]
    tracker.log_metrics(run_id, {"final/map_50": 0.5})
    assert len(world.outbox.kept[run_id]) == 1
    assert tracker.history(run_id, "final/map_50") == ((0, 0.5),)


def test_two_figures_of_the_same_moment_keep_their_order(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    tracker.log_metrics(run_id, {"final/map_50": 0.6})
    tracker.log_metrics(run_id, {"final/map_50": 0.2})
    first, second = world.recorder.seen
    assert second.at - first.at == timedelta(milliseconds=1)


def test_a_clock_that_is_set_back_does_not_change_the_order(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.now_s = 1200
    tracker.log_metrics(run_id, {"final/map_50": 0.6})
    world.now_s = 0
    tracker.log_metrics(run_id, {"final/map_50": 0.2})
    times = [event.at for event in world.recorder.seen]
    assert times == sorted(times)


def test_a_run_is_not_started_without_the_tracker(world):
    world.recorder.down = True
    with pytest.raises(ServiceUnavailableError, match=r"waited 60 s") as raised:
        world.tracker().start(RUN)
    assert "run the same command again: nothing is trained twice" in raised.value.hint
    assert raised.value.exit_code == 3


def test_to_connect_is_to_know_at_once(world):
    class Down(Flaky):
        def connect(self):
            raise GONE

    world.recorder = Down()
    with pytest.raises(ServiceUnavailableError):
        world.tracker().connect()
    assert world.now_s == 0


def test_a_run_starts_when_the_tracker_comes_back_in_time(world):
    world.recorder.down = True

    def back(now_s):
        world.recorder.down = now_s < 5

    world.on_wait = back
    assert world.tracker().get(world.tracker().start(RUN)).name == "e3_s320"
    assert "waiting up to 60 s" in world.reported[0]


@pytest.mark.parametrize(
    "read",
    [
        lambda tracker, run_id: tracker.get(run_id),
        lambda tracker, run_id: tracker.runs(),
        lambda tracker, run_id: tracker.history(run_id, "x"),
        lambda tracker, run_id: tracker.artifact(run_id, "x"),
        lambda tracker, run_id: tracker.artifacts(run_id, "x"),
    ],
)
@pytest.mark.parametrize("waiting", [True, False])
def test_what_cannot_be_read_in_time_is_an_unavailable_service(world, read, waiting):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.down = True
    if waiting:
        tracker.log_epoch(run_id, epoch(1))
    with pytest.raises(ServiceUnavailableError, match="waited 60 s"):
        read(tracker, run_id)
    assert world.now_s <= 60


def test_another_reader_lists_the_runs_after_what_waits_was_delivered(world):
    class Reader:
        def runs(self):
            return tuple(run for run in world.recorder.runs() if run.tags.get("note") == "late")

    outbox = FakeOutbox()
    tracker = DeliveringTracker(
        world.recorder,
        outbox,
        line=TrackerState(),
        retry=RetryPolicy(total_s=0, wait=lambda seconds: False),
        report=lambda text: None,
        reader=Reader(),
    )
    run_id = tracker.start(RUN)
    assert tracker.runs() == ()
    with outbox.opened(run_id) as events:
        events.add(RunDetails(run_id=run_id, at=NOON, tags={"note": "late"}))
    assert [run.run_id for run in tracker.runs()] == [run_id]


def test_a_reader_who_is_stopped_waits_no_longer(world):
    world.recorder.down = True
    world.on_wait = lambda now_s: True
    with pytest.raises(StoppedError):
        world.tracker().runs()


def test_to_read_one_run_the_letters_of_others_need_not_be_delivered(world):
    tracker = world.tracker()
    first, second = tracker.start(RUN), tracker.start(RUN)
    world.recorder.down = True
    tracker.log_epoch(first, epoch(1))
    world.recorder.down = False
    tracker.get(second)
    assert set(world.outbox.kept) == {first}
    tracker.runs()
    assert world.outbox.kept == {}


def test_what_still_waits_at_the_end_is_counted(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    assert tracker.deliver_waiting() == 0
    world.recorder.down = True
    tracker.log_epoch(run_id, epoch(1))
    tracker.log_epoch(run_id, epoch(2))
    assert tracker.deliver_waiting() == 2
    world.recorder.down = False
    assert tracker.deliver_waiting() == 0
    assert tracker.history(run_id, "val/map_50") == ((1, 0.5), (2, 0.5))


def test_what_the_tracker_refuses_is_its_writers_error_and_is_not_kept(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.refuses = ("map(50)",)
    with pytest.raises(RunFailedError, match="invalid metric name"):
        tracker.log_metrics(run_id, {"map(50)": 0.5})
    with pytest.raises(NotFoundError):
        tracker.tag("f" * 32, {"note": "lost"})
    assert world.outbox.kept == {}


def _with_a_refused_letter(world):
    tracker = world.tracker()
    run_id = tracker.start(RUN)
    world.recorder.down = True
    for name in ("a", "map(50)", "c"):
        tracker.log_metrics(run_id, {name: 0.5})
    world.recorder.down, world.recorder.refuses = False, ("map(50)",)
    return tracker, run_id


def test_a_kept_event_that_is_refused_is_set_aside_reported_and_the_next_writers_error(world):
    tracker, run_id = _with_a_refused_letter(world)
    world.now_s += FIRST_PAUSE_S
    with pytest.raises(RunFailedError, match="invalid metric name"):
        tracker.tag(run_id, {"note": "kept all the same"})
    ((event, reason),) = world.outbox.refused
    assert (event.values, reason) == ({"map(50)": 0.5}, "RunFailedError: MLflow refuses it: invalid metric name")
    assert "is refused, and set aside: MLflow refuses it" in world.reported[-1]
    tracker.finish(run_id, RunStatus.FAILED, "refused")
    run = world.recorder.get(run_id)
    assert (run.metrics, run.tags["note"], run.reason) == ({"a": 0.5, "c": 0.5}, "kept all the same", "refused")


def test_a_kept_letter_that_is_refused_is_no_obstacle_to_readers(world):
    tracker, run_id = _with_a_refused_letter(world)
    assert tracker.get(run_id).metrics == {"a": 0.5, "c": 0.5}
    assert len(world.outbox.refused) == 1


def test_several_threads_may_write(world):
    tracker = world.tracker()
    run_ids = [tracker.start(RUN) for _ in range(4)]
    world.recorder.down = True

    def write(run_id):
        for number in range(1, 26):
            tracker.log_epoch(run_id, epoch(number, number / 100))

    threads = [threading.Thread(target=write, args=(run_id,)) for run_id in run_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.recorder.down = False
    expected = tuple((number, number / 100) for number in range(1, 26))
    assert [tracker.history(run_id, "val/map_50") for run_id in run_ids] == [expected] * 4
    assert sum("does not answer" in text for text in world.reported) == 1


class Killed(BaseException):
    """Stands for `kill -9`: nothing catches it."""


class MortalOutbox(FakeOutbox):
    """An outbox whose process is killed just after a letter was delivered, before that is noted."""

    def __init__(self, deaths):
        super().__init__()
        self._deaths = deaths

    def opened(self, run_id):
        opened = super().opened(run_id)
        deaths = self._deaths

        class Mortal:
            def __enter__(self):
                self.events = opened.__enter__()
                return self

            def __exit__(self, *error):
                return opened.__exit__(*error)

            def __getattr__(self, name):
                return getattr(self.events, name)

            def delivered(self):
                if deaths and deaths.pop(0):
                    raise Killed
                self.events.delivered()

        return Mortal()


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("epoch"), st.integers(1, 5), st.sampled_from([0.1, 0.2, 0.3])),
        st.tuples(st.just("figures"), st.sampled_from([0.1, 0.2, 0.3])),
        st.tuples(st.just("tag"), st.sampled_from("ab"), st.sampled_from("xyz")),
        st.tuples(st.just("file"), st.sampled_from("pq"), st.binary(max_size=3)),
        st.tuples(st.just("end"), st.sampled_from(list(RunStatus)), st.sampled_from([None, "why"])),
        st.tuples(st.just("time"), st.sampled_from([0.5, 3.0, 40.0])),
        st.tuples(st.just("new process")),
        st.tuples(st.just("read")),
    ),
    max_size=25,
)


def _apply(operation, tracker, run_id, folder):
    match operation:
        case ("epoch", number, value):
            tracker.log_epoch(run_id, epoch(number, value))
        case ("figures", value):
            tracker.log_metrics(run_id, {"final/map_50": value})
        case ("tag", name, value):
            tracker.tag(run_id, {name: value})
        case ("file", name, content):
            (folder / name).write_bytes(content)
            tracker.log_artifacts(run_id, [folder / name], "files")
        case ("end", status, reason):
            tracker.finish(run_id, status, reason)
        case ("read",):
            tracker.deliver_waiting()


def _record(recorder, run_id):
    tracked = recorder._runs[run_id]
    return (tracked.status, tracked.tags, tracked.metrics, tracked.artifacts)


@settings(max_examples=400, deadline=None)
@given(
    operations=OPERATIONS,
    fates=st.lists(st.sampled_from(["done", "down", "lost"]), max_size=40),
    deaths=st.lists(st.booleans(), max_size=10),
)
def test_whatever_fails_and_whenever_the_record_is_the_one_of_a_tracker_that_never_failed(
    tmp_path_factory, operations, fates, deaths
):
    folder = tmp_path_factory.mktemp("files")
    good, bad = World(), World(outbox=MortalOutbox(list(deaths)))
    trackers = [good.tracker(), bad.tracker()]
    run_id, _ = (tracker.start(RUN) for tracker in trackers)
    bad.recorder.fates = list(fates)
    for operation in operations:
        if operation[0] == "time":
            good.now_s += operation[1]
            bad.now_s += operation[1]
        elif operation[0] == "new process":
            line = trackers[1]._line.last
            trackers[1] = bad.tracker()
            trackers[1]._line.last = line  # time goes on between processes
        else:
            _apply(operation, trackers[0], run_id, folder)
            with suppress(Killed):  # what it was writing was kept before
                _apply(operation, trackers[1], run_id, folder)
    bad.recorder.fates = []
    while bad.outbox.kept:
        with suppress(Killed):
            bad.tracker().deliver_waiting()
    assert _record(bad.recorder, run_id) == _record(good.recorder, run_id)
    arrived = [at for at, _ in groupby(event.at for event in bad.recorder.seen)]  # again at once, or not at all
    assert arrived == [event.at for event in good.recorder.seen]


def a_beating_tracker(recorder, *, reported=None):
    said = [] if reported is None else reported
    return DeliveringTracker(
        recorder,
        FakeOutbox(),
        line=TrackerState(),
        retry=RetryPolicy(total_s=0, wait=lambda seconds: False),
        report=said.append,
    )


def test_the_driver_is_seen_on_each_run_that_it_has_started_and_not_ended():
    recorder = FakeExperimentTracker()
    tracker = a_beating_tracker(recorder)
    open_run, ended, foreign = tracker.start(RUN), tracker.start(RUN), recorder.start(RUN)
    tracker.finish(ended, RunStatus.FINISHED)
    tracker.beat(NOON)
    assert last_seen(recorder.get(open_run)) == NOON
    assert last_seen(recorder.get(ended)) is None
    assert last_seen(recorder.get(foreign)) is None


def test_a_driver_that_comes_back_takes_up_a_run_that_was_called_lost():
    """A laptop that slept: another machine has ended its run meanwhile."""
    recorder, reported = FakeExperimentTracker(), []
    tracker = a_beating_tracker(recorder, reported=reported)
    run_id = tracker.start(RUN)
    recorder.finish(run_id, RunStatus.FAILED, reason_of(NOON))
    tracker.beat(NOON)
    run = recorder.get(run_id)
    assert (run.status, run.reason, run.ended_at) == (RunStatus.RUNNING, None, None)
    assert reported == [f"run {run_id} was called lost by another machine; its driver lives, and it goes on"]
    tracker.finish(run_id, RunStatus.FINISHED)
    assert recorder.get(run_id).status is RunStatus.FINISHED


def test_a_run_that_was_ended_for_another_reason_stays_so():
    recorder = FakeExperimentTracker()
    tracker = a_beating_tracker(recorder)
    run_id = tracker.start(RUN)
    recorder.finish(run_id, RunStatus.STOPPED, "by hand")
    tracker.beat(NOON)
    assert (recorder.get(run_id).status, recorder.get(run_id).reason) == (RunStatus.STOPPED, "by hand")


def test_a_run_that_is_ended_in_the_moment_of_the_beat_stays_ended():
    class Slow(FakeExperimentTracker):
        def get(self, run_id):
            found = super().get(run_id)
            if found.reason is not None:
                tracker.finish(run_id, RunStatus.FINISHED)
            return found

    recorder = Slow()
    tracker = a_beating_tracker(recorder)
    run_id = tracker.start(RUN)
    recorder.finish(run_id, RunStatus.FAILED, reason_of(NOON))
    tracker.beat(NOON)
    assert recorder.get(run_id).status is RunStatus.FINISHED


def test_an_unresponsive_tracker_misses_beats_and_gets_the_next_one_while_events_are_kept():
    recorder, reported = Flaky(), []
    tracker = a_beating_tracker(recorder, reported=reported)
    run_id = tracker.start(RUN)
    recorder.down = True
    tracker.beat(NOON)
    tracker.beat(NOON)
    recorder.down = False
    assert last_seen(recorder.get(run_id)) is None
    assert len(reported) == 1, "the outage is reported once"
    tracker._line.breaker.answered()
    tracker.beat(NOON)
    assert last_seen(recorder.get(run_id)) == NOON


def test_a_run_that_was_deleted_gets_no_more_beats():
    recorder, reported = FakeExperimentTracker(), []
    tracker = a_beating_tracker(recorder, reported=reported)
    run_id = tracker.start(RUN)
    del recorder._runs[run_id]
    tracker.beat(NOON)
    tracker.beat(NOON)
    assert reported == [f"run {run_id}: no heartbeat from now on: Run with id={run_id} not found"]


def test_a_stop_ends_all_open_runs_and_keeps_what_the_tracker_does_not_take():
    recorder = Flaky()
    tracker = a_beating_tracker(recorder)
    first, second = tracker.start(RUN), tracker.start(RUN)
    tracker.finish(first, RunStatus.FINISHED)
    recorder.down = True
    tracker.end_open_runs(RunStatus.STOPPED, "stopped by a signal")
    recorder.down = False
    assert recorder.get(second).status is RunStatus.RUNNING
    tracker._line.breaker.answered()
    assert tracker.deliver_waiting() == 0
    assert {run.run_id: run.status for run in recorder.runs()} == {
        first: RunStatus.FINISHED,
        second: RunStatus.STOPPED,
    }
