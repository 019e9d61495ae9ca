"""Fill a project's records without training: `python -m tests.integration.backup_child COUNT [FOREVER]`.

Each run has parameters, a metric over three epochs, weights and a note; the first two become versions that go to
staging one after the other. It says so when it is done; with FOREVER it goes on with runs until it is killed.
"""

import os
import sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from cv_yolo.domain.promotion.audit import Proposal
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import NewRun
from cv_yolo.ports.registry import NewVersion
from cv_yolo.workflows.register import commit, holder, registered
from cv_yolo_stack.container import StackContainer

VERSIONS = 2
FILLED = "filled"
WEIGHTS_BYTES = 100_000


def keep_run(container: StackContainer, number: int, folder: Path) -> NewVersion:
    """A whole run, with weights of its own and a note that all runs share."""
    tracker = container.detector.records.tracker()
    weights, note = folder / "best.pt", folder / "notes – ä.txt"
    weights.write_bytes(os.urandom(WEIGHTS_BYTES + number))
    note.write_text("the same in every run", encoding="utf-8")
    run_id = tracker.start(
        NewRun(name=f"e3_s{number}", params={"epochs": "3", "number": str(number)}, tags={"of": "ä"})
    )
    for epoch in (1, 2, 3):
        tracker.log_epoch(run_id, EpochMetrics(epoch=epoch, values={"val/map_50": epoch / 10}))
    tracker.log_artifacts(run_id, [weights], "weights")
    tracker.log_artifacts(run_id, [note], "notes")
    tracker.finish(run_id, RunStatus.FINISHED)
    return NewVersion(run_id=run_id, weights=weights, weights_sha256=sha256_of(weights), confidence_threshold=0.5)


def promote(container: StackContainer, new: NewVersion) -> None:
    """Register the run and put it into staging, with an entry in the audit log."""
    register = container.detector.records.register()
    version = registered(new, register)
    before = holder(Stage.STAGING, register)
    proposal = Proposal(
        stage=Stage.STAGING,
        version=version.version,
        run_id=new.run_id,
        expected=before.version if before else None,
    )
    commit(proposal, register, actor="anna@desk", now=datetime.now(UTC))


def main() -> None:
    """Fill the project that the environment names."""
    container = StackContainer()
    from zenml import save_artifact
    from zenml.client import Client

    if container.settings.connection is not None:
        Client().activate_stack(container.settings.stack)
    runs = int(sys.argv[1])
    for number in range(runs):
        keep(container, number, promoted=number < VERSIONS)
    save_artifact({"runs": runs}, name="plan")
    print(FILLED, flush=True)
    for number in count(runs) if sys.argv[2:] else ():
        keep(container, number, promoted=False)


def keep(container: StackContainer, number: int, *, promoted: bool) -> None:
    """A run, and perhaps a version of it in staging."""
    with TemporaryDirectory() as folder:
        new = keep_run(container, number, Path(folder))
        if promoted:
            promote(container, new)


if __name__ == "__main__":
    main()
