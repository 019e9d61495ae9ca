"""Predictions as files: nothing lost in ours, and every way to be wrong refused, in ours and in what others write."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_yolo.adapters.files.predictions import NpzPredictionFile
from cv_yolo.domain.data.categories import Categories, counted_categories
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.errors import EvaluationFailedError, InputError
from cv_yolo.ports.models import Prediction
from tests.builders import some_detections

FILE = NpzPredictionFile()
IMAGES = ("images/test/1.jpg", "images/test/2.jpg")
CLASSES = ("person", "bicycle", "car", "dog")
COUNTED = counted_categories(CLASSES, first=0)


def a_prediction(**changes: Any) -> Prediction:
    first = some_detections((1.5, 2.25, 30.0, 40.0), (0, 0, 9, 9), image=IMAGES[0], confidences=[0.875, 0.5])
    values: dict[str, Any] = {
        "detections": (first, some_detections(image=IMAGES[1])),
        "predictor": "ultralytics 8.4.190 (pt)",
        "settings": PredictionSettings(image_size_px=320),
        "latency_ms": 12.5,
    }
    return Prediction(**(values | changes))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work" / "test" / "detections.npz"


def written(path: Path, prediction: Prediction) -> bytes:
    FILE.write(path, prediction)
    return path.read_bytes()


def test_numbers_that_need_double_precision_keep_it(path: Path) -> None:
    exact = some_detections((1 / 3, 0.1, 30.7, 40.1), image=IMAGES[0], confidences=[0.123456789012345])
    content = written(path, a_prediction(detections=(exact,)))
    (found,) = FILE.read(content, IMAGES[:1]).detections
    np.testing.assert_array_equal(found.boxes_xyxy, exact.boxes_xyxy)
    np.testing.assert_array_equal(found.confidences, exact.confidences)


def test_single_precision_numbers_take_half_the_space_and_are_read_as_doubles(path: Path) -> None:
    content = written(path, a_prediction())
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        assert (file["boxes_xyxy"].dtype, file["confidences"].dtype) == (np.float32, np.float32)
    found = FILE.read(content, IMAGES).detections[0]
    assert (found.boxes_xyxy.dtype, found.class_ids.dtype, found.confidences.dtype) == (
        np.float64,
        np.int64,
        np.float64,
    )


def test_a_split_in_which_nothing_was_found_is_written_too(path: Path) -> None:
    nothing = tuple(some_detections(image=image) for image in IMAGES)
    found = FILE.read(written(path, a_prediction(detections=nothing)), IMAGES)
    assert [each.boxes_xyxy.shape for each in found.detections] == [(0, 4), (0, 4)]


def changed(content: bytes, name: str, value: Any) -> bytes:
    """The file with one of its arrays replaced."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = dict(file)
    out = io.BytesIO()
    np.savez(out, **(arrays | {name: value}))
    return out.getvalue()


