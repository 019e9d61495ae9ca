"""Formats by name: recognised, asked for, written and read again."""

import json
from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.formats.export import export
from cv_yolo.adapters.yolo.imported import YoloImports
from cv_yolo.container.imports import FORMATS, Imports
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.label_text import Outlines
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import AnnotationReader
from cv_yolo.settings import Settings
from tests.yolo_data import a_small_data_set, checked, noise, put_label

OBJECTS = (
    AnnotatedObject(
        category="dog", xywh=(4.1234567, 6.5, 30.25, 20), area_px2=321.5, segmentation=[[4, 6, 34, 6, 34, 26]]
    ),
    AnnotatedObject(category="person", xywh=(0, 0, 64, 48), is_crowd=True, area_px2=2000.5),
    AnnotatedObject(category="person", xywh=(40, 30, 20, 10), is_difficult=True, area_px2=200.0),
)


def reader(
    root: Path, format: str | None, *, class_names: tuple[str, ...] = (), outlines: Outlines = Outlines.REFUSE
) -> tuple[str, AnnotationReader]:
    return Imports(Settings()).reader(root, format, class_names=class_names, outlines=outlines)


def a_dataset(root: Path) -> AnnotatedDataset:
    """Three pictures below `root`, one without objects."""
    images = []
    for seed, split in enumerate(Split):
        path = root / "images" / split / "a.png"
        path.parent.mkdir(parents=True)
        noise(seed).save(path)
        images.append(
            ImageAnnotations(
                path=f"images/{split}/a.png",
                width_px=64,
                height_px=48,
                objects=() if split is Split.TEST else OBJECTS,
                split=split,
            )
        )
    return AnnotatedDataset(classes=("person", "dog"), images=tuple(images), category_ids={"person": 1, "dog": 18})


def exported(tmp_path: Path, format: str) -> AnnotatedDataset:
    """What is read of what was written in a format."""
    done: list[int] = []
    export(a_dataset(tmp_path / "source"), tmp_path / "source", tmp_path / "out", format, done.append)
    name, read = reader(tmp_path / "out", None)
    assert name == format
    return read(tmp_path / "out")


def test_coco_comes_back_as_it_went_out(tmp_path: Path) -> None:
    again = exported(tmp_path, "coco")
    assert set(again.classes) == {"person", "dog"}
    assert again.category_ids == {"person": 1, "dog": 18}
    assert [(image.split, len(image.objects)) for image in again.images] == [
        (Split.TEST, 0),
        (Split.TRAIN, 3),
        (Split.VAL, 3),
    ]
    for mine, theirs in zip(OBJECTS, again.images[1].objects, strict=True):
        np.testing.assert_allclose(theirs.xywh, mine.xywh, atol=1e-6)
        assert (theirs.category, theirs.is_crowd, theirs.is_difficult) == (
            mine.category,
            mine.is_crowd,
            mine.is_difficult,
        )
        assert theirs.area_px2 == pytest.approx(mine.area_px2)
        assert (theirs.segmentation or None) == (mine.segmentation or None)


def test_yolo_has_the_boxes_that_count(tmp_path: Path) -> None:
    again = exported(tmp_path, "yolo")
    assert again.classes == ("person", "dog")
    assert [(image.split, len(image.objects)) for image in again.images] == [
        (Split.TEST, 0),
        (Split.TRAIN, 2),
        (Split.VAL, 2),
    ]
    np.testing.assert_allclose(again.images[1].objects[0].xywh, OBJECTS[0].xywh, atol=1e-3)


def test_voc_has_every_image_and_what_is_difficult(tmp_path: Path) -> None:
    again = exported(tmp_path, "voc")
    assert {image.split for image in again.images} == set(Split)
    assert sum(each.is_difficult for image in again.images for each in image.objects) >= 2


@pytest.mark.parametrize("format", ["coco", "voc", "yolo"])
def test_a_folder_with_files_is_never_written_to(tmp_path: Path, format: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(DatasetError, match="is there already"):
        export(a_dataset(tmp_path / "source"), tmp_path / "source", tmp_path / "out", format, lambda done: None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "source")
    (tmp_path / "source" / "images" / "val" / "a.png").unlink()
    with pytest.raises(OSError, match=r"a\.png"):
        export(dataset, tmp_path / "source", tmp_path / "out", "coco", lambda done: None)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_our_own_folder_is_read_by_its_annotations(tmp_path: Path) -> None:
    dataset = a_dataset(tmp_path / "source")
    folder = YoloImports()
    pictures = checked(folder, tmp_path / "source", dataset.images)
    folder.write(
        tmp_path / "mine",
        dataset,
        images_root=tmp_path / "source",
        pictures=pictures,
        origin={},
        on_image=lambda done: None,
    )
    name, read = reader(tmp_path / "mine", None)
    assert name == "coco"
    assert sum(each.is_crowd for image in read(tmp_path / "mine").images for each in image.objects) == 2


def test_without_annotations_or_with_several_kinds_the_format_is_asked_for(tmp_path: Path) -> None:
    noise(1).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="neither COCO JSON") as refusal:
        reader(tmp_path, None)
    assert "--format" in (refusal.value.hint or "")
    root = a_small_data_set(tmp_path / "mine")
    coco = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
    (root / "instances.json").write_text(json.dumps(coco), encoding="utf-8")
    with pytest.raises(DatasetError, match="annotations of 2 formats: coco, yolo") as refusal:
        reader(root, None)
    assert "--format coco" in (refusal.value.hint or "")
    name, read = reader(root, "yolo")
    assert (name, len(read(root).images)) == ("yolo", 3)


def test_what_only_yolo_needs_goes_to_its_reader(tmp_path: Path) -> None:
    root = a_small_data_set(tmp_path / "mine")
    put_label(root, "train/a.jpg", "0 .1 .1 .5 .1 .5 .5\n")
    _, read = reader(root, None, class_names=("cat",), outlines=Outlines.ENVELOPE)
    assert read(root).classes == ("cat",)


def test_every_format_is_known_by_its_name(tmp_path: Path) -> None:
    for name in FORMATS:
        assert reader(tmp_path, name)[0] == name
