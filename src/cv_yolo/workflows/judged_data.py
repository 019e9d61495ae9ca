"""By which test images the last decision on a data set judged."""

from collections.abc import Callable
from pathlib import Path

from cv_yolo.ports.records import RunReader
from cv_yolo.ports.registry import AuditLog
from cv_yolo.workflows.train import DATASET_PATH_TAG


def in_folder(root: Path, *, project: Path) -> Callable[[str], bool]:
    """Says whether the path of a data set, seen from the project, is that folder."""
    return lambda path: (project / path).resolve() == root.resolve()


def last_test_revision(log: AuditLog, runs: RunReader, is_this: Callable[[str], bool]) -> str | None:
    """The revision of the test split of the last decision about a model that was trained on this data set.

    `is_this` says whether a path is that of the data set. None where nothing was decided, or the records do not say on
    which data the model was trained.
    """
    judged = [entry for entry in log.entries() if entry.test_revision is not None]
    paths = {run.run_id: run.tags.get(DATASET_PATH_TAG) for run in runs.runs()} if judged else {}
    for entry in reversed(judged):
        path = paths.get(entry.run_id)
        if path is not None and is_this(path):
            return entry.test_revision
    return None
