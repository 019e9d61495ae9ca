"""Safe fixes on disk: what is read stays the same, and copies of the changed files are kept."""

import json
import shutil
from pathlib import Path

import pytest

from cv_yolo.adapters.yolo.fixing import YoloFixer
from cv_yolo.domain.data.fixes import Fix, plan_fixes
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from tests.yolo_data import FOLDER, LABEL, a_small_data_set, manifest_of, put_data_yaml, put_image, put_label

ODD = "\ufeff0 0.95 0.5 0.2 0.2\r\n0 0.3 0.3 0.2 0.2\r\n\r\n0 0.3 0.3 0.2 0.2\r\n0 0.5 0.5 0.1 0.1"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


def fix(root: Path) -> tuple[Fix, ...]:
    found = FOLDER.inspect(root)
    images = {record.image: record for record in found.images}
    return YoloFixer().fix(root, images, plan_fixes(found.images, found.findings), root.parent / "backup")


def content_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def put_back(root: Path) -> None:
    shutil.copytree(root.parent / "backup" / "files", root, dirs_exist_ok=True)


def test_repeated_lines_are_removed_and_boxes_clipped_and_the_rest_stays_as_it_is(root: Path) -> None:
    label = put_label(root, "train/a.jpg", ODD)
    before = content_of(root)
    truth = FOLDER.ground_truth(root, manifest_of(FOLDER.scan(root)), Split.TRAIN)
    (done,) = fix(root)
    assert (done.path, done.what) == ("labels/train/a.txt", "1 repeated lines removed, 1 boxes clipped")
    first, second, third, fourth = label.read_bytes().decode().split("\r\n")
    assert [float(value) for value in first.split()] == pytest.approx([0, 0.925, 0.5, 0.15, 0.2])
    assert [second, third, fourth] == ["0 0.3 0.3 0.2 0.2", "", "0 0.5 0.5 0.1 0.1"]
    found = FOLDER.scan(root)
    assert found.findings == ()
    after = FOLDER.ground_truth(root, manifest_of(found), Split.TRAIN)
    for one, other in zip(truth, after, strict=True):
        assert one.boxes_xyxy.ravel().tolist() == pytest.approx(other.boxes_xyxy.ravel().tolist(), abs=1e-5)
    put_back(root)
    assert content_of(root) == before
    assert json.loads((root.parent / "backup" / "fixes.json").read_bytes())[0]["path"] == "labels/train/a.txt"


def test_labels_without_an_image_are_removed(root: Path) -> None:
    put_label(root, "train/lost.jpg")
    before = content_of(root)
    assert [each.path for each in fix(root)] == ["labels/train/lost.txt"]
    assert before.keys() - content_of(root).keys() == {"labels/train/lost.txt"}
    put_back(root)
    assert content_of(root) == before


def test_copies_with_the_same_labels_are_removed_with_their_labels(root: Path) -> None:
    shutil.copy(root / "images" / "train" / "a.jpg", root / "images" / "train" / "z.jpg")
    put_label(root, "train/z.jpg", LABEL)
    before = content_of(root)
    assert [(each.image, each.path) for each in fix(root)] == [("images/train/z.jpg", "labels/train/z.txt")]
    assert before.keys() - content_of(root).keys() == {"images/train/z.jpg", "labels/train/z.txt"}
    put_back(root)
    assert content_of(root) == before


def test_a_copy_that_a_list_names_stays(root: Path) -> None:
    shutil.copy(root / "images" / "train" / "a.jpg", root / "images" / "train" / "z.jpg")
    put_label(root, "train/z.jpg", LABEL)
    (root / "train.txt").write_text("images/train/a.jpg\nimages/train/z.jpg\nimages/train/b.png\n", encoding="utf-8")
    put_data_yaml(root, train="train.txt")
    assert fix(root) == ()


def test_files_behind_links_are_left_alone(root: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text(ODD, encoding="utf-8")
    (root / "labels" / "train" / "a.txt").unlink()
    (root / "labels" / "train" / "a.txt").symlink_to(elsewhere)
    (root / "labels" / "train" / "lost.txt").symlink_to(elsewhere)
    (root / "images" / "train" / "z.jpg").symlink_to(root / "images" / "train" / "a.jpg")
    shutil.copy(elsewhere, root / "labels" / "train" / "z.txt")
    fix(root)
    assert elsewhere.read_text(encoding="utf-8") == ODD.replace("\r\n", "\n") or elsewhere.exists()
    assert (root / "labels" / "train" / "lost.txt").is_symlink()
    assert (root / "images" / "train" / "z.jpg").is_symlink()


def test_imported_data_are_not_fixed_since_their_labels_are_made(root: Path) -> None:
    put_label(root, "train/lost.jpg")
    (root / "annotations.json").write_text("{}", encoding="utf-8")
    before = content_of(root)
    with pytest.raises(DatasetError, match=r"annotations\.json: an imported data set is not fixed here") as refusal:
        fix(root)
    assert "import it again" in (refusal.value.hint or "")
    assert content_of(root) == before


def test_the_manifest_in_the_folder_follows(tmp_path: Path) -> None:
    from tests.unit.adapters.yolo.test_folder import pictures

    root = tmp_path / "drawn"
    FOLDER.write(root, classes=("person",), pictures=pictures(), origin={"tool": "test"})
    label = root / "labels" / "train" / "a.txt"
    label.write_text(label.read_text(encoding="utf-8") * 2, encoding="utf-8")
    shutil.copy(root / "images" / "train" / "a.jpg", root / "images" / "train" / "z.jpg")
    shutil.copy(label, root / "labels" / "train" / "z.txt")
    put_image(root, "train/extra.jpg")
    assert len(fix(root)) == 2
    found = FOLDER.scan(root)
    recorded = FOLDER.recorded(root)
    assert recorded is not None
    assert list(recorded) == [each for each in found.images if each.image != "images/train/extra.jpg"]
