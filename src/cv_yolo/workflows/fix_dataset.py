"""Fix what can be fixed without changing what training and evaluation read: the result is a new revision."""

from dataclasses import dataclass
from pathlib import Path

from cv_yolo.domain.data.fixes import Fix, plan_fixes
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import DatasetFixer
from cv_yolo.workflows.prepare_dataset import DatasetSource, InspectedDataset, inspect_dataset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FixedDataset:
    """What was fixed, where copies of the changed files are (None without any), and the data set as it is now."""

    fixes: tuple[Fix, ...]
    backup: Path | None
    inspected: InspectedDataset


def fix_dataset(
    source: DatasetSource, inspected: InspectedDataset, *, fixer: DatasetFixer, backup: Path
) -> FixedDataset:
    """Make the safe fixes, and look at the data again.

    Raises `DatasetError` where files cannot be read: they are corrected by hand first.
    """
    if inspected.found.refusals:
        raise DatasetError(
            f"{source.root}: not fixed: some files cannot be read, and those are corrected by hand first",
            hint="`cv-yolo data check` without `--fix` lists them",
        )
    found = inspected.found
    plan = plan_fixes(found.images, found.findings)
    images = {record.image: record for record in found.images}
    fixes = fixer.fix(source.root, images, plan, backup) if plan else ()
    if not fixes:
        return FixedDataset(fixes=(), backup=None, inspected=inspected)
    return FixedDataset(fixes=fixes, backup=backup, inspected=inspect_dataset(source))
