"""Pascal VOC's XML: read in the layouts that people have, refused by name, written so that it reads back exactly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.adapters.formats import voc
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.manifest import Split
from tests.annotation_files import (
    SIZE,
    findings,
    picture,
    pictures,
    put_text,
    put_voc,
    refusal,
    voc_object,
)

WHOLE = (1, 1, 64, 48)


def kit(root: Path) -> None:
    """The layout of VOC's kit, with three images of three splits and one of none."""
    for name in ("000001", "000002", "000003", "000004"):
        picture(root, f"VOC2007/JPEGImages/{name}.jpg")
        put_voc(root, f"VOC2007/Annotations/{name}.xml", voc_object())
    for split, text in (("train", "000001\n"), ("val", "\ufeff000002 -1\r\n\r\n"), ("test", "000003.jpg  1\n")):
        put_text(root, f"VOC2007/ImageSets/Main/{split}.txt", text)
    put_text(root, "VOC2007/ImageSets/Main/trainval.txt", "000001\n000002\n")
    put_text(root, "VOC2007/ImageSets/Main/cat_train.txt", "000001 -1\n")
    put_text(root, "VOC2007/ImageSets/Layout/val.txt", "000001 1\n")


def boxes(dataset: AnnotatedDataset) -> list[tuple[float, float, float, float]]:
    return [each.xywh for image in dataset.images for each in image.objects]


def test_the_layout_of_the_kit_is_read_with_its_splits(tmp_path: Path) -> None:
    kit(tmp_path)
    dataset = voc.read(tmp_path)
    assert voc.detect(tmp_path)
    assert [image.split for image in dataset.images] == [Split.TRAIN, Split.VAL, Split.TEST, None]
    assert dataset.images[0].path == "VOC2007/JPEGImages/000001.jpg"
    assert dataset.images[0].objects[0].place == "VOC2007/Annotations/000001.xml: object 1"
    assert (dataset.classes, dataset.findings, dataset.category_ids) == (("cat",), (), {})


def test_corners_are_counted_from_1_and_both_inclusive(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put_voc(tmp_path, "a.xml", voc_object(WHOLE) + voc_object((5, 6, 5, 6)) + voc_object(("5.5", " 6.25 ", "1e1", 8)))
    assert boxes(voc.read(tmp_path)) == [(0, 0, 64, 48), (4, 5, 1, 1), (4.5, 5.25, 5.5, 2.75)]


def test_a_corner_at_0_says_that_the_source_writes_edges(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "b.jpg"])
    put_voc(tmp_path, "a.xml", voc_object((5, 6, 24, 15)))
    put_voc(tmp_path, "b.xml", voc_object((0, 0, 64, 48)))
    dataset = voc.read(tmp_path)
    assert boxes(dataset) == [(5, 6, 19, 9), (0, 0, 64, 48)]
    assert findings(dataset) == {"corners_counted_from_zero": ("b.xml: object 1",)}


def test_a_source_of_cvat_is_read_as_edges_without_a_corner_at_0(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "b.jpg"])
    put_voc(tmp_path, "a.xml", voc_object((4.5, 6, 24, 15)))
    put_voc(tmp_path, "b.xml", voc_object((5, 6, 24, 15), inside="<attributes/>"))
    dataset = voc.read(tmp_path)
    assert boxes(dataset) == [(4.5, 6, 19.5, 9), (5, 6, 19, 9)]
    assert dataset.findings == ()