def described(content: bytes, **changes: Any) -> bytes:
    """The file with another description."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        said = json.loads(str(file["description"]))
    kept = {key: value for key, value in (said | changes).items() if value != "left out"}
    return changed(content, "description", np.array(json.dumps(kept)))


def an_array(content: bytes) -> bytes:
    out = io.BytesIO()
    np.save(out, np.zeros(3))
    return out.getvalue()


def a_zip_of_something_else(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return out.getvalue()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "text": lambda content: b"these are no detections",
    "cut off": lambda content: content[: len(content) // 2],
    "flipped bytes": lambda content: content[:200] + bytes(255 - each for each in content[200:230]) + content[230:],
    "one array": an_array,
    "another zip": a_zip_of_something_else,
    "pickled": lambda content: changed(content, "description", np.array({"images": []}, dtype=object)),
    "no json": lambda content: changed(content, "description", np.array("{")),
    "a list": lambda content: changed(content, "description", np.array("[1, 2]")),
    "no predictor": lambda content: described(content, predictor="left out"),
    "no latency": lambda content: described(content, latency_ms="left out"),
    "other settings": lambda content: described(content, settings={"imgsz": 3}),
    "counts too many": lambda content: changed(content, "counts", np.array([2, 1, 1])),
    "not finite": lambda content: changed(content, "confidences", np.array([0.5, np.nan])),
    "a column too short": lambda content: changed(content, "class_ids", np.array([0])),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_damaged_file_is_refused_in_one_line(path: Path, damage: str) -> None:
    content = DAMAGE[damage](written(path, a_prediction()))
    with pytest.raises(EvaluationFailedError, match=r"^stored detections cannot be read: ") as refused:
        FILE.read(content, IMAGES)
    assert "\n" not in refused.value.message


def test_a_file_of_an_earlier_version_was_letterboxed_by_batch(path: Path) -> None:
    prediction = a_prediction()
    images = [each.image for each in prediction.detections]
    before = {"image_size_px": 320, "confidence_threshold": 0.001, "nms_iou_threshold": 0.7, "max_detections": 300}
    old = NpzPredictionFile().read(described(written(path, prediction), settings=before), images)
    new = NpzPredictionFile().read(written(path, prediction), images)
    assert old.settings == PredictionSettings(image_size_px=320, letterbox="batch") != prediction.settings
    assert new.settings == PredictionSettings(image_size_px=320, letterbox="square") == prediction.settings


def results(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(list(rows)), encoding="utf-8")
    return path


def row(**changes: Any) -> dict[str, Any]:
    return {"image_id": "1", "category_id": 0, "bbox": [10, 20, 30, 40], "score": 0.5} | changes


def test_a_results_file_becomes_corners_classes_and_confidences_by_image(tmp_path: Path) -> None:
    path = results(tmp_path, row(image_id="2", score=0.25), row(), row(bbox=[0.5, 0, 1, 2], category_id=3, score=1))
    found = FILE.read_coco(path, IMAGES, categories=COUNTED)
    first, second = found.detections
    assert (first.image, second.image) == IMAGES
    np.testing.assert_array_equal(first.boxes_xyxy, [[10, 20, 40, 60], [0.5, 0, 1.5, 2]])
    np.testing.assert_array_equal(first.class_ids, [0, 3])
    np.testing.assert_array_equal(first.confidences, [0.5, 1.0])
    np.testing.assert_array_equal(second.confidences, [0.25])
    assert (found.predictor, found.settings, found.latency_ms) == (
        "results file results.json, categories: --first-class 0",
        None,
        None,
    )


def test_a_results_file_without_results_finds_nothing(tmp_path: Path) -> None:
    found = FILE.read_coco(results(tmp_path), IMAGES, categories=COUNTED)
    assert [len(each.class_ids) for each in found.detections] == [0, 0]


def test_classes_are_numbered_from_the_given_first_class(tmp_path: Path) -> None:
    path = results(tmp_path, row(category_id=1), row(category_id=3.0))
    found = FILE.read_coco(path, IMAGES, categories=counted_categories(CLASSES, first=1)).detections[0]
    assert found.class_ids.tolist() == [0, 2]
    assert found.class_ids.dtype == np.int64


@pytest.mark.parametrize(
    "image_id",
    ["images/val/000000000139.jpg", "000000000139.jpg", "000000000139", 139, "139"],
)
def test_an_image_is_named_by_path_name_stem_or_number(tmp_path: Path, image_id: object) -> None:
    images = ("images/val/000000000139.jpg", "images/val/000000000285.jpg")
    found = FILE.read_coco(results(tmp_path, row(image_id=image_id)), images, categories=COUNTED)
    assert [len(each.class_ids) for each in found.detections] == [1, 0]


def test_a_name_that_fits_two_images_names_neither_and_the_path_does(tmp_path: Path) -> None:
    images = ("images/test/left/1.jpg", "images/test/right/1.jpg")
    for ambiguous in ("1.jpg", "1", 1):
        with pytest.raises(InputError, match="result 0: no image"):
            FILE.read_coco(results(tmp_path, row(image_id=ambiguous)), images, categories=COUNTED)
    found = FILE.read_coco(results(tmp_path, row(image_id=images[1])), images, categories=COUNTED)
    assert [len(each.class_ids) for each in found.detections] == [0, 1]


@pytest.mark.parametrize("image_id", ["3", 3, "images/val/1.jpg", None, [1], 1.5])
def test_an_image_that_is_not_in_the_split_is_named(tmp_path: Path, image_id: object) -> None:
    path = results(tmp_path, row(), row(image_id=image_id))
    with pytest.raises(InputError) as refused:
        FILE.read_coco(path, IMAGES, categories=COUNTED)
    assert refused.value.message == f"{path}: result 1: no image {image_id!r} in the split"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("text", "expected image_id, category_id, bbox and score"),
        (["1", 0], "expected image_id, category_id, bbox and score"),
        ({"image_id": "1", "category_id": 0, "bbox": [1, 2, 3, 4]}, "expected image_id, category_id, bbox and score"),
        (row(bbox=[1, 2, 3]), "bbox must be x, y, width, height"),
        (row(bbox="1234"), "bbox must be x, y, width, height"),
        (row(bbox=[1, 2, 3, "x"]), "bbox must be x, y, width, height"),
        (row(bbox=[1, 2, 3, None]), "bbox must be x, y, width, height"),
        (row(bbox=[1, 2, 3, float("nan")]), "bbox must be x, y, width, height"),
        (row(bbox=[1, float("inf"), 3, 4]), "bbox must be x, y, width, height"),
        (row(bbox=[50, 60, -10, 20]), "bbox must be x, y, width, height"),
        (row(score="high"), "score must be a number from 0 to 1"),
        (row(score=None), "score must be a number from 0 to 1"),
        (row(score=float("nan")), "score must be a number from 0 to 1"),
        (row(score=87.5), "score must be a number from 0 to 1"),
        (row(score=-0.1), "score must be a number from 0 to 1"),
        (row(category_id="person"), "category_id must be a whole number"),
        (row(category_id=1.5), "category_id must be a whole number"),
        (row(category_id=None), "category_id must be a whole number"),
    ],
)
def test_a_wrong_result_is_refused_by_its_number(tmp_path: Path, wrong: object, complaint: str) -> None:
    path = results(tmp_path, row(), wrong)
    with pytest.raises(InputError) as refused:
        FILE.read_coco(path, IMAGES, categories=COUNTED)
    assert refused.value.message.startswith(f"{path}: result 1: {complaint}")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1,"])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"results\.json: cannot be read as JSON") as refused:
        FILE.read_coco(path, IMAGES, categories=COUNTED)
    assert "\n" not in refused.value.message


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json: cannot be read as JSON"):
        FILE.read_coco(tmp_path / "none.json", IMAGES, categories=COUNTED)


@pytest.mark.parametrize("content", ["{}", '{"annotations": []}', "3", '"text"', "null"])
def test_a_file_that_is_not_a_list_is_not_a_results_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="not a COCO results file: expected a list of detections"):
        FILE.read_coco(path, IMAGES, categories=COUNTED)


def categories_file(tmp_path: Path, content: Any, name: str = "instances.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


PERSON, DOG = {"id": 1, "name": "person"}, {"id": 18, "name": "dog", "supercategory": "animal"}


def test_annotations_define_their_category_and_image_ids(tmp_path: Path) -> None:
    images = [{"id": 139, "file_name": "000000000139.jpg"}, {"id": "a-7", "file_name": "val/7.png"}]
    content = {"info": {}, "images": images, "annotations": [], "categories": [PERSON, DOG]}
    found = FILE.read_categories(categories_file(tmp_path, content))
    assert found.source == "instances.json"
    assert found.names == {1: "person", 18: "dog"}
    assert found.images == {139: "000000000139.jpg", "a-7": "val/7.png"}


@pytest.mark.parametrize("content", [[PERSON, DOG], {"categories": [PERSON, DOG]}])
def test_a_list_of_categories_is_enough(tmp_path: Path, content: object) -> None:
    found = FILE.read_categories(categories_file(tmp_path, content))
    assert (found.names, found.images) == ({1: "person", 18: "dog"}, {})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({}, "no categories in it"),
        ([], "no categories in it"),
        ("person", "no categories in it"),
        ({"categories": {"1": "person"}}, "no categories in it"),
        ([PERSON, "dog"], "category 1: expected id and name"),
        ([PERSON, {"id": 18}], "category 1: expected id and name"),
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}], "category 0: expected id and name"),
        ([{"id": "1", "name": "person"}], "category 0: id must be a whole number, not '1'"),
        ([{"id": True, "name": "person"}], "category 0: id must be a whole number, not True"),
        ([{"id": 1.5, "name": "person"}], "category 0: id must be a whole number, not 1.5"),
        ([{"id": None, "name": "person"}], "category 0: id must be a whole number, not None"),
        ([{"id": 1, "name": " "}], "category 0: name must be a string, not ' '"),
        ([{"id": 1, "name": 7}], "category 0: name must be a string, not 7"),
        ([PERSON, {"id": 1, "name": "dog"}], "category 1: id 1 is given twice: 'person' and 'dog'"),
        ([PERSON, {"id": 2, "name": "person"}], "category 1: name 'person' is given twice"),
        ({"categories": [PERSON], "images": "many"}, "image 0: expected id and file_name"),
        ({"categories": [PERSON], "images": [{"id": 1}]}, "image 0: expected id and file_name"),
        ({"categories": [PERSON], "images": [{"id": True, "file_name": "1.jpg"}]}, "image 0: expected a whole number"),
        ({"categories": [PERSON], "images": [{"id": 1.0, "file_name": "1.jpg"}]}, "image 0: expected a whole number"),
        ({"categories": [PERSON], "images": [{"id": 1, "file_name": None}]}, "image 0: expected a whole number"),
        ({"categories": [PERSON], "images": [{"id": 1, "file_name": "1.jpg"}] * 2}, "image 1: id 1 is given twice"),
    ],
)
def test_categories_that_do_not_define_ids_are_refused(tmp_path: Path, content: object, complaint: str) -> None:
    path = categories_file(tmp_path, content)
    with pytest.raises(InputError) as refused:
        FILE.read_categories(path)
    assert refused.value.message.startswith(f"{path}: {complaint}")


def test_category_ids_with_gaps_become_the_places_of_their_names(tmp_path: Path) -> None:
    categories = Categories(source="instances.json", names={1: "person", 18: "dog", 90: "toothbrush"})
    path = results(tmp_path, row(category_id=90), row(category_id=1), row(category_id=18.0))
    found = FILE.read_coco(path, IMAGES, categories=categories)
    assert found.classes == ("person", "dog", "toothbrush")
    assert found.detections[0].class_ids.tolist() == [2, 0, 1]
    assert found.predictor == "results file results.json, categories: instances.json"


def test_a_category_that_nothing_names_is_refused_with_its_count(tmp_path: Path) -> None:
    path = results(tmp_path, row(), row(category_id=4), row(category_id=4))
    with pytest.raises(InputError, match=r"category ids that --first-class 0 does not name: 4 \(2 results\)"):
        FILE.read_coco(path, IMAGES, categories=COUNTED)


def with_images(images: dict[int | str, str]) -> Categories:
    return Categories(source="instances.json", names={0: "person"}, images=images)


@pytest.mark.parametrize("listed", ["images/test/2.jpg", "2.jpg", "val2014/2.jpg", "2.png"])
def test_annotations_define_image_ids(tmp_path: Path, listed: str) -> None:
    """The id is the number of another image's file, as it may well be."""
    found = FILE.read_coco(results(tmp_path, row(image_id=1)), IMAGES, categories=with_images({1: listed}))
    assert [len(each.class_ids) for each in found.detections] == [0, 1]


