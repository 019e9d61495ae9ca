"""Stop waiting for a call that may never return: after a time limit, or soon after the person stopped the work.

The libraries behind our adapters wait and retry on their own, and cannot be interrupted. So such a call runs in a
thread of its own, which is abandoned when the time is over; the thread ends with the process.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar, cast

from cv_yolo.errors import ServiceUnavailableError

POLL_S: Final = 0.1
ANSWER_LIMIT_S: Final = 20.0
CLOSING_S: Final = 3.5  # after a stop: time to record it on servers that answer
UP_HINT: Final = "is it up? `cv-yolo status` shows the local servers, `cv-yolo doctor` tries all of them"

Answer = TypeVar("Answer")
Target = TypeVar("Target")


class StopSignal(threading.Event):
    """Set when the person wants the work to end; knows when that was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._at_s = clock, 0.0

    def set(self) -> None:
        """Ask for the end; the first time counts."""
        if not self.is_set():
            self._at_s = self._clock()
        super().set()

    @property
    def closing_until_s(self) -> float | None:
        """When to stop waiting for anything; None unless the work was stopped."""
        return self._at_s + CLOSING_S if self.is_set() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimit:
    """How long one call may go without an answer; `limit_s` is asked at each call, since an outage uses time up."""

    stop: StopSignal
    limit_s: Callable[[], float] = lambda: ANSWER_LIMIT_S
    clock: Callable[[], float] = time.monotonic

    def run(self, question: Callable[[], Answer], *, name: str, alive: Callable[[], bool] = lambda: False) -> Answer:
        """The answer to the question, or what it raised.

        Raises `ServiceUnavailableError` when the limit has passed. `alive` is for calls that move files and may take
        long: it is asked then whether the servers still answer, and as long as they do, the limit begins again.
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
    """The target, each of whose calls has the time limit; `answered` is called after each that returned.

    `load` runs before the first call, and does not count: libraries take seconds to import. `alive` gives, for the
    calls that may take long, who is asked whether the servers still answer.
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
