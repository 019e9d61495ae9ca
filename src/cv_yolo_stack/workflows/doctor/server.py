"""What every server must do: respond, have the right time, refuse missing and wrong credentials, be fast."""

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
from cv_yolo_stack.ports.probes import DatabaseProbe, ServerProbe
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

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


DATABASE: Final = "database"
KNOWN: Final = ("10.6", "10.11", "11.4", "11.8", "8.0", "8.4")
ACCESS_DENIED: Final = frozenset({1044, 1045, 1130, 1698})  # MySQL's numbers
PASSWORDS: Final = "give every user a password: `ALTER USER … IDENTIFIED BY …`"


def database_checkup(probe: DatabaseProbe) -> Checkup:
    """All that is tried on MariaDB or MySQL."""
    return Checkup(
        service=DATABASE,
        checks=(
            reachable(probe, service=DATABASE),
            anonymous_refused(probe, remedy=PASSWORDS, refusals=ACCESS_DENIED),
            wrong_credentials_refused(probe, remedy=PASSWORDS, refusals=ACCESS_DENIED),
            let_in(probe, remedy="`cv-yolo restart database` sets user and password again"),
            same_time(probe),
            ServiceCheck(
                name="version",
                expected=f"a tested version: {', '.join(KNOWN)}",
                remedy="use a tested version",
                attempt=lambda: _version(probe.version()),
            ),
            quick(probe, remedy="use a database closer to ZenML and MLflow, or a faster disk"),
        ),
    )


def _version(found: str) -> CheckOutcome:
    known = any(found.startswith(f"{each}.") for each in KNOWN)
    return CheckOutcome(passed=True if known else None, found=found if known else f"{found}: untested version")
