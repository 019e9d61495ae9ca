"""How long, and how often, a service that does not answer is asked again.

All retries follow this module. Our own requests go through `RetryPolicy.ask`; the client libraries of ZenML and the
object store are configured from the same policy (`pipelines/outages.py`). One `Outage` is shared by all of them, so
that a command waits for `total_s` in all, not for each service and layer.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cv_yolo.errors import AccessRefusedError, ServiceUnavailableError, StoppedError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
GOES_ON: Final = "when it is back, run the same command again: nothing is trained twice"

Answer = TypeVar("Answer")


@dataclass(slots=True, kw_only=True)
class Outage:
    """Which services do not answer, and since when; shared by all threads of a process."""

    since_s: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def unanswered(self, service: str, *, asked_at_s: float) -> float:
        """Note a request without an answer; returns when the first one of all was asked."""
        with self.lock:
            self.since_s.setdefault(service, asked_at_s)
            return min(self.since_s.values())

    def answered(self, service: str) -> None:
        """Note that the service is back; the time of the others counts on."""
        with self.lock:
            self.since_s.pop(service, None)

    @property
    def began_s(self) -> float | None:
        """When the first request without an answer was asked; None where all services answer."""
        with self.lock:
            return min(self.since_s.values(), default=None)


def pauses_s(first_s: float = FIRST_PAUSE_S, longest_s: float = LONGEST_PAUSE_S) -> Iterator[float]:
    """The pauses between attempts, without end: each twice as long as the one before, up to `longest_s`."""
    while True:
        yield first_s
        first_s = min(2 * first_s, longest_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait in all; `wait` sleeps for some seconds and returns whether the person stopped the work.

    The time begins with the first request of the `outage` that is not answered, of whatever service.
    """

    total_s: float
    wait: Callable[[float], bool]
    clock: Callable[[], float] = time.monotonic
    outage: Outage = field(default_factory=Outage)

    @property
    def remaining_s(self) -> float:
        """How much of the time is left."""
        began_s = self.outage.began_s
        return self.total_s if began_s is None else max(0.0, began_s + self.total_s - self.clock())

    def require_time(self) -> None:
        """Raise `ServiceUnavailableError`, which names the services that do not answer, where no time is left."""
        if self.outage.began_s is not None and not self.remaining_s:
            names = " and ".join(sorted(self.outage.since_s))
            raise ServiceUnavailableError(f"{names} did not answer for {self.total_s:g} s", hint=GOES_ON)

    def ask(
        self,
        question: Callable[[], Answer],
        *,
        report: Callable[[str], None] = lambda text: None,
        service: str = "service",
    ) -> Answer:
        """Ask until there is an answer; `report` gets one line when the waiting begins.

        Raises `ServiceUnavailableError` when that takes too long, `AccessRefusedError` at once where our key is
        refused, and `StoppedError` when the person stopped the work.
        """
        pauses, reported = pauses_s(), False
        while True:
            asked_at_s, pause_s = self.clock(), next(pauses)
            try:
                answer = question()
            except AccessRefusedError:
                raise
            except ServiceUnavailableError as error:
                began_s = self.outage.unanswered(service, asked_at_s=asked_at_s)
                if self.clock() + pause_s > began_s + self.total_s:
                    raise _given_up(error, self.total_s) from error
                if not reported:
                    report(f"{error.message}; waiting up to {self.total_s:g} s")
                    reported = True
                if self.wait(pause_s):
                    raise StoppedError(f"stopped while waiting: {error.message}") from error
            else:
                self.outage.answered(service)
                return answer


@dataclass(slots=True, kw_only=True)
class CircuitBreaker:
    """After a failure, requests fail at once until a pause is over, instead of waiting for the service each time.

    The pause doubles with each failure, from `first_s` to `longest_s`. Threads share a breaker.
    """

    first_s: float
    longest_s: float
    clock: Callable[[], float] = time.monotonic
    _failure: ServiceUnavailableError | None = None
    _pauses: Iterator[float] = field(default_factory=lambda: iter(()))
    _retry_at_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def require_closed(self) -> None:
        """Raise the last failure again while its pause lasts."""
        with self._lock:
            if self._failure is not None and self.clock() < self._retry_at_s:
                raise ServiceUnavailableError(self._failure.message, hint=self._failure.hint)

    def failed(self, error: ServiceUnavailableError) -> bool:
        """Note a failure; returns whether it is the first since the service answered."""
        with self._lock:
            first = self._failure is None
            if first:
                self._pauses = pauses_s(self.first_s, self.longest_s)
            self._failure, self._retry_at_s = error, self.clock() + next(self._pauses)
            return first

    def answered(self) -> None:
        """Note that the service answers."""
        with self._lock:
            self._failure = None


def _given_up(error: ServiceUnavailableError, waited_s: float) -> ServiceUnavailableError:
    if not waited_s:
        return error
    return ServiceUnavailableError(f"{error.message} (waited {waited_s:g} s)", hint=_and_goes_on(error.hint))


@contextmanager
def resumable() -> Iterator[None]:
    """Add to the hint of a `ServiceUnavailableError` that the command can be repeated; subclasses have their own."""
    try:
        yield
    except ServiceUnavailableError as error:
        if type(error) is ServiceUnavailableError:
            error.hint = _and_goes_on(error.hint)
        raise


def _and_goes_on(hint: str | None) -> str:
    if not hint:
        return GOES_ON
    return hint if GOES_ON in hint else f"{hint}; {GOES_ON}"
