"""Label files: read by one rule, verified against the manifest, and missed where they lack."""

from pathlib import Path

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from tests.yolo_data import (
    FOLDER,
    LABEL,
    a_small_data_set,
    findings_of,
    found_in,
    manifest_of,
    put_data_yaml,
    put_image,
    put_label,
    refused,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return a_small_data_set(tmp_path / "mine")


# -- content ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.4", "4 fields, expected 5"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5", "9 fields, expected 5: a rotated box"),
        ("0 0.1 0.1 0.5 0.1 0.5 0.5", "7 fields, expected 5: a segmentation polygon"),
        ("person 0.5 0.5 0.4 0.6", "the class is 'person'"),
        ("0 0.5 0.5 0.4 x", "not a number: 'x'"),
        ("1 0.5 0.5 0.4 0.6", "class 1, but data.yaml names the class 0"),
        ("0 0.5 0.5 0.4 1.6", "a box outside [0, 1]"),
        ("0 0.5 0.5 0 0.6", "a box of zero width"),
    ],
)
def test_a_wrong_label_line_is_named_by_file_and_line(root: Path, line: str, reason: str) -> None:
    label = put_label(root, "val/c.jpg", f"{LABEL}\n{line}\n")
    assert refused(root).message.startswith(f"{label}:3: {reason}")


@pytest.mark.parametrize("content", [b"0 0.5 \xff\xfe", b"\x89PNG\r\n\x1a\n"])
def test_a_label_that_is_not_text_is_named(root: Path, content: bytes) -> None:
    label = put_label(root, "val/c.jpg", content)
    assert refused(root).message.startswith(f"{label}: not a text file")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_label_of_utf_16_is_named(root: Path, encoding: str) -> None:
    label = put_label(root, "val/c.jpg", LABEL.encode(encoding))
    message = refused(root).message
    assert message.startswith(f"{label}:1: " if encoding != "utf-16" else f"{label}: not a text file of UTF-8")
    assert message.isprintable()


def test_values_that_were_corrected_are_counted(root: Path) -> None:
    put_label(root, "val/c.jpg", f"{LABEL}{LABEL}0 0.95 0.5 0.2 0.2\n0 0.5 0.5 0.0001 0.2\n")
    record = next(each for each in FOLDER.scan(root).images if each.split == "val")
    assert record.boxes == 2
    found = {each.kind: each.examples for each in FOLDER.scan(root).findings}
    assert found == {
        "clipped_boxes": ("labels/val/c.txt:3",),
        "small_boxes": ("labels/val/c.txt:4",),
        "repeated_boxes": ("labels/val/c.txt:2",),
    }


# -- ground truth -----------------------------------------------------------------------------------------------------


def test_the_ground_truth_is_clipped_and_without_what_does_not_count(root: Path) -> None:
    put_label(root, "val/c.jpg", f"{LABEL}{LABEL}0 0.95 0.5 0.2 0.2\n0 0.5 0.5 0.0001 0.2\n0 0.5 0.5 1.0000001 1.0\n")
    found = FOLDER.scan(root)
    (truth,) = FOLDER.ground_truth(root, manifest_of(found), Split.VAL)
    np.testing.assert_allclose(
        truth.boxes_xyxy,
        [[0.3 * 64, 0.2 * 48, 0.7 * 64, 0.8 * 48], [0.85 * 64, 0.4 * 48, 64, 0.6 * 48], [0, 0, 64, 48]],
    )
    assert truth.boxes_xyxy.max(axis=0).tolist()[2:] == [64.0, 48.0]
    assert len(truth.class_ids) == found.images[-1].boxes


def test_the_ground_truth_is_in_the_manifests_order(root: Path) -> None:
    for number in (9, 1, 5):
        put_image(root, f"val/{number}.jpg")
    manifest = manifest_of(FOLDER.scan(root))
    truths = FOLDER.ground_truth(root, manifest, Split.VAL)
    assert [truth.image for truth in truths] == [record.image for record in manifest.split(Split.VAL)]