def test_a_box_over_the_edge_says_nothing_about_the_corners(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put_voc(tmp_path, "a.xml", voc_object((-3, 1, 70, 48)))
    assert boxes(voc.read(tmp_path)) == [(-4, 0, 74, 48)]


def test_difficult_objects_are_marked_and_parts_are_passed_over(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    put_voc(tmp_path, "a.xml", voc_object(inside="<difficult>1</difficult><truncated>1</truncated>" + part))
    (found,) = voc.read(tmp_path).images[0].objects
    assert (found.category, found.is_difficult, found.is_crowd) == ("cat", True, False)


def test_the_layout_of_roboflow_is_read_with_the_splits_of_its_folders(tmp_path: Path) -> None:
    for folder in ("train", "valid", "test"):
        picture(tmp_path, f"{folder}/a_jpg.rf.1.jpg")
        put_voc(tmp_path, f"{folder}/a_jpg.rf.1.xml", voc_object())
    dataset = voc.read(tmp_path)
    assert {image.path.split("/")[0]: image.split for image in dataset.images} == {
        "train": Split.TRAIN,
        "valid": Split.VAL,
        "test": Split.TEST,
    }


def test_images_in_a_folder_beside_are_found_near_their_annotations(tmp_path: Path) -> None:
    for folder in ("site1", "site2"):
        picture(tmp_path, f"{folder}/images/a.jpg")
        put_voc(tmp_path, f"{folder}/annotations/a.xml", voc_object())
    assert [image.path for image in voc.read(tmp_path).images] == ["site1/images/a.jpg", "site2/images/a.jpg"]


def test_lists_name_images_by_folder_with_spaces_and_in_quotes(tmp_path: Path) -> None:
    for name in ("a b", "more/c"):
        picture(tmp_path, f"JPEGImages/{name}.jpg")
        put_voc(tmp_path, f"Annotations/{name}.xml", voc_object())
    picture(tmp_path, "JPEGImages/plain.jpg")
    put_text(tmp_path, "ImageSets/Main/train.txt", '"a b"\nplain\n')
    put_text(tmp_path, "ImageSets/Main/val.txt", "more/c\n")
    dataset = voc.read(tmp_path)
    assert [image.split for image in dataset.images] == [Split.TRAIN, Split.VAL]
    assert findings(dataset) == {"images_without_annotations": ("JPEGImages/plain.jpg",)}


def test_an_image_without_objects_is_a_negative(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put_voc(tmp_path, "a.xml")
    assert voc.read(tmp_path).images[0].objects == ()


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_a_size_that_is_missing_is_that_of_the_picture(tmp_path: Path, size: tuple[int, int] | None) -> None:
    picture(tmp_path, "a.jpg")
    put_voc(tmp_path, "a.xml", size=size)
    image = voc.read(tmp_path).images[0]
    assert (image.width_px, image.height_px) == SIZE


def test_the_image_is_that_of_the_annotations_name_whatever_filename_says(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "b.png", "b.jpg", "c.jpg"])
    put_voc(tmp_path, "a.xml", file_name="IMG_0001.jpg")
    put_voc(tmp_path, "b.xml", file_name="C:\\pictures\\b.png")
    put_voc(tmp_path, "c.jpg.xml", file_name="c.jpg")
    dataset = voc.read(tmp_path)
    assert [image.path for image in dataset.images] == ["a.jpg", "b.png", "c.jpg"]
    assert findings(dataset)["other_file_names"] == ("a.xml",)


def test_an_image_of_another_name_is_found_by_filename(tmp_path: Path) -> None:
    picture(tmp_path, "images/IMG_1.jpg")
    put_voc(tmp_path, "a.xml", file_name="/home/somebody/IMG_1.jpg")
    assert [image.path for image in voc.read(tmp_path).images] == ["images/IMG_1.jpg"]


def test_a_box_that_cvat_turned_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    turned = "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>"
    put_voc(tmp_path, "a.xml", voc_object((10, 10, 30, 20), inside=turned))
    dataset = voc.read(tmp_path)
    assert boxes(dataset) == [pytest.approx((15, 5, 10, 20))]
    assert findings(dataset) == {"rotated_boxes": ("a.xml: object 1",)}


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        (voc_object(("x", 1, 2, 3)), "a.xml: object 1: xmin is 'x', expected a finite number"),
        (voc_object(("1,5", 1, 2, 3)), "xmin is '1,5', expected a finite number: write a decimal point, not a comma"),
        (voc_object((1, "nan", 2, 3)), "ymin is 'nan', expected a finite number"),
        (voc_object((1, 1, "1_0", 3)), "xmax is '1_0', expected a finite number"),
        (voc_object((1, 1, "٣", 3)), "xmax is '٣', expected a finite number"),
        (voc_object((1, 1, "", 3)), "xmax is '', expected a finite number"),
        (voc_object((9, 1, 2, 3)), "a box of negative width: 8, 0, -6, 3"),
        (voc_object((90, 1, 92, 3)), "a box outside of its image (64 x 48 px)"),
        (voc_object(name=" "), "name is ' ', expected a text of one line"),
        (voc_object(inside="<difficult>maybe</difficult>"), "difficult is 'maybe', expected 0 or 1"),
        ("<object><name>cat</name><robndbox><cx>1</cx></robndbox></object>", "no <bndbox>, only name, robndbox"),
        ("<object/>", "no <bndbox>, only nothing"),
        (voc_object() + voc_object(("x", 1, 2, 3)), "a.xml: object 2: xmin is 'x'"),
    ],
)
def test_an_object_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, objects: str, message: str) -> None:
    picture(tmp_path, "a.jpg")
    put_voc(tmp_path, "a.xml", objects)
    assert message in refusal(voc.read, tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", "a.xml: not XML: no element found"),
        ("<annotation>\0</annotation>", "a.xml: not XML: "),
        ('<?xml version="1.0" encoding="nonsense"?><annotation></annotation>', "a.xml: not XML: "),
        ('<!DOCTYPE a [<!ENTITY x "y">]><annotation>&x;</annotation>', "declares a document type (DTD) or entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation></annotation>', "declares a document type (DTD)"),
        ("<a><annotation></annotation></a>", "the root is <a>, expected <annotation>"),
        ("<annotation><size><width>x</width></size></annotation>", "size width is 'x', expected a finite number"),
        ("<annotation><size><width>1.5</width><height>2</height></size></annotation>", "size 1.5 x 2, expected whole"),
        ("<annotation><size><width>9</width><height>2</height></size></annotation>", "annotated as 9 x 2 px"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, text: str, message: str) -> None:
    picture(tmp_path, "a.jpg")
    put_text(tmp_path, "a.xml", text)
    assert message in refusal(voc.read, tmp_path)


def test_all_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    kit(tmp_path)
    put_voc(tmp_path, "VOC2007/Annotations/000001.xml", voc_object(("x", 1, 2, 3)))
    put_text(tmp_path, "VOC2007/Annotations/000005.xml", "<annotation><object/></annotation>")
    put_voc(tmp_path, "VOC2007/Annotations/000006.xml")
    put_text(tmp_path, "VOC2007/ImageSets/Main/test.txt", "000002\n000099\n")
    put_text(tmp_path, "VOC2007/ImageSets/Main/train.txt", b"\xff")
    said = refusal(voc.read, tmp_path)
    for each in (
        "Annotations/000001.xml: object 1: xmin is 'x'",
        "Annotations/000005.xml: object 1: no <bndbox>, only nothing",
        "Annotations/000005.xml: no image of the name 000005, and no <filename>",
        "Annotations/000006.xml: the image 000006.jpg is not in",
        "Main/val.txt:1: 000002 is in the list of test too",
        "Main/test.txt:2: 000099 has neither an annotation nor an image",
        "Main/train.txt: not a text in UTF-8",
    ):
        assert each in said


def test_two_images_of_one_name_are_ambiguous_where_filename_names_neither(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "a.png"])
    put_voc(tmp_path, "a.xml", file_name="b.jpg")
    assert "a.xml: may be of a.jpg or a.png [name the image in <filename>]" in refusal(voc.read, tmp_path)


@pytest.mark.parametrize("text", ["<annotations></annotations>", "", "<html></html>"])
def test_a_folder_without_annotations_of_voc_is_none(tmp_path: Path, text: str) -> None:
    put_text(tmp_path, "a.xml", text)
    assert not voc.detect(tmp_path)
    assert "no Pascal VOC annotations" in refusal(voc.read, tmp_path)


def test_files_that_cannot_be_parsed_are_refused_though_no_other_is_there(tmp_path: Path) -> None:
    put_text(tmp_path, "a.xml", "<annotation>")
    assert "a.xml: not XML" in refusal(voc.read, tmp_path)


# What is written

COORDINATE = st.integers(-10_000_000, 70_000_000).map(lambda number: number / 1_000_000)
LENGTH = st.integers(0, 40_000_000).map(lambda number: number / 1_000_000)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp", "Zs"]), min_size=1, max_size=6
)


