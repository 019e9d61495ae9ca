"""Try every check of every service, the services in parallel: one that is down or slow does not delay the others."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Thread
from typing import Final

from cv_yolo.errors import CvYoloError
from cv_yolo_stack.domain.health import CheckOutcome, CheckResult

DEADLINE_S: Final = 60.0  # for all that is tried on one service
GRACE_S: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCheck:
    """One thing to try, what we expect of it, and what usually fixes it.

    `attempt` raises a `CvYoloError` where the service does not do it. Without a `vital` one nothing that follows can
    be tried.
    """

    name: str
    expected: str
    remedy: str
    attempt: Callable[[], CheckOutcome]
    vital: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """The checks of one service, in order."""

    service: str
    checks: tuple[ServiceCheck, ...]


def examine(
    checkups: Sequence[Checkup], *, deadline_s: float = DEADLINE_S, clock: Callable[[], float] = time.perf_counter
) -> tuple[CheckResult, ...]:
    """The findings of all services, in their order; each takes `deadline_s` at most, whatever its server does.

    An interrupt waits a moment for what is being tried: each trial removes what it made.
    """
    examinations = [_Examination(checkup=checkup, clock=clock) for checkup in checkups]
    end = time.monotonic() + deadline_s
    # daemons: a server that sends a byte a minute must hold up neither the report nor the end of the process
    threads = [Thread(target=each.run, args=(end,), name=each.checkup.service, daemon=True) for each in examinations]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
    except BaseException:
        _end(examinations, threads)
        raise
    return tuple(finding for each in examinations for finding in each.findings(deadline_s))


@dataclass(slots=True, kw_only=True)
class _Examination:
    """A checkup under way; only its thread appends to `done`."""

    checkup: Checkup
    clock: Callable[[], float]
    stopped: bool = False
    done: list[CheckResult] = field(default_factory=list)
    failed: BaseException | None = None

    def run(self, end: float) -> None:
        try:
            blocked: CheckResult | None = None
            for check in self.checkup.checks:
                if self.stopped or time.monotonic() >= end:
                    return
                finding = _not_tried(self.checkup, check, f"{blocked.name} failed") if blocked else self._try(check)
                self.done.append(finding)
                blocked = finding if check.vital and finding.passed is False else blocked
        except BaseException as error:  # noqa: BLE001 - raised again in the waiting thread
            self.failed = error

    def findings(self, deadline_s: float) -> tuple[CheckResult, ...]:
        """What was found, and what was not tried in time; raises what `run` did not expect."""
        if self.failed is not None:
            raise self.failed
        done = tuple(self.done)
        silence = CheckOutcome(passed=False, found=f"no answer after {deadline_s:.0f} s in all")
        left = self.checkup.checks[len(done) :]
        late = tuple(self._finding(check, silence, None) for check in left[:1])
        return done + late + tuple(_not_tried(self.checkup, check, "the time limit was reached") for check in left[1:])

    def _try(self, check: ServiceCheck) -> CheckResult:
        began = self.clock()
        try:
            outcome = check.attempt()
        except CvYoloError as error:
            outcome = CheckOutcome(passed=False, found=error.message)
        return self._finding(check, outcome, (self.clock() - began) * 1000)

    def _finding(self, check: ServiceCheck, outcome: CheckOutcome, took_ms: float | None) -> CheckResult:
        return CheckResult(
            service=self.checkup.service,
            name=check.name,
            passed=outcome.passed,
            expected=check.expected,
            found=outcome.found,
            remedy=None if outcome.passed is not False else outcome.remedy or check.remedy,
            took_ms=took_ms,
        )


def _end(examinations: Sequence[_Examination], threads: Sequence[Thread]) -> None:
    for each in examinations:
        each.stopped = True
    for thread in filter(Thread.is_alive, threads):
        thread.join(GRACE_S)


def _not_tried(checkup: Checkup, check: ServiceCheck, reason: str) -> CheckResult:
    return CheckResult(
        service=checkup.service, name=check.name, passed=None, expected=check.expected, found=f"not tried: {reason}"
    )
