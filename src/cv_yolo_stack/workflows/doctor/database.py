"""The checks of MariaDB or MySQL: those of every server, and its version."""

from typing import Final

from cv_yolo_stack.domain.health import CheckOutcome
from cv_yolo_stack.ports.probes import DatabaseProbe
from cv_yolo_stack.workflows.doctor.every_server import (
    anonymous_refused,
    let_in,
    quick,
    reachable,
    same_time,
    wrong_credentials_refused,
)
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

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