@pytest.mark.parametrize(
    ("change", "what"),
    [("changed", "another content"), ("removed", "missing"), ("added", "new"), ("emptied", "another content")],
)
def test_a_label_that_is_not_the_recorded_one_is_refused_by_name(root: Path, change: str, what: str) -> None:
    put_image(root, "val/empty.jpg", label=None)
    manifest = manifest_of(FOLDER.scan(root))
    name = "val/empty.jpg" if change == "added" else "val/c.jpg"
    label = put_label(root, name, "" if change == "emptied" else "0 0.5 0.5 0.4 0.5\n")
    if change == "removed":
        label.unlink()
    with pytest.raises(DatasetError) as refusal:
        FOLDER.ground_truth(root, manifest, Split.VAL)
    assert refusal.value.message == f"{label}: not as the manifest recorded it: {what}"
    assert refusal.value.hint


def test_a_label_behind_a_link_is_verified_too(root: Path, tmp_path: Path) -> None:
    label = root / "labels" / "val" / "c.txt"
    target = tmp_path / "elsewhere.txt"
    label.rename(target)
    label.symlink_to(target)
    manifest = manifest_of(FOLDER.scan(root))
    target.write_text("0 0.5 0.5 0.4 0.5\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"labels/val/c\.txt: not as the manifest recorded it"):
        FOLDER.ground_truth(root, manifest, Split.VAL)


# -- places -----------------------------------------------------------------------------------------------------------


def test_an_image_without_a_label_file_is_counted(root: Path) -> None:
    put_image(root, "train/empty.jpg", label=None)
    assert findings_of(root) == {"images_without_label_file": 1}


def test_an_empty_label_file_is_not_a_finding(root: Path) -> None:
    put_image(root, "train/empty.jpg", label="")
    assert findings_of(root) == {}


def test_a_label_path_that_is_a_folder_is_refused(root: Path) -> None:
    label = root / "labels" / "train" / "a.txt"
    label.unlink()
    label.mkdir()
    assert refused(root).message == f"{label}: a folder, not a file"


def test_labels_that_are_a_file_are_not_labels(root: Path) -> None:
    (root / "labels").rename(root / "away")
    (root / "labels").touch()
    assert "no label file for any of the 2 images of train" in refused(root).message


def test_a_loop_of_links_instead_of_labels_is_refused(root: Path) -> None:
    (root / "labels").rename(root / "away")
    (root / "labels").symlink_to("labels")
    assert f"{root / 'labels' / 'train' / 'a.txt'}" in refused(root).message or "no label file" in refused(root).message


def test_a_split_without_any_label_file_is_refused(root: Path) -> None:
    (root / "labels" / "val" / "c.txt").unlink()
    error = refused(root)
    assert error.message == (
        f"{root}: no label file for the image of val: labels/val/c.txt belongs to images/val/c.jpg"
    )
    assert "empty ones" in str(error.hint)


@pytest.mark.parametrize(
    ("folder", "wrong"), [("labels", "Labels"), ("labels", "LABELS"), ("labels/train", "labels/Train")]
)
def test_a_folder_of_labels_in_the_wrong_case_is_named(root: Path, folder: str, wrong: str) -> None:
    (root / folder).rename(root / wrong)
    error = refused(root)
    assert f"did you mean {wrong if '/' in wrong else f'{wrong}/train'}/a.txt?" in error.message
    assert error.hint == f"rename `{Path(wrong).name}` to `{Path(folder).name}`"


def test_labels_beside_the_images_are_named(root: Path) -> None:
    for label in (root / "labels").rglob("*.txt"):
        label.rename(root / "images" / label.relative_to(root / "labels"))
    error = refused(root)
    assert "did you mean images/train/a.txt?" in error.message
    assert str(error.hint).startswith("move the label files")


def test_labels_that_lie_elsewhere_are_named(root: Path) -> None:
    (root / "labels" / "train").rename(root / "annotations")
    assert "labels/train/a.txt belongs to images/train/a.jpg: did you mean annotations/a.txt?" in refused(root).message


@pytest.mark.parametrize(
    ("suffix", "folder"), [(".xml", "Annotations"), (".json", "images/train"), (".xml", "labels/train")]
)
def test_annotations_of_another_kind_are_named_with_what_to_do(root: Path, suffix: str, folder: str) -> None:
    for name in ("a", "b"):
        (root / "labels" / "train" / f"{name}.txt").unlink()
    (root / folder).mkdir(exist_ok=True)
    (root / folder / f"a{suffix}").touch()
    error = refused(root)
    assert error.message.endswith(f"belongs to images/train/a.jpg, and there is {folder}/a{suffix}")
    assert str(error.hint).startswith("convert them")


@pytest.mark.parametrize("wrong", ["a.TXT", "a.Txt", "A.txt", "a.jpg.txt"])
def test_a_label_file_that_is_almost_in_place_is_refused(root: Path, wrong: str) -> None:
    label = root / "labels" / "train" / "a.txt"
    label.rename(label.with_name(wrong))
    assert refused(root).message == (
        f"{label.with_name(wrong)}: did you mean labels/train/a.txt? images/train/a.jpg has no label file"
    )


def test_a_label_file_beside_its_image_is_refused_and_an_empty_one_is_not(root: Path) -> None:
    put_image(root, "train/d.jpg", label=None)
    beside = root / "images" / "train" / "d.txt"
    beside.touch()
    assert findings_of(root) == {"images_without_label_file": 1, "ignored_files .txt": 1}
    beside.write_text(LABEL, encoding="utf-8")
    assert refused(root).message.startswith(f"{beside}: did you mean labels/train/d.txt?")


@pytest.mark.parametrize("other", ["a.png", "a.JPG", "a.jpeg"])
def test_two_images_with_one_label_file_are_refused(root: Path, other: str) -> None:
    put_image(root, f"train/{other}", label=None)
    names = " and ".join(sorted(["a.jpg", other]))
    assert refused(root).message == f"{root / 'labels' / 'train' / 'a.txt'}: the label file of {names}: it is ambiguous"


def test_two_images_of_one_name_without_a_label_file_have_no_objects(root: Path) -> None:
    for name in ("d.jpg", "d.png"):
        put_image(root, f"train/{name}", label=None)
    assert findings_of(root) == {"images_without_label_file": 2}


def test_label_files_without_an_image_are_counted(root: Path) -> None:
    for name in ("train/lost.jpg", "train/night/lost.jpg", "old/lost.jpg", "lost.jpg"):
        put_label(root, name)
    found = {each.kind: (each.count, each.examples) for each in FOLDER.scan(root).findings}
    assert found == {"labels_without_image": (4, ("labels/lost.txt", "labels/old/lost.txt", "labels/train/lost.txt"))}


def test_class_lists_and_labels_of_unused_images_are_not_orphans(root: Path) -> None:
    (root / "labels" / "train" / "classes.txt").write_text("person\n", encoding="utf-8")
    (root / "labels" / "train.cache").touch()
    (root / "labels" / ".hidden.txt").touch()
    put_image(root, "unused/d.jpg")
    assert findings_of(root) == {}


def test_coco128_is_read_with_what_is_odd_about_it(tmp_path: Path) -> None:
    source = Path(__file__).parents[4].parent / "shared" / "data" / "coco128"
    if not source.is_dir():
        pytest.skip("COCO128 is not there (../shared/data/coco128)")
    root = tmp_path / "coco128"
    root.mkdir()
    for name in ("images", "labels"):
        (root / name).symlink_to(source / name)
    put_data_yaml(root, train="images/train2017", val=None, names=[f"class {number}" for number in range(80)])
    found = FOLDER.scan(root)
    kinds = {each.kind: each.count for each in found.findings}
    assert len(found_in(root)) == 128
    assert sum(record.boxes for record in found.images) == 929
    assert kinds["images_without_label_file"] == 2
    assert kinds["labels_without_image"] == 2


def test_a_label_that_cannot_be_read_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self.name == "c.txt":
            raise PermissionError(13, "Permission denied", str(self))
        return read(self)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert refused(root).message == f"{root / 'labels' / 'val' / 'c.txt'}: cannot be read: Permission denied"
