"""COCO's JSON: read as people have it, refused by name, and written so that nothing is lost."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cv_yolo.adapters.formats import coco
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.manifest import Split
from tests.annotation_files import (
    SIZE,
    annotation,
    coco_content,
    findings,
    picture,
    pictures,
    put_json,
    put_text,
    refusal,
    without_places,
)

VAL2014 = Path(__file__).parents[5] / "shared" / "data" / "coco-val2014-100" / "annotations.json"


def read(root: Path, annotations: list[dict[str, Any]], **changed: Any) -> AnnotatedDataset:
    """What is read of one file with these annotations; there is a picture `a.jpg`."""
    picture(root, "a.jpg")
    put_json(root, "result.json", coco_content(annotations, **changed))
    return coco.read(root)


def refused(root: Path, annotations: list[dict[str, Any]], **changed: Any) -> str:
    """Why one file with these annotations is refused."""
    return refusal(lambda root: read(root, annotations, **changed), root)


def listed(name: str, image_id: object = 1, **more: Any) -> dict[str, Any]:
    """An image as a COCO file lists it."""
    return {"id": image_id, "file_name": name, "width": SIZE[0], "height": SIZE[1]} | more


@pytest.fixture
def val2014(tmp_path: Path) -> Path:
    """COCO's 100 demo images of val2014 as blank pictures, with their real annotations."""
    if not VAL2014.is_file():
        pytest.skip(f"{VAL2014} is not there: ../shared/data/coco-val2014-100, beside the project")
    content = json.loads(VAL2014.read_bytes())
    put_json(tmp_path, "annotations/instances_val2014.json", content)
    (tmp_path / "val2014").mkdir()
    for image in content["images"]:
        Image.new("L", (image["width"], image["height"])).save(tmp_path / "val2014" / image["file_name"])
    return tmp_path


# What is read


