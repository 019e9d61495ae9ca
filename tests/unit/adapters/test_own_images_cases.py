"""The 25 small inputs of `../shared/data/own-images-cases`, each with one thing that people's data really have."""

import re
import shutil
from pathlib import Path

import pytest

from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.workflows.prepare_dataset import CheckedDataset, DatasetSource, check_dataset
from tests.fakes import FakeDatasetFolder, FakeDatasetStore

CASES = Path(__file__).parents[4] / "shared" / "data" / "own-images-cases"

REFUSED = {
    "gif_named_jpg": r"images/train/p\.jpg: does not decode: it is a GIF",
    "lab_obb_8": r"labels/train/train0\.txt:1: .* a rotated box",
    "lab_seg_polygon": r"labels/train/train0\.txt:1: .* a segmentation polygon",
    "lab_underscore_num": r"labels/train/train0\.txt:1: not a number: '0\.3_75'",
    "lab_zero_area": r"labels/train/train0\.txt:1: a box of zero width",
    "label_is_dir": r"labels/train/train0\.txt: a folder, not a file",
    "labels_beside_images": r"did you mean images/train/train0\.txt\?",
    "labels_folder_wrong_case": r"did you mean Labels/train/train0\.txt\?",
    "no_boxes_val": r"no boxes in val \(3 images\)",
    "leak_reencoded": r"1 pair of almost the same picture in two splits: .*train/train0\.jpg and images/test/re\.jpg",
    "one_px": r"images/train/one\.png: 1 x 1 px: training leaves out what is under 10 px",
    "same_stem_ext": r"labels/train/a\.txt: the label file of a\.jpg and a\.png",
    "tiff_float": r"images/train/f\.tif: 32 bits for each value",
    "yaml_names_gap": r"data\.yaml: `names`: 1 is missing",
    "yaml_nc_mismatch": r"data\.yaml: `nc: 5`, but `names` lists 2",
    "yaml_valid_key": r"data\.yaml: .* did you mean `val`\?",
}
# what is read: how many images and boxes, and what is reported
READ = {
    "lab_bom": (12, 12, {}),
    "lab_class_0_0": (12, 12, {}),
    "lab_coord_1.0000001": (12, 12, {}),
    "lab_duplicate_lines": (12, 12, {"repeated_boxes": 2}),
    "lab_edge_over": (12, 12, {"clipped_boxes": 1}),
    "lab_tiny_w": (12, 11, {"small_boxes": 1}),
    "yaml_names_int": (12, 12, {}),
    "yaml_roboflow_dotdot": (12, 12, {}),
    "yaml_train_txt": (12, 12, {}),
}


def case(name: str) -> Path:
    root = CASES / name
    if not root.is_dir():
        pytest.skip(f"{root} is not there: ../shared/data/own-images-cases, beside the project")
    return root


def checked(root: Path) -> CheckedDataset:
    store = FakeDatasetStore(_NoFolder())
    return check_dataset(DatasetSource(root=root, folder=YoloFolder(), store=store, report=print))


class _NoFolder(FakeDatasetFolder):
    def exists(self, root: Path) -> bool:
        return False

    def scan(self, root: Path) -> FoundDataset:
        raise AssertionError("not asked for")


def test_every_case_has_its_expectation() -> None:
    case("lab_bom")
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == REFUSED.keys() | READ.keys()


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_cannot_be_used_is_refused_with_the_reason_and_what_to_do(name: str, tmp_path: Path) -> None:
    root = case(name)
    if name == "label_is_dir":  # an empty folder, which copies of the cases lose
        root = Path(shutil.copytree(root, tmp_path / name, copy_function=shutil.copyfile))
        (root / "labels" / "train").chmod(0o700)
        (root / "labels" / "train" / "train0.txt").mkdir(exist_ok=True)
    with pytest.raises(DatasetError) as refusal:
        checked(root)
    assert re.search(REFUSED[name], refusal.value.message)
    assert refusal.value.hint
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("name", READ)
def test_a_case_that_can_be_used_is_read_and_what_is_odd_is_reported(name: str) -> None:
    images, boxes, findings = READ[name]
    found = checked(case(name))
    assert sum(found.manifest.counts().values()) == images
    assert sum(found.manifest.box_counts().values()) == boxes
    assert {each.kind: each.count for each in found.findings} == findings
    truths = [YoloFolder().ground_truth(CASES / name, found.manifest, split) for split in Split]
    assert sum(len(truth.boxes_xyxy) for each in truths for truth in each) == boxes
