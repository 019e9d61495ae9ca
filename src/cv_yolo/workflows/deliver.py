"""Record runs even while the tracker does not answer: events wait on disk, and are delivered in order, exactly once."""

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from cv_yolo.domain.training.lease import heartbeat, was_called_lost
from cv_yolo.domain.training.runs import Run, RunStatus
from cv_yolo.domain.training.tracking_events import RunDetails, RunEnding, TakesTrackingEvents, TrackingEvent
from cv_yolo.errors import CvYoloError, ServiceUnavailableError, one_line
from cv_yolo.ports.records import NewRun, Outbox, Recorder, RunEvents, RunReader
from cv_yolo.workflows.retry import Answer, CircuitBreaker, RetryPolicy

FIRST_PAUSE_S: Final = 2.0
LONGEST_PAUSE_S: Final = 30.0
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
SERVICE: Final = "MLflow"  # in the shared outage
TICK: Final = timedelta(milliseconds=1)  # trackers keep time in milliseconds, and the last of two figures counts


@dataclass(slots=True, kw_only=True)
class TrackerState:
    """What all threads share about the tracker: whether it answers, the runs that are open, and the last time stamp.

    `open_runs` are those that this process has started and not ended yet.
    """

    clock: Callable[[], float] = time.monotonic
    breaker: CircuitBreaker = field(init=False)
    last: datetime = LONG_AGO
    lock: threading.Lock = field(default_factory=threading.Lock)
    open_runs: set[str] = field(default_factory=set)
    reopening: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.breaker = CircuitBreaker(first_s=FIRST_PAUSE_S, longest_s=LONGEST_PAUSE_S, clock=self.clock)

    def tick(self, now: datetime) -> datetime:
        """The time of the next event: now, and later than that of every earlier one."""
        with self.lock:
            self.last = max(now, self.last + TICK)
            return self.last