def test_one_image_with_one_object_is_read(tmp_path: Path) -> None:
    dataset = read(tmp_path, [annotation(category_id=2)])
    assert coco.detect(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert dataset.category_ids == {"cat": 1, "dog": 2}
    (image,) = dataset.images
    (found,) = image.objects
    assert (found.category, found.xywh, found.area_px2) == ("dog", (4, 5, 20, 10), 200)
    assert found.place == "result.json: annotation 1"


def test_real_annotations_are_equal_after_an_export(val2014: Path) -> None:
    first = coco.read(val2014)
    assert sum(len(image.objects) for image in first.images) == 839
    assert sum(each.is_crowd for image in first.images for each in image.objects) == 9
    assert {image.split for image in first.images} == {Split.VAL}
    coco.write(first, val2014 / "annotations" / "instances_val2014.json")
    again = coco.read(val2014)
    assert without_places(again) == without_places(first)
    assert (again.classes, again.category_ids) == (first.classes, first.category_ids)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pycocotools.*")
def test_pycocotools_reads_the_same_from_an_export(val2014: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = pytest.importorskip("pycocotools.coco").COCO
    out = val2014 / "export.json"
    coco.write(coco.read(val2014), out)
    ours, theirs = load(out), load(VAL2014)
    capsys.readouterr()
    names = {image["file_name"].rpartition("/")[2]: image["id"] for image in ours.dataset["images"]}
    for image in theirs.dataset["images"]:
        expected = theirs.loadAnns(theirs.getAnnIds(image["id"]))
        found = ours.loadAnns(ours.getAnnIds(names[image["file_name"]]))
        keys = ("bbox", "area", "iscrowd", "category_id", "segmentation")
        assert [[each[key] for key in keys] for each in found] == [[each[key] for key in keys] for each in expected]
        assert all((ours.annToMask(a) == theirs.annToMask(b)).all() for a, b in zip(found, expected, strict=True))


def test_ids_have_gaps_begin_at_zero_or_are_texts(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "b.jpg"])
    content = coco_content(
        [annotation(id=0, image_id="7", category_id="0"), annotation(id="x-1", image_id=0, category_id=90.0)],
        images=[listed("a.jpg", 7), listed("b.jpg", "0")],
        categories=[{"id": 0, "name": "cat"}, {"id": "90", "name": "dog"}],
    )
    put_json(tmp_path, "result.json", content)
    dataset = coco.read(tmp_path)
    assert [[each.category for each in image.objects] for image in dataset.images] == [["cat"], ["dog"]]
    assert dataset.category_ids == {"cat": 0, "dog": 90}


def test_ids_of_categories_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    categories = [{"id": "c", "name": "cat"}]
    dataset = read(tmp_path, [annotation(category_id="c")], categories=categories)
    assert dataset.category_ids == {}


def test_crowds_areas_outlines_and_difficult_ones_are_kept(tmp_path: Path) -> None:
    outline = [[4, 5, 24, 5, 24, 15.5]]
    runs = {"size": [48, 64], "counts": [0, 5, 48 * 64 - 5]}
    dataset = read(
        tmp_path,
        [
            annotation(id=1, segmentation=outline, area=100.25),
            annotation(id=2, segmentation=runs, iscrowd=1),
            annotation(id=3, difficult=True, iscrowd="0", area=None, segmentation=[]),
        ],
    )
    first, second, third = dataset.images[0].objects
    assert (first.segmentation, first.area_px2) == (outline, 100.25)
    assert (second.segmentation, second.is_crowd) == (runs, True)
    assert (third.is_difficult, third.is_crowd, third.area_px2, third.segmentation) == (True, False, None, None)


def test_an_image_without_annotations_is_a_negative(tmp_path: Path) -> None:
    assert read(tmp_path, []).images[0].objects == ()


@pytest.mark.parametrize(
    ("files", "images"),
    [
        (["annotations/instances_{}2017.json"], "{}2017/{}.jpg"),
        (["annotations/instances_{}2017.json"], "images/{}2017/{}.jpg"),
        (["{}/_annotations.coco.json"], "{}/{}.jpg"),
        (["{}.json"], "images/{}/{}.jpg"),
        (["annotations/{}_annotations.json"], "images/{}_set/{}.jpg"),
    ],
)
def test_splits_are_found_by_the_names_of_files_and_folders(tmp_path: Path, files: list[str], images: str) -> None:
    for split in ("train", "val", "test"):
        picture(tmp_path, images.format(split, "same"))
        put_json(tmp_path, files[0].format(split), coco_content([annotation()], images=[listed("same.jpg")]))
    dataset = coco.read(tmp_path)
    expected = {images.format(split, "same"): split for split in ("train", "val", "test")}
    assert {image.path: image.split for image in dataset.images} == expected
    assert dataset.findings == ()


def test_one_file_over_folders_of_splits_takes_the_splits_from_the_folders(tmp_path: Path) -> None:
    pictures(tmp_path, ["training/a.jpg", "valid/a.jpg", "more/a.jpg"])
    images = [listed(f"{folder}/a.jpg", folder) for folder in ("training", "valid", "more")]
    put_json(tmp_path, "all.json", coco_content(images=images))
    assert [image.split for image in coco.read(tmp_path).images] == [None, Split.TRAIN, Split.VAL]


@pytest.mark.parametrize(
    "reference",
    [
        "/home/somebody/project/images/a.jpg",
        "C:\\data\\images\\a.jpg",
        "images\\a.jpg",
        "./images/a.jpg",
        "https://example.org/bucket/a.jpg?X-Amz-Signature=1",
        "s3://bucket/images/a.jpg",
        "https://[/a.jpg",
    ],
)
def test_an_image_is_found_by_what_tools_write(tmp_path: Path, reference: str) -> None:
    picture(tmp_path, "images/a.jpg")
    put_json(tmp_path, "result.json", coco_content(images=[listed(reference)]))
    assert [image.path for image in coco.read(tmp_path).images] == ["images/a.jpg"]


def test_an_image_of_lvis_is_found_by_its_address(tmp_path: Path) -> None:
    picture(tmp_path, "train2017/a.jpg")
    image = {"id": 1, "coco_url": "http://images.example.org/train2017/a.jpg"}
    put_json(tmp_path, "lvis_v1_val.json", coco_content(images=[image]))
    assert [(image.path, image.split) for image in coco.read(tmp_path).images] == [("train2017/a.jpg", Split.VAL)]


def test_an_image_under_a_prefix_or_an_escape_is_found_and_named(tmp_path: Path) -> None:
    pictures(tmp_path, ["images/a.jpg", "images/b c.jpg"])
    images = [listed("images/0a1b2c3d-a.jpg", 1), listed("images/b%20c.jpg", 2)]
    put_json(tmp_path, "result.json", coco_content(images=images))
    found = findings(coco.read(tmp_path))
    assert found == {"other_file_names": ("result.json: images[0]", "result.json: images[1]")}


def test_an_annotation_without_a_box_gets_that_of_its_outline(tmp_path: Path) -> None:
    size = [SIZE[1], SIZE[0]]
    block = np.zeros(size, dtype=bool)
    block[10:20, 5:9] = True
    counts = [5 * 48 + 10, *[10, 38] * 3, 10, 48 * 64 - (8 * 48 + 20)]
    dataset = read(
        tmp_path,
        [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 11, 2, 11, 8], [0, 4, 3, 4, 3, 9]]},
            annotation(id=2, bbox=[], segmentation={"size": size, "counts": counts}),
            annotation(id=3, bbox=None, segmentation={"size": size, "counts": [0, 48 * 64]}),
        ],
    )
    boxes = [each.xywh for each in dataset.images[0].objects]
    assert boxes == [(0, 2, 11, 7), (5, 10, 4, 10), (0, 0, 64, 48)]
    assert list(findings(dataset)) == ["objects_without_a_box"]


