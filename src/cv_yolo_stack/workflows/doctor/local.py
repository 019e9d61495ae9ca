"""This machine: its disk and packages, the embedded stores that take a server's place, and DVC with its remote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cv_yolo.disk import LITTLE_ROOM_BYTES, in_words
from cv_yolo.domain.stack import DATASET_REMOTE
from cv_yolo_stack.domain.health import CheckOutcome
from cv_yolo_stack.ports.probes import DatasetProbe, MachineProbe
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck

MACHINE: Final = "machine"
NEEDED_GB: Final = 2
BYTES_PER_GB: Final = 10**9
GET_A_SERVER: Final = "none: `cv-yolo up` starts one here, `cv-yolo connect URL` uses a team's"


def machine_checkup(probe: MachineProbe, *, server: str | None) -> Checkup:
    """All checks of this machine; the embedded stores count only without a `server`."""
    outcome = CheckOutcome(passed=None if server is None else True, found=server or GET_A_SERVER)
    which = ServiceCheck(name="server", expected="informational", remedy=GET_A_SERVER, attempt=lambda: outcome)
    records = {} if server is not None else probe.records()
    stores = (_record(probe, name, path) for name, path in records.items())
    return Checkup(service=MACHINE, checks=(which, *_needs(probe), *stores))


def _needs(probe: MachineProbe) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="folder",
            expected="writable",
            remedy="set CV_YOLO_HOME to another folder, or get write permission there",
            attempt=lambda: CheckOutcome(passed=True, found=probe.write()),
        ),
        ServiceCheck(
            name="disk",
            expected=f"{NEEDED_GB} GB free",
            remedy="free disk space (`du -sh .cv-yolo/*` shows what takes it), or use another disk with CV_YOLO_HOME",
            attempt=lambda: _disk(probe.free_bytes()),
        ),
        ServiceCheck(
            name="packages",
            expected="all that the commands import",
            remedy="`pip install 'zenml-cv-yolo[all]'`; in a clone, `make setup`",
            attempt=lambda: _packages(probe.missing_packages()),
        ),
    )


def _record(probe: MachineProbe, name: str, path: Path) -> ServiceCheck:
    def attempt() -> CheckOutcome:
        probe.use_record(path)
        return CheckOutcome(passed=True, found=str(path))

    return ServiceCheck(
        name=name,
        expected="intact and writable",
        remedy=f"stop the process that holds it, or restore {path.name} from a backup (`cv-yolo restore`)",
        attempt=attempt,
    )


def _disk(free_bytes: int) -> CheckOutcome:
    if free_bytes < LITTLE_ROOM_BYTES:
        return CheckOutcome(passed=False, found=f"full: {in_words(free_bytes)} free")
    return CheckOutcome(passed=free_bytes >= NEEDED_GB * BYTES_PER_GB, found=f"{free_bytes / BYTES_PER_GB:.1f} GB free")


def _packages(missing: tuple[str, ...]) -> CheckOutcome:
    if missing:
        return CheckOutcome(passed=False, found=f"no {', '.join(missing)}")
    return CheckOutcome(passed=True, found="there")


DATASETS: Final = "dvc"


def datasets_checkup(probe: DatasetProbe, *, connected: bool) -> Checkup:
    """All that is tried on DVC; with a server, its remote must be the server's."""
    if not probe.is_project():
        nothing = CheckOutcome(passed=None, found="not tried: this folder keeps no data revisions (no `.dvc`)")
        check = ServiceCheck(name="project", expected="a DVC project", remedy="`dvc init`", attempt=lambda: nothing)
        return Checkup(service=DATASETS, checks=(check,))
    return Checkup(service=DATASETS, checks=(_tool(probe), *_storage(probe, connected=connected)))


def _tool(probe: DatasetProbe) -> ServiceCheck:
    return ServiceCheck(
        name="version",
        expected="`dvc version` works",
        remedy="`pip install 'zenml-cv-yolo[all]'` installs DVC; `dvc version` shows what is wrong with its settings",
        attempt=lambda: CheckOutcome(passed=True, found=probe.version()),
        vital=True,
    )


def _storage(probe: DatasetProbe, *, connected: bool) -> tuple[ServiceCheck, ...]:
    return (
        ServiceCheck(
            name="remote",
            expected=f"{DATASET_REMOTE}, on the object store" if connected else "one is configured",
            remedy="`cv-yolo stack register` makes it the default" if connected else "`dvc remote add -d`",
            attempt=lambda: _remote(probe, connected=connected),
            vital=True,
        ),
        ServiceCheck(
            name="remote answers",
            expected="its files can be listed",
            remedy="`cv-yolo doctor store` shows more; access key and secret are in `dvc/global/config` of the home",
            attempt=lambda: _later(probe, connected=connected) or _listed(probe),
            vital=True,
        ),
        ServiceCheck(
            name="data sets",
            expected="all recorded data are on the remote",
            remedy="`cv-yolo data push FOLDER`, on a machine that has it",
            attempt=lambda: _later(probe, connected=connected) or _absent(probe.absent()),
        ),
    )


def _remote(probe: DatasetProbe, *, connected: bool) -> CheckOutcome:
    remote = probe.remote()
    if remote is None:
        later = f"none yet; the next run that needs data uses {DATASET_REMOTE}"
        return CheckOutcome(passed=None, found=later) if connected else CheckOutcome(passed=False, found="none")
    return CheckOutcome(passed=True, found=", ".join(remote))


def _later(probe: DatasetProbe, *, connected: bool) -> CheckOutcome | None:
    """The outcome for a remote that was not used yet: nothing was tried."""
    if not connected or probe.remote() is not None:
        return None
    return CheckOutcome(passed=None, found=f"not tried: the next run that needs data uses {DATASET_REMOTE}")


def _listed(probe: DatasetProbe) -> CheckOutcome:
    probe.list_remote()
    return CheckOutcome(passed=True, found="yes")


def _absent(found: Mapping[str, bool]) -> CheckOutcome:
    lost = [name for name, recipe in found.items() if not recipe]
    if lost:
        return CheckOutcome(passed=False, found=f"incomplete: {', '.join(lost)}")
    if found:
        return CheckOutcome(passed=None, found=f"not there yet, and a recipe makes them: {', '.join(found)}")
    return CheckOutcome(passed=True, found="there")
