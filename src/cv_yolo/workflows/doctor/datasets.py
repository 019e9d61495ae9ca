"""DVC: the tool, its remote, and whether the recorded data sets lie there."""

from collections.abc import Mapping
from typing import Final

from cv_yolo.domain.health import Outcome
from cv_yolo.domain.stack import DATASET_REMOTE
from cv_yolo.ports import DatasetProbe
from cv_yolo.workflows.doctor.examine import Check, Checkup

DATASETS: Final = "dvc"


def datasets_checkup(probe: DatasetProbe, *, connected: bool) -> Checkup:
    """All that is tried on DVC; with a server, its remote must be the server's."""
    if not probe.is_project():
        nothing = Outcome(passed=None, found="not tried: this folder keeps no data revisions (no `.dvc`)")
        check = Check(name="project", expected="a DVC project", remedy="`dvc init`", attempt=lambda: nothing)
        return Checkup(service=DATASETS, checks=(check,))
    return Checkup(service=DATASETS, checks=(_tool(probe), *_storage(probe, connected=connected)))


def _tool(probe: DatasetProbe) -> Check:
    return Check(
        name="version",
        expected="`dvc version` answers",
        remedy="`make setup` installs DVC; `dvc version` tells all that is wrong with its configuration",
        attempt=lambda: Outcome(passed=True, found=probe.version()),
        vital=True,
    )


def _storage(probe: DatasetProbe, *, connected: bool) -> tuple[Check, ...]:
    return (
        Check(
            name="remote",
            expected=f"{DATASET_REMOTE}, on the object store" if connected else "one is configured",
            remedy="`cv-yolo stack register` makes it the default" if connected else "`dvc remote add -d`",
            attempt=lambda: _remote(probe, connected=connected),
            vital=True,
        ),
        Check(
            name="remote answers",
            expected="its files can be listed",
            remedy="`cv-yolo doctor store` tells more; access key and secret are in `dvc/global/config` of the home",
            attempt=lambda: _later(probe, connected=connected) or _listed(probe),
            vital=True,
        ),
        Check(
            name="data sets",
            expected="what is recorded is on the remote",
            remedy="`cv-yolo data push FOLDER`, on a machine that has it",
            attempt=lambda: _later(probe, connected=connected) or _absent(probe.absent()),
        ),
    )


def _remote(probe: DatasetProbe, *, connected: bool) -> Outcome:
    remote = probe.remote()
    if remote is None:
        later = f"none yet; the next run that needs data uses {DATASET_REMOTE}"
        return Outcome(passed=None, found=later) if connected else Outcome(passed=False, found="none")
    return Outcome(passed=True, found=", ".join(remote))


def _later(probe: DatasetProbe, *, connected: bool) -> Outcome | None:
    """What is said of a remote that was not used yet: nothing was tried."""
    if not connected or probe.remote() is not None:
        return None
    return Outcome(passed=None, found=f"not tried: the next run that needs data uses {DATASET_REMOTE}")


def _listed(probe: DatasetProbe) -> Outcome:
    probe.list_remote()
    return Outcome(passed=True, found="yes")


def _absent(found: Mapping[str, bool]) -> Outcome:
    lost = [name for name, recipe in found.items() if not recipe]
    if lost:
        return Outcome(passed=False, found=f"not complete there: {', '.join(lost)}")
    if found:
        return Outcome(passed=None, found=f"not there yet, and a recipe makes them: {', '.join(found)}")
    return Outcome(passed=True, found="there")