@pytest.mark.parametrize("image_id", [2, "1", True, 1.0, None, [1]])
def test_an_image_that_the_annotations_do_not_list_is_refused(tmp_path: Path, image_id: object) -> None:
    path = results(tmp_path, row(image_id=image_id))
    with pytest.raises(InputError) as refused:
        FILE.read_coco(path, IMAGES, categories=with_images({1: "1.jpg"}))
    assert refused.value.message == f"{path}: result 0: instances.json lists no image {image_id!r}"


def test_an_image_that_is_listed_and_not_in_the_split_is_named_by_its_file(tmp_path: Path) -> None:
    path = results(tmp_path, row(image_id=7))
    with pytest.raises(InputError, match=r"result 0: no image 7 \(seven\.jpg\) in the split"):
        FILE.read_coco(path, IMAGES, categories=with_images({7: "seven.jpg"}))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (row(category_id=True), "category_id must be a whole number"),
        (row(category_id="1"), "category_id must be a whole number"),
        (row(score=True), "score must be a number from 0 to 1"),
        (row(bbox=[True, 2, 3, 4]), "bbox must be x, y, width, height"),
        ({"image_id": 1, "category_id": 0, "segmentation": {}, "score": 1}, "no bbox: only boxes are scored"),
        ({"image_id": 1, "category_id": 0, "keypoints": [1, 2, 2], "score": 1}, "no bbox: only boxes are scored"),
    ],
)
def test_results_of_another_kind_are_refused_by_their_number(tmp_path: Path, wrong: object, complaint: str) -> None:
    path = results(tmp_path, row(), wrong)
    with pytest.raises(InputError) as refused:
        FILE.read_coco(path, IMAGES, categories=COUNTED)
    assert refused.value.message.startswith(f"{path}: result 1: {complaint}")


