"""Wait for a service that does not answer: for a while, with growing pauses, and not against the person's will."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

from cv_yolo.errors import AccessRefusedError, ServiceUnavailableError, StoppedError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
GOES_ON: Final = "when it is back, the same command goes on: nothing is trained twice"

Answer = TypeVar("Answer")


@dataclass(slots=True, kw_only=True)
class Outage:
    """Which services leave requests unanswered, and since when: all threads of a process share one time to wait."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long to wait, in all; `wait` sleeps for some seconds and tells whether the person stopped the work.

    Those that share an `outage` share the time: it begins with the first request that is not answered, of whatever
    service, and ends for all of them at once.
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
        """Raise where a service was waited for in vain: nothing that needs it is worth beginning.

        Raises `ServiceUnavailableError` with the names of those that have not answered since.
        """
        if self.outage.began_s is not None and not self.remaining_s:
            silent = " and ".join(sorted(self.outage.since_s))
            raise ServiceUnavailableError(f"{silent} did not answer for {self.total_s:g} s", hint=GOES_ON)

    def ask(
        self,
        question: Callable[[], Answer],
        *,
        report: Callable[[str], None] = lambda text: None,
        service: str = "service",
    ) -> Answer:
        """Ask again until there is an answer; `report` is told once that we wait.

        Raises `ServiceUnavailableError` when that takes too long, or at once where our key is refused, `StoppedError`
        when the person stopped the work.
        """
        pause_s, told = FIRST_PAUSE_S, False
        while True:
            asked_at_s = self.clock()
            try:
                answer = question()
            except AccessRefusedError:
                raise
            except ServiceUnavailableError as error:
                began_s = self.outage.unanswered(service, asked_at_s=asked_at_s)
                if self.clock() + pause_s > began_s + self.total_s:
                    raise _given_up(error, self.total_s) from error
                if not told:
                    report(f"{error.message}; waiting up to {self.total_s:g} s")
                    told = True
                if self.wait(pause_s):
                    raise StoppedError(f"stopped while waiting: {error.message}") from error
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            else:
                self.outage.answered(service)
                return answer


def _given_up(error: ServiceUnavailableError, waited_s: float) -> ServiceUnavailableError:
    if not waited_s:
        return error
    return ServiceUnavailableError(f"{error.message} (waited {waited_s:g} s)", hint=_and_goes_on(error.hint))


@contextmanager
def resumable() -> Iterator[None]:
    """Add to the hint of a service that does not answer in the block, whoever asked it, that the work can be resumed.

    A refused key and a full disk have hints of their own.
    """
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
