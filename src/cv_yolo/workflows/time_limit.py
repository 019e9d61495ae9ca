"""Limit the time of calls to services: one that may hang, and a server whose requests are not ours.

The libraries behind our adapters cannot be interrupted. A call with a `TimeLimit` runs in a thread of its own, which is
abandoned when the time is over; the thread ends with the process. How often and how long to retry is in `retry.py`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from cv_yolo.errors import ServiceUnavailableError

POLL_S: Final = 0.1
ANSWER_LIMIT_S: Final = 20.0
CLOSING_S: Final = 3.5  # after a stop: time to record it on servers that answer
PROBE_EVERY_S: Final = 5.0
UP_HINT: Final = "is it up? `cv-yolo status` shows the local servers, `cv-yolo doctor` checks all of them"

Answer = TypeVar("Answer")
Target = TypeVar("Target")


class StopSignal(threading.Event):
    """Set when the person stops the work; knows when that was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._at_s = clock, 0.0

    def set(self) -> None:
        """Stop the work; the first time counts."""
        if not self.is_set():
            self._at_s = self._clock()
        super().set()

    @property
    def closing_until_s(self) -> float | None:
        """Until when to wait for anything; None unless the work was stopped."""
        return self._at_s + CLOSING_S if self.is_set() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """How long one call may take; `limit_s` is called for each, since an outage uses up the time."""

    stop: StopSignal
    limit_s: Callable[[], float] = lambda: ANSWER_LIMIT_S
    clock: Callable[[], float] = time.monotonic

    def run(self, question: Callable[[], Answer], *, name: str, alive: Callable[[], bool] = lambda: False) -> Answer:
        """The answer to the question, or what it raised; `ServiceUnavailableError` when the limit has passed.

        `alive` is for calls that move files: it returns whether the servers answer, and if so, the limit starts again.
        """
        call, until_s = _started(question, name), self.clock() + self.limit_s()
        while not call.done.wait(POLL_S):
            closing_s, now_s = self.stop.closing_until_s, self.clock()
            if closing_s is not None and now_s >= closing_s:
                raise ServiceUnavailableError(f"{name} does not answer, and the work was stopped")
            if closing_s is None and now_s >= until_s:
                limit_s = self.limit_s()
                if not self._is_alive(alive, name):
                    raise ServiceUnavailableError(f"{name} does not answer (waited {limit_s:g} s)", hint=UP_HINT)
                until_s = self.clock() + limit_s
        return call.outcome()

    def _is_alive(self, alive: Callable[[], bool], name: str) -> bool:
        call = _started(alive, name)
        while not call.done.wait(POLL_S):
            if self.stop.is_set():
                return False
        return call.outcome()


def within(
    target: Target,
    limit: TimeLimit,
    *,
    name: str,
    load: Callable[[], object] = lambda: None,
    alive: Callable[[str, tuple[Any, ...]], Callable[[], bool] | None] = lambda method, arguments: None,
    answered: Callable[[], None] = lambda: None,
) -> Target:
    """A proxy of the target whose calls each have the time limit; `answered` is called after each that returned.

    `load` runs before the first call, outside the limit: libraries take seconds to import. `alive` returns, for a call
    that may take long, the check that `TimeLimit.run` makes.
    """
    return cast(Target, _Within(target, limit, name=name, load=load, alive=alive, answered=answered))


class _Within:
    def __init__(self, target: object, limit: TimeLimit, **more: Any) -> None:
        self._target, self._limit, self._more = target, limit, more
        self._loaded, self._lock = False, threading.Lock()

    def __getattr__(self, method: str) -> Any:
        function, name = getattr(self._target, method), self._more["name"]

        def call(*args: Any, **kwargs: Any) -> Any:
            self._load()
            alive = self._more["alive"](method, args) or (lambda: False)
            answer = self._limit.run(lambda: function(*args, **kwargs), name=name, alive=alive)
            self._more["answered"]()
            return answer

        return call

    def _load(self) -> None:
        with self._lock:
            if not self._loaded:
                self._more["load"]()
                self._loaded = True


@dataclass(slots=True)
class _Call(Generic[Answer]):
    question: Callable[[], Answer]
    done: threading.Event = field(default_factory=threading.Event)
    answers: list[Answer] = field(default_factory=list)
    error: BaseException | None = None

    def run(self) -> None:
        try:
            self.answers.append(self.question())
        except BaseException as error:  # noqa: BLE001 - raised where the answer is waited for
            self.error = error
        self.done.set()

    def outcome(self) -> Answer:
        if self.error is not None:
            raise self.error
        return self.answers[0]


def _started(question: Callable[[], Answer], name: str) -> "_Call[Answer]":
    call = _Call(question)
    threading.Thread(target=call.run, name=f"asking {name}", daemon=True).start()
    return call


@dataclass(slots=True, kw_only=True)
class Watchdog:
    """For how long a server has not answered; `answers` is a cheap probe of it.

    While the work is `busy` with something that does not need the server, such as a training, it is not probed.
    """

    answers: Callable[[], bool]
    busy: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    since_s: float | None = None

    def unanswered_s(self) -> float:
        """Probe once; returns the time since the first probe without an answer, 0 where the server answers."""
        asked_at_s = self.clock()
        if self.busy() or self.answers() or self.busy():
            self.since_s = None
            return 0.0
        self.since_s = asked_at_s if self.since_s is None else self.since_s
        return self.clock() - self.since_s


@contextmanager
def watching(
    watchdog: Watchdog, give_up: Callable[[], None], *, after_s: float, every_s: float = PROBE_EVERY_S
) -> Iterator[None]:
    """Probe the server in a thread until the block ends; `give_up` is called there, once, after `after_s`."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(every_s):
            unanswered_s = watchdog.unanswered_s()
            if unanswered_s and unanswered_s >= after_s and not ended.is_set():
                give_up()
                return

    threading.Thread(target=watch, name="watch", daemon=True).start()
    try:
        yield
    finally:
        ended.set()