@st.composite
def objects(draw: st.DrawFn) -> AnnotatedObject:
    x, y = draw(st.tuples(COORDINATE.filter(lambda x: x <= SIZE[0]), COORDINATE.filter(lambda y: y <= SIZE[1])))
    width, height = max(draw(LENGTH), -x), max(draw(LENGTH), -y)
    return AnnotatedObject(category=draw(NAMES), xywh=(x, y, width, height), is_difficult=draw(st.booleans()))


@given(st.lists(objects(), max_size=4))
def test_whatever_is_written_is_read_as_the_same(
    tmp_path_factory: pytest.TempPathFactory, found: list[AnnotatedObject]
) -> None:
    root = tmp_path_factory.mktemp("source")
    picture(root, "images/train/a.png")
    image = ImageAnnotations(
        path="images/train/a.png", width_px=SIZE[0], height_px=SIZE[1], objects=tuple(found), split=Split.TRAIN
    )
    voc.write(AnnotatedDataset(classes=("any",), images=(image,)), root, root / "first")
    first = voc.read(root / "first")
    for expected, each in zip(found, first.images[0].objects, strict=True):
        left, top = max(expected.xywh[0], 0), max(expected.xywh[1], 0)
        right = min(expected.xywh[0] + expected.xywh[2], SIZE[0])
        bottom = min(expected.xywh[1] + expected.xywh[3], SIZE[1])
        assert each.xywh == pytest.approx((left, top, right - left, bottom - top), abs=1e-9)
        assert (each.category, each.is_difficult) == (expected.category, expected.is_difficult)
    voc.write(first, root / "first", root / "second")
    assert voc.read(root / "second").images == first.images


