"""`annotations.json` beside label text: read by the evaluator, hashed in the manifest, refused where they disagree."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_yolo.adapters.ultralytics.examples import examples_of
from cv_yolo.adapters.yolo.canonical import read_annotations
from cv_yolo.adapters.yolo.content import YoloContents
from cv_yolo.adapters.yolo.imported import YoloImports
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.difference import diff_images
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.errors import DatasetError
from tests.builders import a_training_request
from tests.yolo_data import FOLDER, checked, manifest_of, noise, put_label

OBJECTS = (
    AnnotatedObject(
        category="dog", xywh=(4.123456789, 6, 30, 20), area_px2=321.25, segmentation=[[4, 6, 34, 6, 34, 26]]
    ),
    AnnotatedObject(category="person", xywh=(0, 0, 64, 48), is_crowd=True, area_px2=2000.5),
    AnnotatedObject(category="person", xywh=(50, 40, 30, 30), is_difficult=True),
)
RUNS = {"counts": [100, 20, 2952], "size": [48, 64]}


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """Two pictures with crowds, areas, outlines and columns, as an import writes them."""
    images = []
    for seed, (name, split) in enumerate((("cam1/a.png", Split.TRAIN), ("cam2/a.png", Split.VAL))):
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True)
        noise(seed).save(path)
        columns = {"scene": name[:4]}
        images.append(
            ImageAnnotations(path=name, width_px=64, height_px=48, objects=OBJECTS, split=split, attributes=columns)
        )
    images[1] = replace(images[1], objects=(*OBJECTS, replace(OBJECTS[1], segmentation=RUNS)))
    dataset = AnnotatedDataset(classes=("person", "dog"), images=tuple(images), category_ids={"person": 1, "dog": 18})
    folder = YoloImports()
    pictures = checked(folder, tmp_path / "source", images)
    folder.write(
        tmp_path / "mine",
        dataset,
        images_root=tmp_path / "source",
        pictures=pictures,
        origin={"source": "there"},
        on_image=lambda done: None,
    )
    return tmp_path / "mine"


def annotations(root: Path) -> Any:
    return json.loads((root / "annotations.json").read_text(encoding="utf-8"))


def change(root: Path, **changes: Any) -> None:
    (root / "annotations.json").write_text(json.dumps(annotations(root) | changes), encoding="utf-8")


def scanned(root: Path) -> DatasetManifest:
    return manifest_of(FOLDER.scan(root))


def test_all_of_it_is_read_back_as_it_was_written(imported: Path) -> None:
    found = read_annotations(imported, ("person", "dog"))
    assert found is not None
    image = found["images/train/cam1/a.png"]
    assert [replace(each, place="") for each in image.objects] == list(OBJECTS)
    assert image.attributes == {"scene": "cam1"}
    assert found["images/val/cam2/a.png"].objects[3].segmentation == RUNS
    assert image.objects[0].place.endswith("annotations.json: annotation 1")
    assert YoloImports().annotated(imported).category_ids == {"person": 1, "dog": 18}


def test_crowds_and_areas_reach_the_evaluator_and_crowds_are_not_trained_on(imported: Path, tmp_path: Path) -> None:
    manifest = scanned(imported)
    assert [record.boxes for record in manifest.images] == [2, 2]
    (truth,) = FOLDER.ground_truth(imported, manifest, Split.TRAIN)
    np.testing.assert_allclose(
        truth.boxes_xyxy, [[4.123456789, 6, 34.123456789, 26], [50, 40, 64, 48], [0, 0, 64, 48]], atol=1e-9
    )
    assert truth.crowds is not None
    assert truth.crowds.tolist() == [False, False, True]
    assert truth.areas_px is not None
    assert truth.areas_px.tolist() == [321.25, 14 * 8, 2000.5]
    request = replace(a_training_request(tmp_path, manifest=manifest), dataset_root=imported)
    (example,) = examples_of(request, FOLDER)[Split.TRAIN]
    assert example.rows[:, 0].tolist() == [1, 0]


def test_columns_become_slices_and_attributes_csv_overrides_them(imported: Path) -> None:
    assert [record.attributes for record in scanned(imported).images] == [{"scene": "cam1"}, {"scene": "cam2"}]
    (imported / "attributes.csv").write_text("image,scene\nimages/val/cam2/a.png,night\n", encoding="utf-8")
    assert [record.attributes for record in scanned(imported).images] == [{"scene": "cam1"}, {"scene": "night"}]


def test_the_revision_is_that_of_the_manifest_and_leaves_the_order_of_annotations_aside(imported: Path) -> None:
    before = scanned(imported)
    assert before.images == FOLDER.recorded(imported)
    assert json.loads((imported / "manifest.json").read_bytes())["revision"] == before.revision
    content = annotations(imported)
    change(imported, annotations=content["annotations"][::-1], images=content["images"][::-1])
    assert scanned(imported).revision == before.revision


@pytest.mark.parametrize(("key", "value"), [("area", 7.5), ("segmentation", []), ("difficult", True)])
def test_what_only_the_annotations_hold_makes_another_revision(imported: Path, key: str, value: object) -> None:
    before, content = scanned(imported), annotations(imported)
    content["annotations"][0][key] = value
    change(imported, **content)
    now = scanned(imported)
    assert now.revision != before.revision
    assert diff_images(recorded=before.images, found=now.images).changed == ("annotations of images/train/cam1/a.png",)
    with pytest.raises(DatasetError, match=r"the annotations of images/train/cam1/a\.png are not as the manifest"):
        FOLDER.ground_truth(imported, before, Split.TRAIN)


def test_annotations_that_are_removed_are_missed(imported: Path) -> None:
    before = scanned(imported)
    (imported / "annotations.json").unlink()
    assert scanned(imported).revision != before.revision
    with pytest.raises(DatasetError, match="not as the manifest recorded them"):
        FOLDER.ground_truth(imported, before, Split.VAL)


LABEL = "labels/train/cam1/a.txt"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 0.3 0.3 0.2 0.2\n0 0.890625 0.916667 0.218750 0.166667\n", "other boxes than annotations.json"),
        ("1 0.298804 0.333333 0.468750 0.416667\n", "1 boxes, annotations.json has 2"),
        ("", "0 boxes, annotations.json has 2"),
    ],
)
def test_label_text_that_disagrees_is_refused_with_what_to_do(imported: Path, text: str, reason: str) -> None:
    put_label(imported, "train/cam1/a.png", text)
    with pytest.raises(DatasetError, match=f"{LABEL}: {reason}") as refusal:
        FOLDER.scan(imported)
    assert "import the data again" in (refusal.value.hint or "")


def test_a_comparison_of_revisions_refuses_it_as_a_check_does(imported: Path, tmp_path: Path) -> None:
    put_label(imported, "train/cam1/a.png", "")
    with pytest.raises(DatasetError, match=r"0 boxes, annotations\.json has 2"):
        YoloContents(tmp_path / "facts.json").read(imported)


def test_label_text_in_another_order_agrees(imported: Path) -> None:
    label = imported / LABEL
    label.write_text("".join(reversed(label.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")
    scanned(imported)


def test_images_that_are_added_or_removed_by_hand_are_refused(imported: Path) -> None:
    noise(9).save(imported / "images" / "train" / "new.png")
    put_label(imported, "train/new.png")
    (imported / "images" / "val" / "cam2" / "a.png").rename(imported / "images" / "val" / "b.png")
    (imported / "labels" / "val" / "cam2" / "a.txt").rename(imported / "labels" / "val" / "b.txt")
    with pytest.raises(DatasetError) as refusal:
        FOLDER.scan(imported)
    for said in (
        "images/train/new.png: not in annotations.json",
        "images/val/b.png: not in annotations.json",
        "annotations.json: lists images that no split has: images/val/cam2/a.png",
    ):
        assert said in refusal.value.message


def test_a_picture_of_another_size_than_annotated_is_refused(imported: Path) -> None:
    noise(0, (70, 48)).save(imported / "images" / "train" / "cam1" / "a.png")
    with pytest.raises(DatasetError, match=r"70 x 48 px, annotations\.json has 64 x 48"):
        FOLDER.scan(imported)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"images": 3}, "images: Input should be a valid array"),
        ({"categories": []}, "the classes"),
        (
            {"categories": [{"id": 1, "name": "dog"}, {"id": 18, "name": "person"}]},
            "the classes dog, person, but data.yaml",
        ),
        (
            {"annotations": [{"id": 1, "image_id": 99, "category_id": 1, "bbox": [0, 0, 1, 1]}]},
            "annotation 1: an image or",
        ),
        (
            {"annotations": [{"id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 1, 1]}]},
            "annotation 1: an image or",
        ),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1]}]}, r"annotations\.0\.bbox"),
    ],
)
def test_damaged_annotations_are_refused_by_name(imported: Path, damage: dict[str, Any], reason: str) -> None:
    change(imported, **damage)
    with pytest.raises(DatasetError, match=reason) as refusal:
        FOLDER.scan(imported)
    assert str(imported / "annotations.json") in refusal.value.message
    assert refusal.value.hint


def test_an_image_that_is_listed_twice_is_refused(imported: Path) -> None:
    images = annotations(imported)["images"]
    change(imported, images=[images[0], images[1], images[0] | {"id": 7}])
    with pytest.raises(DatasetError, match="an image is listed twice"):
        FOLDER.scan(imported)
    change(imported, images=[images[0], images[1] | {"id": images[0]["id"]}])
    with pytest.raises(DatasetError):
        FOLDER.scan(imported)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"images": [NaN]}', "[" * 100_000])
def test_what_is_no_json_of_ours_is_refused(imported: Path, content: str) -> None:
    (imported / "annotations.json").write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"annotations\.json: "):
        FOLDER.scan(imported)
