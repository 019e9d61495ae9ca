"""CVAT's XML for images: boxes, polygons and masks are read, everything else is refused by name."""

from pathlib import Path

import numpy as np
import pytest

from cv_yolo.adapters.formats import cvat
from cv_yolo.adapters.formats.outlines import run_lengths
from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.domain.data.manifest import Split
from tests.annotation_files import CVAT_LABELS, SIZE, findings, picture, pictures, put_text, refusal

BOX = '<box label="cat" source="manual" occluded="0" xtl="4.5" ytl="5" xbr="24" ybr="15.25" z_order="0"/>'


def put(root: Path, inside: str = BOX, *, name: str = "a.jpg", more: str = "", meta: str = CVAT_LABELS) -> None:
    """A file of CVAT with one image."""
    image = f'<image id="0" name="{name}" width="{SIZE[0]}" height="{SIZE[1]}" {more}>{inside}</image>'
    text = f'<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version>{meta}{image}</annotations>'
    put_text(root, "annotations.xml", text)


def read(root: Path, inside: str = BOX, *, more: str = "") -> AnnotatedDataset:
    picture(root, "a.jpg")
    put(root, inside, more=more)
    return cvat.read(root)


def test_a_box_is_read_with_the_labels_in_their_order(tmp_path: Path) -> None:
    dataset = read(tmp_path)
    assert cvat.detect(tmp_path)
    (found,) = dataset.images[0].objects
    assert (found.category, found.xywh) == ("cat", (4.5, 5, 19.5, 10.25))
    assert found.place == "annotations.xml: image 1: box 1"
    assert (dataset.classes, dataset.findings) == (("dog", "cat"), ())