def test_a_box_that_cvat_turned_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    dataset = read(tmp_path, [annotation(bbox=[10, 10, 20, 10], attributes={"rotation": 90.0, "occluded": False})])
    assert dataset.images[0].objects[0].xywh == pytest.approx((15, 5, 10, 20))
    assert findings(dataset) == {"rotated_boxes": ("result.json: annotation 1",)}


def test_an_outline_of_two_points_is_left_out_and_its_box_kept(tmp_path: Path) -> None:
    dataset = read(tmp_path, [annotation(segmentation=[[1, 2, 3, 4]])])
    assert dataset.images[0].objects[0].segmentation is None
    assert list(findings(dataset)) == ["outlines_left_out"]


def test_a_flat_polygon_is_taken_for_one(tmp_path: Path) -> None:
    dataset = read(tmp_path, [annotation(segmentation=[1, 2, 3, 4, 5, 6])])
    assert dataset.images[0].objects[0].segmentation == [[1, 2, 3, 4, 5, 6]]


def test_the_class_by_which_roboflow_groups_the_others_is_left_out(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets"},
        {"id": 2, "name": "dog", "supercategory": "pets"},
    ]
    dataset = read(tmp_path, [annotation()], categories=categories)
    assert dataset.classes == ("cat", "dog")
    assert findings(dataset) == {"unused_classes": ("pets",)}
    assert "1 class left out" in dataset.findings[0].sentence


def test_a_group_of_the_same_name_as_its_class_is_no_second_class(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "cat", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "cat"},
    ]
    dataset = read(tmp_path, [annotation()], categories=categories)
    assert (dataset.classes, dataset.category_ids, dataset.findings) == (("cat",), {"cat": 1}, ())


def test_a_group_that_annotations_use_is_a_class(tmp_path: Path) -> None:
    categories = [
        {"id": 0, "name": "pets", "supercategory": "none"},
        {"id": 1, "name": "cat", "supercategory": "pets"},
    ]
    assert read(tmp_path, [annotation(category_id=0)], categories=categories).classes == ("pets", "cat")


def test_files_with_the_same_classes_under_other_ids_are_mapped_by_name(tmp_path: Path) -> None:
    pictures(tmp_path, ["train/a.jpg", "val/a.jpg"])
    put_json(tmp_path, "train/c.json", coco_content([annotation()], images=[listed("a.jpg")]))
    other = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}, {"id": 3, "name": 7}]
    put_json(tmp_path, "val/c.json", coco_content([annotation()], images=[listed("a.jpg")], categories=other))
    dataset = coco.read(tmp_path)
    assert dataset.classes == ("cat", "dog", "7")
    assert dataset.category_ids == {}
    assert [image.objects[0].category for image in dataset.images] == ["cat", "dog"]


