"""The database under ZenML and MLflow, where its address is known here."""

from typing import Final

from cv_yolo.domain.health import Outcome
from cv_yolo.ports import DatabaseProbe
from cv_yolo.workflows.doctor.examine import Check, Checkup
from cv_yolo.workflows.doctor.server import impostor_refused, let_in, nobody_refused, quick, reachable, same_time

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
            nobody_refused(probe, remedy=PASSWORDS, refusals=ACCESS_DENIED),
            impostor_refused(probe, remedy=PASSWORDS, refusals=ACCESS_DENIED),
            let_in(probe, remedy="`cv-yolo restart database` sets user and password anew"),
            same_time(probe),
            Check(
                name="version",
                expected=f"one we know: {', '.join(KNOWN)}",
                remedy="use a version we know",
                attempt=lambda: _version(probe.version()),
            ),
            quick(probe, remedy="a database nearer to ZenML and MLflow, or a faster disk under it"),
        ),
    )


def _version(found: str) -> Outcome:
    known = any(found.startswith(f"{each}.") for each in KNOWN)
    return Outcome(passed=True if known else None, found=found if known else f"{found}, with which nobody tried this")