def test_a_label_that_the_file_does_not_declare_is_a_class_too(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put(tmp_path, meta="")
    assert cvat.read(tmp_path).classes == ("cat",)


def test_a_turned_box_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    dataset = read(tmp_path, '<box label="cat" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>')
    assert dataset.images[0].objects[0].xywh == pytest.approx((15, 5, 10, 20))
    assert findings(dataset) == {"rotated_boxes": ("annotations.xml: image 1: box 1",)}


def test_a_polygon_is_an_object_with_an_outline(tmp_path: Path) -> None:
    dataset = read(tmp_path, '<polygon label="dog" points="1.5,2;11,2;11,8.5"/>')
    (found,) = dataset.images[0].objects
    assert (found.xywh, found.segmentation) == ((1.5, 2, 9.5, 6.5), [[1.5, 2, 11, 2, 11, 8.5]])
    assert list(findings(dataset)) == ["objects_without_a_box"]


def test_a_mask_is_an_object_with_run_lengths_of_the_whole_image(tmp_path: Path) -> None:
    dataset = read(tmp_path, '<mask label="dog" rle="1, 2, 1, 2" left="10" top="20" width="3" height="2"/>')
    (found,) = dataset.images[0].objects
    runs = run_lengths(found.segmentation, "")
    pixels = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(SIZE[1], SIZE[0], order="F")
    expected = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
    expected[20:22, 10:13] = [[False, True, True], [False, True, True]]
    assert (pixels == expected).all()
    assert found.xywh == (11, 20, 2, 2)


def test_a_mask_over_the_whole_image_is_read(tmp_path: Path) -> None:
    rle = f"0, {SIZE[0] * SIZE[1]}"
    dataset = read(tmp_path, f'<mask label="dog" rle="{rle}" left="0" top="0" width="{SIZE[0]}" height="{SIZE[1]}"/>')
    assert dataset.images[0].objects[0].xywh == (0, 0, *SIZE)


def test_subsets_are_splits_else_the_folders_are(tmp_path: Path) -> None:
    pictures(tmp_path, ["images/Validation/a.jpg", "images/train/b.jpg", "images/default/c.jpg"])
    texts = [
        f'<image name="{name}" subset="{subset}"/>'
        for name, subset in (("a.jpg", "Validation"), ("b.jpg", ""), ("c.jpg", "default"))
    ]
    put_text(tmp_path, "annotations.xml", f"<annotations>{''.join(texts)}</annotations>")
    images = {image.path: image.split for image in cvat.read(tmp_path).images}
    assert images == {
        "images/Validation/a.jpg": Split.VAL,
        "images/train/b.jpg": Split.TRAIN,
        "images/default/c.jpg": None,
    }


def test_attributes_of_objects_are_kept_where_we_know_them_and_counted_otherwise(tmp_path: Path) -> None:
    attributes = (
        '<attribute name="difficult">true</attribute><attribute name="is_crowd">1</attribute>'
        '<attribute name="colour">red</attribute>'
    )
    dataset = read(tmp_path, BOX.replace("/>", f">{attributes}</box>") + BOX)
    first, second = dataset.images[0].objects
    assert (first.is_difficult, first.is_crowd) == (True, True)
    assert (second.is_difficult, second.is_crowd) == (False, False)
    assert dataset.findings[0].sentence.startswith("1 annotation ignored: attribute colour")


def test_tags_become_attributes_of_the_image(tmp_path: Path) -> None:
    tag = '<tag label="night"><attribute name="weather">rain</attribute></tag>'
    assert read(tmp_path, tag).images[0].attributes == {"night": "yes", "weather": "rain"}


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ('<cuboid label="cat"/>', "annotations.xml: image 1: cuboid 1: has no box"),
        (BOX + '<points label="cat" points="1,2"/>', "image 1: points 2: has no box"),
        ('<ellipse label="cat" cx="1"/>', "ellipse 1: has no box"),
        ('<thing label="cat"/>', "thing 1: expected a box, a polygon or a mask"),
        (BOX.replace('xtl="4.5"', 'xtl="4,5"'), "xtl is '4,5', expected a finite number: write a decimal point"),
        (BOX.replace('xtl="4.5"', ""), "xtl is '', expected a finite number"),
        (BOX.replace('xtl="4.5"', 'xtl="25"'), "a box of negative width: 25, 5, -1, 10.25"),
        (BOX.replace('label="cat"', ""), "label is missing, expected a text"),
        (BOX.replace("z_order", "rotation").replace('"0"/>', '"x"/>'), "rotation is 'x', expected a finite number"),
        ('<polygon label="cat" points="1,2;3,4"/>', "polygon 1: fewer than three points"),
        ('<polygon label="cat" points="1,2;3"/>', "points[0] is a list of 3, expected the numbers"),
        ('<polygon label="cat" points=""/>', "points is '', expected a finite number"),
        (
            '<mask label="cat" rle="1,2" left="0" top="0" width="9" height="9"/>',
            "run lengths do not fill 9 x 9 px at 0, 0",
        ),
        ('<mask label="cat" rle="81" left="60" top="0" width="9" height="9"/>', "do not fill 9 x 9 px at 60, 0"),
        ('<mask label="cat" rle="82,-1" left="0" top="0" width="9" height="9"/>', "do not fill 9 x 9 px"),
        ('<mask label="cat" rle="81" left="0" top="0" width="9" height="9"/>', "an empty mask"),
        ('<mask label="cat" rle="1e99" left="0" top="0" width="1e60" height="1e39"/>', "do not fill"),
        ('<tag label="a"><attribute name="b"/></tag>', "an attribute is missing, expected a text"),
    ],
)
def test_an_object_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, inside: str, message: str) -> None:
    picture(tmp_path, "a.jpg")
    put(tmp_path, inside)
    assert message in refusal(cvat.read, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><image/></annotations>", "image 1: name is missing, expected a text"),
        ('<annotations><image name="b.jpg"/></annotations>', "image 1: the image b.jpg is not in"),
        ('<annotations><image name="a.jpg" width="9" height="8"/></annotations>', "annotated as 9 x 8 px"),
        ('<annotations><image name="a.jpg" width="x" height="8"/></annotations>', "width is 'x', expected a finite"),
        ('<annotations><image name="a.jpg"/>', "annotations.xml: not XML: no element found"),
        ('<annotations><track id="0" label="cat"/></annotations>', "export the task as `CVAT for images 1.1`"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotations><image/></annotations>', "declares a document type (DTD)"),
        ("<annotations><meta><label><name/></label></meta></annotations>", "a label's name is '', expected a text"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path, "a.jpg")
    put_text(tmp_path, "annotations.xml", text)
    assert message in refusal(cvat.read, tmp_path)


def test_all_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put(tmp_path, '<cuboid label="cat"/>' * 2)
    put_text(tmp_path, "more.xml", '<annotations><image name="b.jpg"/><image name="c.jpg"/></annotations>')
    assert "the data set has 4 problems" in refusal(cvat.read, tmp_path)


@pytest.mark.parametrize("text", ["<annotation></annotation>", "<annotations></annotations>", "", "<image/>"])
def test_a_folder_without_a_file_of_cvat_is_none(tmp_path: Path, text: str) -> None:
    put_text(tmp_path, "annotations.xml", text)
    assert not cvat.detect(tmp_path)
    assert "no annotations of CVAT" in refusal(cvat.read, tmp_path)