def test_files_of_other_tasks_over_the_same_images_are_left_out_by_name(tmp_path: Path) -> None:
    picture(tmp_path, "val2017/a.jpg")
    images = [listed("a.jpg")]
    put_json(tmp_path, "annotations/instances_val2017.json", coco_content([annotation()], images=images))
    for task in ("captions", "person_keypoints", "panoptic"):
        put_json(tmp_path, f"annotations/{task}_val2017.json", coco_content([{"id": 1}], images=images))
    put_json(tmp_path, "annotations/labelme.json", {"shapes": []})
    dataset = coco.read(tmp_path)
    assert len(dataset.images) == 1
    assert dataset.findings[0].count == 3
    assert dataset.findings[0].sentence.startswith("3 annotation files of other tasks than detection ignored")


def test_keypoints_alone_are_read_for_their_boxes(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put_json(tmp_path, "person_keypoints_val2017.json", coco_content([annotation()]))
    assert len(coco.read(tmp_path).images[0].objects) == 1


def test_images_that_are_not_listed_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, ["b.jpg", "more/a.jpg", ".hidden/c.jpg", "__MACOSX/d.jpg"])
    assert findings(read(tmp_path, [])) == {"images_without_annotations": ("b.jpg", "more/a.jpg")}


def test_attributes_and_splits_of_our_own_files_are_read(tmp_path: Path) -> None:
    dataset = read(tmp_path, [], images=[listed("a.jpg", split="test", attributes={"scene": "street", "camera": 3})])
    assert (dataset.images[0].split, dataset.images[0].attributes) == (Split.TEST, {"scene": "street", "camera": "3"})


def test_a_split_that_is_no_split_of_ours_is_that_of_the_folder(tmp_path: Path) -> None:
    assert read(tmp_path, [], images=[listed("a.jpg", split="restval")]).images[0].split is None


def test_the_size_is_that_of_the_picture_where_the_file_gives_none(tmp_path: Path) -> None:
    dataset = read(tmp_path, [], images=[{"id": 1, "file_name": "a.jpg"}])
    assert (dataset.images[0].width_px, dataset.images[0].height_px) == SIZE


def test_a_picture_is_measured_upright(tmp_path: Path) -> None:
    picture(tmp_path, "b.jpg", (48, 64), orientation=6)
    put_json(tmp_path, "c.json", coco_content(images=[listed("b.jpg")]))
    assert (coco.read(tmp_path).images[0].width_px, coco.read(tmp_path).images[0].height_px) == SIZE


def test_json_in_utf_16_or_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    for encoding in ("utf-8-sig", "utf-16"):
        put_text(tmp_path, "result.json", json.dumps(coco_content()).encode(encoding))
        assert len(coco.read(tmp_path).images) == 1


