"""This machine, and the embedded stores that take a server's place."""

from pathlib import Path
from typing import Final

from cv_yolo.disk import LITTLE_ROOM_BYTES, in_words
from cv_yolo.domain.health import Outcome
from cv_yolo.ports import MachineProbe
from cv_yolo.workflows.doctor.examine import Check, Checkup

MACHINE: Final = "machine"
NEEDED_GB: Final = 2
BYTES_PER_GB: Final = 10**9
GET_A_SERVER: Final = "none: `cv-yolo up` starts one here, `cv-yolo connect URL` uses a team's"


def machine_checkup(probe: MachineProbe, *, server: str | None) -> Checkup:
    """All that is looked at here; the embedded stores count only without a `server`."""
    told = Outcome(passed=None if server is None else True, found=server or GET_A_SERVER)
    which = Check(name="server", expected="told, not demanded", remedy=GET_A_SERVER, attempt=lambda: told)
    records = {} if server is not None else probe.records()
    stores = (_record(probe, name, path) for name, path in records.items())
    return Checkup(service=MACHINE, checks=(which, *_needs(probe), *stores))


def _needs(probe: MachineProbe) -> tuple[Check, ...]:
    return (
        Check(
            name="folder",
            expected="ours to write",
            remedy="name another with CV_YOLO_HOME, or get the right to write there",
            attempt=lambda: Outcome(passed=True, found=probe.write()),
        ),
        Check(
            name="disk",
            expected=f"{NEEDED_GB} GB free",
            remedy="make room (`du -sh .cv-yolo/*` tells what takes it), or name another disk with CV_YOLO_HOME",
            attempt=lambda: _disk(probe.free_bytes()),
        ),
        Check(
            name="packages",
            expected="all that the commands import",
            remedy="`make setup`, or `pip install 'zenml-cv-yolo[all]'`",
            attempt=lambda: _packages(probe.missing_packages()),
        ),
    )


def _record(probe: MachineProbe, name: str, path: Path) -> Check:
    def attempt() -> Outcome:
        probe.use_record(path)
        return Outcome(passed=True, found=str(path))

    return Check(
        name=name,
        expected="whole, and ours to write",
        remedy=f"end who holds it, or put {path.name} back from a backup (`cv-yolo restore`)",
        attempt=attempt,
    )


def _disk(free_bytes: int) -> Outcome:
    if free_bytes < LITTLE_ROOM_BYTES:
        return Outcome(passed=False, found=f"full: {in_words(free_bytes)} free")
    return Outcome(passed=free_bytes >= NEEDED_GB * BYTES_PER_GB, found=f"{free_bytes / BYTES_PER_GB:.1f} GB free")


def _packages(missing: tuple[str, ...]) -> Outcome:
    if missing:
        return Outcome(passed=False, found=f"no {', '.join(missing)}")
    return Outcome(passed=True, found="there")
