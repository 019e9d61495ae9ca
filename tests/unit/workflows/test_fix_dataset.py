"""Fixes are planned from what was found, carried out by the folder, and followed by another look."""

from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.domain.data.findings import FindingKind, finding_at
from cv_yolo.domain.data.fixes import Fix
from cv_yolo.errors import DatasetError
from cv_yolo.workflows.fix_dataset import fix_dataset
from cv_yolo.workflows.prepare_dataset import inspect_dataset
from tests.fakes import FakeDatasetFixer
from tests.unit.workflows.test_prepare_dataset import REFUSAL, ROOT, WHOLE, a_folder, a_source

ORPHAN = finding_at(FindingKind.ORPHANED_LABELS, ["labels/train/lost.txt"])
BACKUP = Path("backup")


def fixed(found, *, able=True):
    folder = a_folder(found)
    source, _ = a_source(folder)
    orphans = ORPHAN.places if able else ()
    fixer = FakeDatasetFixer({ROOT: orphans}, then=lambda: folder.put(ROOT, WHOLE, recorded=WHOLE.images))
    return fix_dataset(source, inspect_dataset(source), fixer=fixer, backup=BACKUP), fixer


def test_what_was_fixed_is_listed_and_the_data_are_looked_at_again():
    done, _ = fixed(replace(WHOLE, findings=(ORPHAN,)))
    assert done.fixes == (Fix(path="labels/train/lost.txt", what="label file without an image removed"),)
    assert (done.backup, done.inspected.findings) == (BACKUP, ())


def test_nothing_to_fix_asks_for_nothing():
    done, fixer = fixed(WHOLE)
    assert (done.fixes, done.backup, fixer.plans) == ((), None, [])


def test_what_could_not_be_fixed_leaves_no_backup():
    done, fixer = fixed(replace(WHOLE, findings=(ORPHAN,)), able=False)
    assert (done.backup, len(fixer.plans)) == (None, 1)
    assert [each.kind for each in done.inspected.findings] == [FindingKind.ORPHANED_LABELS]


def test_data_that_cannot_all_be_read_are_not_fixed():
    with pytest.raises(DatasetError, match=f"{ROOT}: not fixed: some files cannot be read"):
        fixed(replace(WHOLE, refusals=(REFUSAL,), findings=(ORPHAN,)))