# What is refused


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"bbox": [1, 2, 3]}, "annotation 1: bbox is a list of 3, expected x, y, width, height"),
        ({"bbox": "1 2 3 4"}, "bbox is '1 2 3 4', expected x, y, width, height"),
        ({"bbox": [1, 2, "3", 4]}, "bbox width is '3', expected a number"),
        ({"bbox": [1, 2, True, 4]}, "bbox width is true, expected a number"),
        ({"bbox": [float("nan"), 2, 3, 4]}, "bbox x is nan, expected a finite number"),
        ({"bbox": [1, float("-inf"), 3, 4]}, "bbox y is -inf, expected a finite number"),
        ({"bbox": [1, 2, 10**400, 4]}, "bbox width is 1000"),
        ({"bbox": [1, 2, -3, 4]}, "a box of negative width: 1, 2, -3, 4"),
        ({"bbox": [1, 2, 3, -4]}, "a box of negative height: 1, 2, 3, -4"),
        ({"bbox": [65, 2, 3, 4]}, r"a box outside of its image (64 x 48 px): 65, 2, 3, 4"),
        ({"bbox": [1, -9, 3, 4]}, "a box outside of its image"),
        ({"bbox": None}, "neither a bbox nor an outline"),
        ({"bbox": None, "segmentation": {"size": [48, 64], "counts": [48 * 64]}}, "neither a bbox nor an outline"),
        ({"area": -1}, "area is -1, expected no negative number"),
        ({"area": "9"}, "area is '9', expected a number"),
        ({"iscrowd": 2}, "iscrowd is 2, expected 0 or 1"),
        ({"difficult": "yes"}, "difficult is 'yes', expected 0 or 1"),
        ({"category_id": 5}, "category_id 5 is no category of the file"),
        ({"category_id": None}, "category_id is missing, expected a number"),
        ({"category_id": 1.5}, "category_id is 1.5, expected a whole number"),
        ({"image_id": 9}, "image_id 9 is no image of the file"),
        ({"segmentation": "x"}, "segmentation is 'x', expected polygons or an RLE"),
        ({"segmentation": [[1, 2, 3]]}, "segmentation[0] is a list of 3, expected the numbers x1, y1, x2, y2, …"),
        ({"segmentation": [[1, 2, 3, 4, 5, None]]}, "segmentation[0] is a list of 6, expected the numbers"),
        ({"segmentation": [[1, 2, 3, 4, 5, float("inf")]]}, "segmentation[0] has a number that is not finite"),
        ({"segmentation": [[1, 2, 3, 4, 5, 10**400]]}, "segmentation[0] has a number that is not finite"),
        (
            {"segmentation": {"size": [9, 9], "counts": [81]}},
            "segmentation is an RLE of 9 x 9 px, the image has 64 x 48",
        ),
        ({"segmentation": {"counts": [81]}}, "segmentation is an RLE of missing px"),
        (
            {"segmentation": {"size": [48, 64], "counts": [81]}},
            "segmentation is an RLE of 81 pixels, the image has 3072",
        ),
        (
            {"segmentation": {"size": [48, 64], "counts": [-1]}},
            "segmentation.counts is a list of 1, expected run lengths",
        ),
        ({"segmentation": {"size": [48, 64], "counts": "P"}}, "segmentation.counts is no compressed RLE: it ends"),
        ({"segmentation": {"size": [48, 64], "counts": "é"}}, "segmentation.counts is no compressed RLE: 'é'"),
        ({"segmentation": {"size": [48, 64], "counts": "o"}}, "it ends within a number"),
        ({"segmentation": {"size": [48, 64], "counts": "O"}}, "a run of negative length"),
        ({"attributes": {"rotation": "x"}}, "attributes.rotation is 'x', expected a number"),
    ],
)
def test_an_annotation_that_is_wrong_is_refused_by_what_it_is(
    tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    said = refused(tmp_path, [annotation(**changed)])
    assert said.startswith(f"{tmp_path}/result.json: annotation")
    assert message in said
    assert not said.endswith("[None]")


def test_all_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    said = refused(
        tmp_path,
        [annotation(id=1, bbox=[]), annotation(id=2, category_id=3), annotation(id=2), annotation(id=3, image_id=2)],
        images=[listed("a.jpg"), listed("b.jpg", 2)],
    )
    assert "the data set has 4 problems" in said
    for each in (
        "annotation 1: neither",
        "annotation 2: category_id 3",
        "annotations[2]: the id 2 twice",
        "images[1]: the image b",
    ):
        assert each in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"images": 3, "annotations": []}, "images is 3, expected a list"),
        ({"images": [1], "annotations": []}, "images[0] is 1, expected an object"),
        ({"images": [], "categories": [], "file_name": 1}, "annotations is missing, expected a list"),
        (coco_content(categories=[]), "the COCO files name no categories"),
        (coco_content(categories=[{"id": 1, "name": " "}]), "categories[0]: name is ' ', expected a text of one line"),
        (coco_content(categories=[{"id": 1, "name": "a\nb"}]), r"name is 'a\nb', expected a text of one line"),
        (coco_content(categories=[{"id": 1, "name": "\ud800"}]), r"name is '\ud800', expected a text of one line"),
        (coco_content(categories=[{"id": 1, "name": "a"}] * 2), "categories[1]: the id 1 twice"),
        (
            coco_content(categories=[{"id": 1, "name": "a"}, {"id": 2, "name": "a "}]),
            "two categories are named 'a' [classes are known by their names]",
        ),
        (coco_content(images=[listed("a.jpg"), listed("a.jpg")]), "images[1]: the id 1 twice"),
        (
            coco_content(images=[listed("a.jpg", 1), listed("a.jpg", 2)]),
            "a.jpg is annotated already, in result.json: images[0]",
        ),
        (coco_content(images=[listed("a.jpg", None)]), "id is missing, expected a number"),
        (coco_content(images=[{"id": 1}]), "images[0]: file_name is missing, expected a text"),
        (coco_content(images=[listed("..")]), "the image .. is not in"),
        (coco_content(images=[listed("A.JPG")]), "did you mean a.jpg?"),
        (coco_content(images=[listed("a.png")]), "did you mean a.jpg?"),
        (coco_content(images=[listed("a.jpg", width=10)]), "a.jpg: annotated as 10 x 48 px, the image has 64 x 48 px"),
        (coco_content(images=[listed("a.jpg", width=48, height=64)]), "64 x 48 px: width and height are exchanged"),
        (coco_content(images=[listed("a.jpg", width=None)]), "width is missing, expected a number"),
        (coco_content(images=[listed("a.jpg", attributes={"a": "b\nc"})]), r"attributes.a is 'b\nc', expected a text"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, content: object, message: str) -> None:
    picture(tmp_path, "a.jpg")
    put_json(tmp_path, "result.json", content)
    assert message in refusal(coco.read, tmp_path)