class DeliveringTracker(TakesTrackingEvents):
    """An `ExperimentTracker` whose writers never wait for the server: their events do, in the outbox.

    Reads happen after all waiting events were delivered, with retries; `reader` lists the runs where that is quicker
    than the recorder. `report` is called once when the tracker stops answering, and when what was kept has been
    delivered.
    """

    def __init__(
        self,
        recorder: Recorder,
        outbox: Outbox,
        *,
        line: TrackerState,
        retry: RetryPolicy,
        report: Callable[[str], None],
        reader: RunReader | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._recorder, self._outbox, self._line = recorder, outbox, line
        self._reader = recorder if reader is None else reader
        self._retry, self._report, self._clock = retry, report, now

    def connect(self) -> None:
        """Have the experiment ready; raises at once where the server is down or refuses us."""
        self._recorder.connect()

    def start(self, run: NewRun) -> str:
        """Start a run and return its id: the one thing to be written that needs the server."""
        run_id = self._retry.ask(lambda: self._recorder.start(run), report=self._report, service=SERVICE)
        self._line.open_runs.add(run_id)
        return run_id

    def beat(self, now: datetime) -> None:
        """Let others see that the driver of the open runs lives; a run that was called lost meanwhile goes on.

        A beat that the tracker does not take is not kept: the next one says more, and the lease outlasts many.
        """
        for run_id in tuple(self._line.open_runs):
            try:
                self._line.breaker.require_closed()
                self._attempt(lambda run_id=run_id: self._renew(run_id, now))  # type: ignore[misc]
            except ServiceUnavailableError:
                return
            except CvYoloError as error:  # a deleted run, for example
                self._line.open_runs.discard(run_id)
                self._report(f"run {run_id}: no heartbeat from now on: {error.message}")

    def end_open_runs(self, status: RunStatus, reason: str) -> None:
        """End all runs that this process has started and not ended yet."""
        for run_id in tuple(self._line.open_runs):
            self.finish(run_id, status, reason)

    def _renew(self, run_id: str, now: datetime) -> None:
        self._recorder.deliver(RunDetails(run_id=run_id, at=now, tags=heartbeat(now)))
        if not was_called_lost(self._recorder.get(run_id)):
            return
        with self._line.reopening:  # not one that is ended in this moment
            if run_id in self._line.open_runs:
                self._recorder.deliver(RunEnding(run_id=run_id, at=now, status=RunStatus.RUNNING, reason=None))
                self._report(f"run {run_id} was called lost by another machine; its driver lives, and it goes on")

    def deliver(self, event: TrackingEvent) -> None:
        """Record the event after those that wait: now if the server answers, else later."""
        if isinstance(event, RunEnding):
            with self._line.reopening:
                self._line.open_runs.discard(event.run_id)
        with self._outbox.opened(event.run_id) as events:
            if events.waiting():
                events.add(event)
                with suppress(ServiceUnavailableError):
                    self._line.breaker.require_closed()
                    self._clear(event.run_id, events)
                return
            try:
                self._line.breaker.require_closed()
                self._send(event)
            except ServiceUnavailableError:
                events.add(event)

    def deliver_waiting(self) -> int:
        """Deliver the waiting events of all runs; returns how many still wait since the server does not answer."""
        try:
            self._flush(self._outbox.runs())
        except ServiceUnavailableError:
            return sum(self._count(run_id) for run_id in self._outbox.runs())
        return 0

    def get(self, run_id: str) -> Run:
        """One run by its id."""
        return self._read(lambda: self._recorder.get(run_id), run_id)

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first."""
        return self._retry.ask(self._all_runs, report=self._report, service=SERVICE)

    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        """All values of one metric as (step, value), in the order of the steps."""
        return self._read(lambda: self._recorder.history(run_id, metric), run_id)

    def artifact(self, run_id: str, path: str) -> bytes:
        """The content of one file that is kept with the run."""
        return self._read(lambda: self._recorder.artifact(run_id, path), run_id)

    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run."""
        return self._read(lambda: self._recorder.artifacts(run_id, folder), run_id)

    def _now(self) -> datetime:
        return self._line.tick(self._clock())

    def _all_runs(self) -> tuple[Run, ...]:
        self._flush(self._outbox.runs())
        return self._reader.runs()

    def _read(self, question: Callable[[], Answer], run_id: str) -> Answer:
        def ask() -> Answer:
            self._flush(waiting for waiting in self._outbox.runs() if waiting == run_id)
            return question()

        return self._retry.ask(ask, report=self._report, service=SERVICE)

    def _flush(self, run_ids: Iterable[str]) -> None:
        """Deliver the waiting events of these runs; a refused one is reported and set aside, and blocks no other."""
        for run_id in run_ids:
            with self._outbox.opened(run_id) as events:
                while events.waiting():
                    try:
                        self._clear(run_id, events)
                    except ServiceUnavailableError:
                        raise
                    except CvYoloError:
                        continue  # reported, and set aside

    def _clear(self, run_id: str, events: RunEvents) -> None:
        waiting = events.waiting()
        for event in waiting:
            try:
                self._send(event)
            except ServiceUnavailableError:
                raise
            except CvYoloError as error:
                events.set_aside(one_line(error))
                self._report(f"run {run_id}: what was kept for it is refused, and set aside: {error.message}")
                raise
            events.delivered()
        self._report(f"the tracker answers: {len(waiting)} entries kept for run {run_id} were delivered")

    def _send(self, event: TrackingEvent) -> None:
        self._attempt(lambda: self._recorder.deliver(event))

    def _attempt(self, call: Callable[[], None]) -> None:
        try:
            call()
        except ServiceUnavailableError as error:
            if self._line.breaker.failed(error):
                self._report(f"{error.message}; what is to be recorded is kept, and delivered when it answers")
            raise
        self._line.breaker.answered()

    def _count(self, run_id: str) -> int:
        with self._outbox.opened(run_id) as events:
            return len(events.waiting())
