"""`DatasetFolder`: data sets written and read, in memory and on disk."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.manifest import Split, revision_of
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import DatasetFolder, LabelledImage
from tests.fakes import FakeDatasetFolder

ORIGIN = {"tool": "test"}


@pytest.fixture(params=[FakeDatasetFolder, YoloFolder])
def folder(request: pytest.FixtureRequest) -> DatasetFolder:
    made: DatasetFolder = request.param()
    return made


def picture(split: Split, name: str, *, seed: int, boxes: int = 1) -> LabelledImage:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, size=(48, 64, 3), dtype=np.uint8)
    corners = np.array([[8.0, 6.0, 40.0 + index, 36.0] for index in range(boxes)]).reshape(-1, 4)
    return LabelledImage(split=split, name=name, pixels=pixels, boxes_xyxy=corners)


def pictures() -> list[LabelledImage]:
    return [
        picture(Split.VAL, "b", seed=3),
        picture(Split.TRAIN, "a", seed=1, boxes=2),
        picture(Split.TRAIN, "c", seed=2, boxes=0),
    ]


def test_written_lines_are_in_the_log(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    assert not folder.exists(root)
    folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    assert folder.exists(root)


def test_written_files_are_found_and_match_the_manifest(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    manifest = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    found = folder.scan(root)
    assert found.classes == manifest.classes == ("person",)
    assert found.images == manifest.images == folder.recorded(root)
    assert revision_of(found.classes, found.images) == manifest.revision
    assert manifest.name == "drawn"
    assert manifest.counts() == {"train": 2, "val": 1, "test": 0}
    assert manifest.box_counts() == {"train": 2, "val": 1, "test": 0}


def test_a_record_names_image_label_and_size(folder: DatasetFolder, tmp_path: Path) -> None:
    manifest = folder.write(tmp_path / "drawn", classes=("person",), pictures=pictures(), origin=ORIGIN)
    first = manifest.images[0]
    assert (first.image, first.label) == ("images/train/a.jpg", "labels/train/a.txt")
    assert (first.width_px, first.height_px) == (64, 48)


def test_the_same_pictures_are_the_same_revision(folder: DatasetFolder, tmp_path: Path) -> None:
    first = folder.write(tmp_path / "one", classes=("person",), pictures=pictures(), origin=ORIGIN)
    second = folder.write(tmp_path / "two", classes=("person",), pictures=pictures()[::-1], origin=ORIGIN)
    assert first.revision == second.revision


def test_other_pictures_replace_the_former_data_in_whole(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    others = [picture(Split.TRAIN, "x", seed=8), picture(Split.VAL, "y", seed=9)]
    second = folder.write(root, classes=("person",), pictures=others, origin=ORIGIN)
    assert folder.scan(root).images == second.images
    assert [record.image for record in second.images] == ["images/train/x.jpg", "images/val/y.jpg"]


def test_ground_truth_is_in_pixels_and_in_the_manifests_order(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    manifest = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    first, second = folder.ground_truth(root, manifest, Split.TRAIN)
    assert (first.image, second.image) == ("images/train/a.jpg", "images/train/c.jpg")
    np.testing.assert_allclose(first.boxes_xyxy, [[8, 6, 40, 36], [8, 6, 41, 36]], atol=1e-3)
    assert first.class_ids.tolist() == [0, 0]
    assert second.boxes_xyxy.shape == (0, 4)


def test_a_split_without_images_has_no_ground_truth(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    manifest = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    assert folder.ground_truth(root, manifest, Split.TEST) == ()


def test_a_failure_while_writing_leaves_the_former_data(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    before = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)

    def failing() -> Iterator[LabelledImage]:
        yield picture(Split.TRAIN, "x", seed=8)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        folder.write(root, classes=("person",), pictures=failing(), origin=ORIGIN)
    assert folder.scan(root).images == before.images


def test_pictures_that_make_no_data_set_are_refused_and_leave_the_former_data(
    folder: DatasetFolder, tmp_path: Path
) -> None:
    root = tmp_path / "drawn"
    before = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    with pytest.raises(DatasetError, match="no images in the split val"):
        folder.write(root, classes=("person",), pictures=[picture(Split.TRAIN, "x", seed=8)], origin=ORIGIN)
    assert folder.scan(root).images == before.images


def test_a_folder_without_data_cannot_be_scanned_and_records_nothing(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "nothing"
    assert folder.recorded(root) is None
    with pytest.raises(DatasetError, match="nothing"):
        folder.scan(root)


def test_data_as_they_were_written_have_no_findings(folder: DatasetFolder, tmp_path: Path) -> None:
    folder.write(tmp_path / "drawn", classes=("person",), pictures=pictures(), origin=ORIGIN)
    assert folder.scan(tmp_path / "drawn").findings == ()


def test_the_ground_truth_of_other_labels_than_the_manifests_is_refused(folder: DatasetFolder, tmp_path: Path) -> None:
    root = tmp_path / "drawn"
    before = folder.write(root, classes=("person",), pictures=pictures(), origin=ORIGIN)
    relabelled = [picture(Split.VAL, "b", seed=3, boxes=2), *pictures()[1:]]
    folder.write(root, classes=("person",), pictures=relabelled, origin=ORIGIN)
    assert len(folder.ground_truth(root, before, Split.TRAIN)) == 2
    with pytest.raises(DatasetError, match=r"labels/val/b\.txt: not as the manifest recorded it: another content"):
        folder.ground_truth(root, before, Split.VAL)