def test_a_category_that_is_refused_does_not_hide_behind_its_annotations(tmp_path: Path) -> None:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "cat"}, {"id": 3, "name": ""}]
    annotations = [annotation(id=index, category_id=index % 3 + 1) for index in range(30)]
    said = refused(tmp_path, annotations, categories=categories)
    assert said.startswith("the data set has 2 problems")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [], "annotations": [', "result.json: not JSON: "),
        ('{"images": [], "annotations": ' + "[" * 100_000, "nested too deeply"),
        ('{"images": [], "images": [], "annotations": []}', "not JSON: the key 'images' twice in one object"),
        ('{"images": [], "annotations": [' + "9" * 5000 + "]}", "not JSON: "),
        (b'{"images": [], "annotations": ["\xff"]}', "not JSON: "),
    ],
)
def test_a_file_that_is_no_json_is_refused_by_name(tmp_path: Path, text: str | bytes, message: str) -> None:
    put_text(tmp_path, "result.json", text)
    assert message in refusal(coco.read, tmp_path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = put_text(tmp_path, "result.json", '{"images": [], "annotations": []')
    with path.open("r+b") as file:
        file.truncate(3_000_000_000)
    assert "result.json: 3.0 GB, the most that is read is 2 GB" in refusal(coco.read, tmp_path)


def test_boxes_that_are_corners_are_refused_as_such(tmp_path: Path) -> None:
    corners = [[10, 10, 60, 40], [30, 20, 50, 44], [2, 3, 64, 48]]
    said = refused(tmp_path, [annotation(id=index, bbox=bbox) for index, bbox in enumerate(corners)])
    assert "result.json: `bbox` seems to hold two corners" in said


def test_a_picture_that_its_tag_turns_is_named_as_such(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg", (64, 48), orientation=8)
    put_json(tmp_path, "result.json", coco_content())
    said = refusal(coco.read, tmp_path)
    assert "a.jpg: annotated as 64 x 48 px, the image has 48 x 64 px: its EXIF orientation turns it" in said


def test_an_image_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    put_text(tmp_path, "a.jpg", "no image")
    put_json(tmp_path, "result.json", coco_content())
    assert "result.json: images[0]: a.jpg: cannot be read as an image" in refusal(coco.read, tmp_path)


def test_an_image_of_several_copies_is_ambiguous(tmp_path: Path) -> None:
    pictures(tmp_path, ["one/a.jpg", "two/a.jpg"])
    put_json(tmp_path, "result.json", coco_content())
    said = refusal(coco.read, tmp_path)
    assert "a.jpg may be any of 2 images: one/a.jpg and two/a.jpg" in said


def test_splits_within_one_folder_are_those_of_the_files(tmp_path: Path) -> None:
    pictures(tmp_path, ["train2017/a.jpg", "train2017/b.jpg"])
    for split, name in (("train", "a.jpg"), ("val", "b.jpg")):
        put_json(tmp_path, f"my_{split}.json", coco_content(images=[listed(name)]))
    found = {image.path: image.split for image in coco.read(tmp_path).images}
    assert found == {"train2017/a.jpg": Split.TRAIN, "train2017/b.jpg": Split.VAL}


@pytest.mark.parametrize("reference", ["a.jpg", "cam1/a.jpg"])
def test_an_image_of_another_folder_is_not_taken_instead(tmp_path: Path, reference: str) -> None:
    pictures(tmp_path, ["val2017/a.jpg", "cam1/b.jpg", "train2017/c.jpg"])
    put_json(tmp_path, "instances_train2017.json", coco_content(images=[listed(reference)]))
    assert "is only in another folder: val2017/a.jpg" in refusal(coco.read, tmp_path)


def test_annotations_without_any_image_are_refused_with_where_to_put_them(tmp_path: Path) -> None:
    put_json(tmp_path, "result.json", coco_content())
    assert "nor any other image [put the images there]" in refusal(coco.read, tmp_path)


def test_an_image_with_a_backslash_in_its_name_is_refused(tmp_path: Path) -> None:
    picture(tmp_path, "a\\b.jpg")
    put_json(tmp_path, "result.json", coco_content(images=[listed("a%5Cb.jpg")]))
    assert "a backslash in the name" in refusal(coco.read, tmp_path)


@pytest.mark.parametrize("content", [[], {"shapes": []}, [{"image_id": 1, "category_id": 1, "bbox": [], "score": 1}]])
def test_a_folder_without_coco_files_is_none(tmp_path: Path, content: object) -> None:
    put_json(tmp_path, "a.json", content)
    assert not coco.detect(tmp_path)
    assert "no COCO annotations of objects [" in refusal(coco.read, tmp_path)


def test_captions_alone_are_refused_by_name(tmp_path: Path) -> None:
    put_json(tmp_path, "captions_val2017.json", coco_content())
    assert "only of other tasks (captions_val2017.json)" in refusal(coco.read, tmp_path)


# What is written

SIDE = st.integers(0, 40_000_000).map(lambda number: number / 1_000_000)
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp", "Zs"]), min_size=1, max_size=8)


@st.composite
def objects(draw: st.DrawFn, classes: tuple[str, ...]) -> AnnotatedObject:
    x, y, width, height = draw(st.tuples(SIDE, SIDE, SIDE, SIDE))
    polygon = [[x, y, x + width, y, x + width, y + height]]
    runs = {"size": [SIZE[1], SIZE[0]], "counts": [7, 5, SIZE[0] * SIZE[1] - 12]}
    return AnnotatedObject(
        category=draw(st.sampled_from(classes)),
        xywh=(x, y, width, height),
        is_crowd=draw(st.booleans()),
        is_difficult=draw(st.booleans()),
        area_px2=draw(SIDE),
        segmentation=draw(st.sampled_from([None, polygon, runs])),
    )


@st.composite
def datasets(draw: st.DrawFn) -> AnnotatedDataset:
    classes = tuple(draw(st.lists(NAMES, min_size=1, max_size=4, unique=True)))
    count = draw(st.integers(0, 4))
    images = tuple(
        ImageAnnotations(
            path=f"{number}.png",
            width_px=SIZE[0],
            height_px=SIZE[1],
            objects=tuple(draw(st.lists(objects(classes), max_size=3))),
            split=draw(st.sampled_from([None, *Split])),
            attributes=draw(st.dictionaries(NAMES, NAMES, max_size=2)),
        )
        for number in range(count)
    )
    return AnnotatedDataset(
        classes=classes, images=images, category_ids={name: 3 * index for index, name in enumerate(classes)}
    )


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("blank")
    pictures(root, [f"{number}.png" for number in range(4)])
    return root


@given(datasets())
def test_whatever_is_written_is_read_as_the_same(blank: Path, dataset: AnnotatedDataset) -> None:
    coco.write(dataset, blank / "annotations.json")
    again = coco.read(blank)
    assert without_places(again) == without_places(dataset)
    assert (again.classes, again.category_ids) == (dataset.classes, dataset.category_ids)


def test_classes_without_an_id_get_the_next_ones(tmp_path: Path) -> None:
    image = ImageAnnotations(
        path="a.jpg", width_px=4, height_px=2, objects=(AnnotatedObject(category="b", xywh=(0, 0, 2, 3)),)
    )
    coco.write(AnnotatedDataset(classes=("a", "b"), images=(image,), category_ids={"a": 17}), tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["categories"] == [{"id": 17, "name": "a"}, {"id": 18, "name": "b"}]
    (found,) = written["annotations"]
    assert (found["area"], found["segmentation"], found["category_id"]) == (6, [], 18)
    coco.write(AnnotatedDataset(classes=("a", "b"), images=(image,)), tmp_path / "out.json")
    written = json.loads((tmp_path / "out.json").read_text())
    assert [each["id"] for each in written["categories"]] == [1, 2]