def test_annotations_in_place_of_results_are_refused_with_where_they_belong(tmp_path: Path) -> None:
    path = categories_file(tmp_path, {"images": [], "annotations": [], "categories": [PERSON]})
    with pytest.raises(InputError, match="COCO annotations, not a results file") as refused:
        FILE.read_coco(path, IMAGES, categories=COUNTED)
    assert "--categories" in refused.value.hint


COCO = Path(__file__).resolve().parents[5] / "shared" / "data" / "coco-val2014-100"


@pytest.mark.skipif(not COCO.is_dir(), reason=f"{COCO} is missing: COCO's example results are read in place")
def test_cocos_example_is_mapped_by_name_despite_gaps_in_its_ids() -> None:
    annotations = json.loads((COCO / "annotations.json").read_text(encoding="utf-8"))
    rows = json.loads((COCO / "fakebbox100.json").read_text(encoding="utf-8"))
    categories = FILE.read_categories(COCO / "annotations.json")
    assert (len(categories.names), min(categories.names), max(categories.names)) == (80, 1, 90)
    files = {row["id"]: row["file_name"] for row in annotations["images"]}
    images = [f"images/val/{name}" for name in files.values()]
    found = FILE.read_coco(COCO / "fakebbox100.json", images, categories=categories)
    names = {row["id"]: row["name"] for row in annotations["categories"]}
    reported = [(files[row["image_id"]], names[row["category_id"]], row["score"]) for row in rows]
    read = [
        (each.image.removeprefix("images/val/"), found.classes[class_id], confidence)
        for each in found.detections
        for class_id, confidence in zip(each.class_ids, each.confidences, strict=True)
    ]
    assert len(read) == 734
    assert sorted(read) == sorted(reported)
    with pytest.raises(InputError, match="category ids that --first-class 1 does not name: 81 "):
        FILE.read_coco(
            COCO / "fakebbox100.json",
            images,
            categories=counted_categories([row["name"] for row in annotations["categories"]], first=1),
        )
