"""The checks of every server: it responds, has the right time, refuses missing and wrong credentials, is fast."""

import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from cv_yolo_stack.domain.health import (
    CLOCK_LIMIT_S,
    REFUSALS,
    ROUND_TRIP_LIMIT_MS,
    SIGNATURE_LIMIT_MIN,
    CheckOutcome,
    judge_clock,
    judge_refusal,
    judge_round_trip,
)
from cv_yolo_stack.ports.probes import ServerProbe
from cv_yolo_stack.workflows.doctor.examine import ServiceCheck

ROUND_TRIPS: Final = 3


def _now() -> datetime:
    return datetime.now(UTC)


def reachable(probe: ServerProbe, *, service: str) -> ServiceCheck:
    """Whether the server answers at all; without that, nothing else can be tried."""

    def attempt() -> CheckOutcome:
        probe.greet()
        return CheckOutcome(passed=True, found=probe.address)

    return ServiceCheck(
        name="reachable",
        expected=f"a response from {probe.address}",
        remedy=f"`cv-yolo up` starts it here, `cv-yolo logs {service}` shows why it stopped; elsewhere check address, "
        "network and firewall",
        attempt=attempt,
        vital=True,
    )


def same_time(probe: ServerProbe, *, now: Callable[[], datetime] = _now) -> ServiceCheck:
    """Whether its clock is ours."""

    def attempt() -> CheckOutcome:
        theirs = probe.clock()
        return judge_clock(None if theirs is None else (theirs - now()).total_seconds())

    return ServiceCheck(
        name="clock",
        expected=f"within {CLOCK_LIMIT_S} s of ours: from {SIGNATURE_LIMIT_MIN} min on S3 refuses every signature",
        remedy="`timedatectl set-ntp true` on the machine whose clock is off (`timedatectl` shows it)",
        attempt=attempt,
    )


def anonymous_refused(probe: ServerProbe, *, remedy: str, refusals: Collection[int] = REFUSALS) -> ServiceCheck:
    """Whether requests without credentials are refused."""
    return ServiceCheck(
        name="no credentials",
        expected="refused",
        remedy=remedy,
        attempt=lambda: judge_refusal(probe.ask_anonymously(), refusals=refusals),
    )


def wrong_credentials_refused(probe: ServerProbe, *, remedy: str, refusals: Collection[int] = REFUSALS) -> ServiceCheck:
    """Whether requests with a wrong secret are refused."""
    return ServiceCheck(
        name="wrong credentials",
        expected="refused",
        remedy=remedy,
        attempt=lambda: judge_refusal(probe.ask_with_wrong_credentials(), refusals=refusals),
    )


def let_in(probe: ServerProbe, *, remedy: str) -> ServiceCheck:
    """Whether our credentials are accepted; without that, what only we may do cannot be tried."""
    return ServiceCheck(
        name="our credentials",
        expected="accepted",
        remedy=remedy,
        attempt=lambda: CheckOutcome(passed=True, found=f"accepted, as {probe.log_in()}"),
        vital=True,
    )


def quick(probe: ServerProbe, *, remedy: str, clock: Callable[[], float] = time.perf_counter) -> ServiceCheck:
    """Whether a small request is fast; the best of several, so that a busy moment does not count."""

    def attempt() -> CheckOutcome:
        return judge_round_trip(min(took_ms(probe.log_in, clock) for _ in range(ROUND_TRIPS)))

    return ServiceCheck(
        name="round trip",
        expected=f"at most {ROUND_TRIP_LIMIT_MS} ms",
        remedy=remedy,
        attempt=attempt,
    )


def took_ms(call: Callable[[], object], clock: Callable[[], float]) -> float:
    """How long the call took."""
    began = clock()
    call()
    return (clock() - began) * 1000
