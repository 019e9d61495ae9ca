"""What labelformat (Lightly) reads of the same files, and writes for us to read: it is well kept, and not ours."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.formats import coco, cvat, voc
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from tests.annotation_files import SIZE, pictures, put_text

pytest.importorskip("labelformat")

from labelformat.formats import coco as their_coco
from labelformat.formats import cvat as their_cvat
from labelformat.formats import pascalvoc as their_voc

OBJECTS = (
    AnnotatedObject(category="cat", xywh=(4.0, 5.0, 20.0, 10.0)),
    AnnotatedObject(category="dog", xywh=(0.0, 0.0, 64.0, 48.0)),
)
DATASET = AnnotatedDataset(
    classes=("cat", "dog"),
    images=(
        ImageAnnotations(path="a.jpg", width_px=SIZE[0], height_px=SIZE[1], objects=OBJECTS),
        ImageAnnotations(path="b.jpg", width_px=SIZE[0], height_px=SIZE[1]),
    ),
)
Corners = tuple[str, float, float, float, float]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pictures(tmp_path, ["a.jpg", "b.jpg"])
    return tmp_path


def theirs(labels: Iterable[Any]) -> dict[str, list[Corners]]:
    """The corners of all objects that labelformat reads, by image."""
    return {
        label.image.filename: [
            (each.category.name, each.box.xmin, each.box.ymin, each.box.xmax, each.box.ymax) for each in label.objects
        ]
        for label in labels
    }


def ours(dataset: AnnotatedDataset) -> dict[str, list[Corners]]:
    """The corners of all objects that we read, by image."""
    return {
        image.path: [
            (each.category, x, y, x + width, y + height)
            for each in image.objects
            for x, y, width, height in [each.xywh]
        ]
        for image in dataset.images
    }


def test_labelformat_reads_our_coco_as_we_do(root: Path) -> None:
    coco.write(DATASET, root / "out.json")
    found = theirs(their_coco.COCOObjectDetectionInput(root / "out.json").get_labels())
    assert {name: boxes for name, boxes in ours(coco.read(root)).items() if boxes} == {
        name: boxes for name, boxes in found.items() if boxes
    }


def test_we_read_the_coco_of_labelformat(root: Path) -> None:
    coco.write(DATASET, root / "ours.json")
    their_coco.COCOObjectDetectionOutput(root / "theirs.json").save(
        their_coco.COCOObjectDetectionInput(root / "ours.json")
    )
    (root / "ours.json").unlink()
    assert ours(coco.read(root))["a.jpg"] == ours(DATASET)["a.jpg"]


def test_labelformat_reads_the_corners_of_our_voc_as_they_are_written(root: Path) -> None:
    voc.write(DATASET, root, root / "out")
    found = theirs(their_voc.PascalVOCObjectDetectionInput(root / "out" / "Annotations", "cat,dog").get_labels())
    from_1 = {
        name: [(category, left + 1, top + 1, right, bottom) for category, left, top, right, bottom in boxes]
        for name, boxes in ours(DATASET).items()
    }
    assert found == from_1


def test_we_read_the_voc_of_labelformat_as_edges_where_a_corner_is_at_0(root: Path) -> None:
    coco.write(DATASET, root / "ours.json")
    source = their_coco.COCOObjectDetectionInput(root / "ours.json")
    their_voc.PascalVOCObjectDetectionOutput(root / "out").save(source)
    assert ours(voc.read(root))["a.jpg"] == ours(DATASET)["a.jpg"]


def test_we_read_cvat_as_labelformat_does(root: Path) -> None:
    path = put_text(
        root,
        "annotations.xml",
        "<annotations><meta><task><labels><label><name>dog</name></label><label><name>cat</name></label></labels>"
        '</task></meta><image id="0" name="a.jpg" width="64" height="48">'
        '<box label="cat" xtl="4.5" ytl="5" xbr="24" ybr="15"/>'
        '<box label="dog" xtl="0" ytl="0" xbr="64" ybr="48"/></image>'
        '<image id="1" name="b.jpg" width="64" height="48"/></annotations>',
    )
    assert ours(cvat.read(root)) == theirs(their_cvat.CVATObjectDetectionInput(path).get_labels())