def test_an_export_has_the_layout_of_the_kit(tmp_path: Path) -> None:
    pictures(
        tmp_path, ["images/train/a.png", "images/val/a.png", "images/val/b.png", "images_val/a.png", "images/val_a.png"]
    )
    images = tuple(
        ImageAnnotations(path=path, width_px=64, height_px=48, split=split)
        for path, split in (
            ("images/train/a.png", Split.TRAIN),
            ("images/val/a.png", Split.VAL),
            ("images/val/b.png", Split.VAL),
            ("images_val/a.png", None),
            ("images/val_a.png", None),
        )
    )
    out = tmp_path / "out"
    voc.write(AnnotatedDataset(classes=("cat",), images=images), tmp_path, out)
    names = ["b", "images_train_a", "images_val_a", "images_val_a_2", "val_a"]
    assert sorted(path.stem for path in (out / "Annotations").iterdir()) == names
    assert sorted(path.name for path in (out / "JPEGImages").iterdir()) == [f"{name}.png" for name in names]
    assert (out / "ImageSets" / "Main" / "val.txt").read_text() == "images_val_a\nb\n"
    assert [image.split for image in voc.read(out).images] == [Split.VAL, Split.TRAIN, Split.VAL, None, None]


def test_crowds_are_written_as_difficult_and_whole_numbers_as_such(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    crowd = AnnotatedObject(category="<cat & dog>", xywh=(0, 0, 10.0, 20.5), is_crowd=True)
    image = ImageAnnotations(path="a.jpg", width_px=64, height_px=48, objects=(crowd,))
    voc.write(AnnotatedDataset(classes=("<cat & dog>",), images=(image,)), tmp_path, tmp_path / "out")
    text = (tmp_path / "out" / "Annotations" / "a.xml").read_text()
    for each in ("<xmin>1</xmin>", "<xmax>10</xmax>", "<ymax>20.5</ymax>", "<difficult>1</difficult>"):
        assert each in text
    assert voc.read(tmp_path / "out").classes == ("<cat & dog>",)


def test_a_name_that_xml_cannot_hold_is_refused(tmp_path: Path) -> None:
    image = ImageAnnotations(
        path="a.jpg", width_px=64, height_px=48, objects=(AnnotatedObject(category="\uffff", xywh=(0, 0, 1, 1)),)
    )
    dataset = AnnotatedDataset(classes=("\uffff",), images=(image,))
    assert "has a character that XML cannot hold" in refusal(
        lambda root: voc.write(dataset, root, root / "out"), tmp_path
    )
