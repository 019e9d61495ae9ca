"""Wait for a service that does not answer: for a while, with growing pauses, and not against the person's will."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from cv_yolo.errors import AccessRefusedError, ServiceUnavailableError, StoppedError

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
GOES_ON: Final = "when it is back, the same command goes on: nothing is trained twice"

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in all; `wait` sleeps for some seconds and tells whether the person stopped the work."""

    total_s: float
    wait: Callable[[float], bool]
    clock: Callable[[], float] = time.monotonic

    def ask(self, question: Callable[[], Answer], *, report: Callable[[str], None] = lambda text: None) -> Answer:
        """Ask again until there is an answer; `report` is told once that we wait.

        Raises `ServiceUnavailableError` when that takes too long, or at once where our key is refused, `StoppedError`
        when the person stopped the work.
        """
        began, pause_s, told = self.clock(), FIRST_PAUSE_S, False
        while True:
            try:
                return question()
            except AccessRefusedError:
                raise
            except ServiceUnavailableError as error:
                if self.clock() + pause_s > began + self.total_s:
                    raise _given_up(error, self.total_s) from error
                if not told:
                    report(f"{error.message}; waiting up to {self.total_s:g} s")
                    told = True
                if self.wait(pause_s):
                    raise StoppedError(f"stopped while waiting: {error.message}") from error
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _given_up(error: ServiceUnavailableError, waited_s: float) -> ServiceUnavailableError:
    if not waited_s:
        return error
    hint = f"{error.hint}; {GOES_ON}" if error.hint else GOES_ON
    return ServiceUnavailableError(f"{error.message} (waited {waited_s:g} s)", hint=hint)
