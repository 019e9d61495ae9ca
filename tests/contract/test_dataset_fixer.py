"""`DatasetFixer`: a plan is carried out as far as the files are there, and what is changed is kept."""

from pathlib import Path

import pytest

from cv_yolo.adapters.yolo.fixing import YoloFixer
from cv_yolo.domain.data.fixes import FixPlan
from cv_yolo.ports.datasets import DatasetFixer
from tests.fakes import FakeDatasetFixer
from tests.yolo_data import FOLDER, a_small_data_set, put_label

ORPHAN = "labels/train/lost.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = a_small_data_set(tmp_path / "mine")
    put_label(made, "train/lost.txt")
    return made


@pytest.fixture(params=["fake", "disk"])
def fixer(request: pytest.FixtureRequest, root: Path) -> DatasetFixer:
    return FakeDatasetFixer({root: {ORPHAN}}) if request.param == "fake" else YoloFixer()


def fixed(fixer: DatasetFixer, root: Path, *orphans: str) -> list[str]:
    images = {record.image: record for record in FOLDER.scan(root).images}
    return [fix.path for fix in fixer.fix(root, images, FixPlan(orphans=orphans), root.parent / "backup")]


def test_what_is_there_is_fixed_and_named_once(fixer: DatasetFixer, root: Path) -> None:
    assert fixed(fixer, root, ORPHAN, "labels/train/gone.txt") == [ORPHAN]
    assert fixed(fixer, root, ORPHAN) == []


def test_a_plan_without_fixes_changes_nothing(fixer: DatasetFixer, root: Path) -> None:
    assert fixed(fixer, root) == []
    assert fixed(fixer, root, ORPHAN) == [ORPHAN]
