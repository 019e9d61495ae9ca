"""COCO annotations and results for scoring: read as pycocotools reads them, or refused with every reason."""

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cv_yolo.adapters.formats.coco_scoring import CocoJson
from cv_yolo.errors import DatasetError

FILES = CocoJson()


def a_truth(**changes: Any) -> dict[str, Any]:
    annotation = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 40]}
    return {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [annotation],
        "categories": [{"id": 3, "name": "cat"}],
    } | changes


def a_result(**changes: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 3, "bbox": [1, 2, 30, 40], "score": 0.5} | changes


def annotated(**changes: Any) -> dict[str, Any]:
    return a_truth(annotations=[a_truth()["annotations"][0] | changes])


def refusal(truth: Any, results: Any = ()) -> str:
    with pytest.raises(DatasetError) as caught:
        FILES.results(list(results) if results == () else results, FILES.truth(truth, name="gt"), name="dt")
    return caught.value.message


def test_ids_are_the_same_as_numbers_and_as_text_and_images_come_in_the_order_of_their_ids() -> None:
    images = [{"id": "x"}, {"id": 10, "file_name": "b.jpg"}, {"id": "9", "file_name": "a.jpg", "night": True, "f": 1.5}]
    truth = FILES.truth(
        a_truth(images=images, annotations=[a_truth()["annotations"][0] | {"image_id": 9.0}]), name="gt"
    )
    assert [each.image for each in truth.truths] == ["a.jpg", "b.jpg", "image x"]
    assert truth.attributes[0] == {"night": "true", "f": "1.5"}
    found = FILES.results([a_result(image_id="9"), a_result(image_id=10, category_id="3")], truth, name="dt")
    assert [len(each.class_ids) for each in found.detections] == [1, 1, 0]
    assert found.count == 2
    np.testing.assert_array_equal(found.detections[0].boxes_xyxy, [[1, 2, 31, 42]])


def test_areas_and_crowds_are_those_of_the_file_and_equal_names_stay_apart() -> None:
    first = a_truth()["annotations"][0]
    rows = [first | {"area": 5}, first | {"id": 2, "iscrowd": 1, "category_id": 4}]
    categories = [{"id": 3, "name": "cat"}, {"id": 4, "name": "cat"}, {"id": 90}]
    truth = FILES.truth(a_truth(annotations=rows, categories=categories), name="gt")
    assert truth.classes == ("cat (id 3)", "cat (id 4)", "90")
    assert truth.truths[0].areas_px is not None
    assert truth.truths[0].areas_px.tolist() == [5, 1200]
    assert truth.truths[0].crowds is not None
    assert truth.truths[0].crowds.tolist() == [False, True]


def test_numbers_and_arrays_of_numpy_are_taken_as_they_are() -> None:
    truth = FILES.truth(annotated(bbox=np.array([1, 2, 30, 40]), area=np.float32(7)), name="gt")
    found = FILES.results([a_result(score=np.float32(0.5))], truth, name="dt")
    assert found.detections[0].confidences.tolist() == [0.5]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ([a_result()], "gt: a list, as results are"),
        (5, "gt: 5, expected COCO annotations"),
        ({"images": []}, "annotations is missing, expected a list"),
        (a_truth(images=[]), "`images` is empty"),
        (a_truth(annotations=[]), "no annotated objects"),
        (annotated(iscrowd=1), "no annotated objects"),
        (a_truth(images=[{"id": 7}, {"id": "7"}]), "images[1]: the id 7 twice"),
        (a_truth(categories=[{"id": 3, "name": "a\nb"}]), "categories[0]: name is"),
        (a_truth(annotations=a_truth()["annotations"] * 2), "annotations[1]: the id 1 twice"),
        (annotated(image_id=8), "image_id 8 is no image of the file"),
        (annotated(category_id=1e30), "is no category of the file"),
        (annotated(area=2e10), "area is 20000000000.0, expected 0 to 1e10 px²"),
        (annotated(area=-1), "area is -1"),
        (annotated(bbox=[1, 2, 3]), "bbox is a list of 3"),
        (annotated(bbox=[1, 2, 10**400, 1]), "expected a finite number"),
        (annotated(bbox=[1, 2, 1e6, 1e6]), "larger than 1e10 px²"),
        (annotated(bbox=[1, 2, -3, 4]), "negative width or height"),
        (annotated(bbox=object()), "a object in it"),
    ],
)
def test_annotations_that_cannot_be_scored_are_refused(truth: Any, message: str) -> None:
    assert message in refusal(truth)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (a_truth(), "dt: COCO annotations, expected results"),
        ({"detections": []}, "dt: the content is an object, expected a list"),
        ([a_result(), 5], "[1] is 5, expected an object"),
        ([{"image_id": 7, "segmentation": {}}], "only boxes are scored"),
        ([a_result(score=True)], "results[0]: score is true, expected a number"),
        ([a_result(score=float("nan"))], "score is nan"),
        ([a_result(score=float("inf"))], "score is inf"),
        ([a_result(score=97)], "score is 97, expected 0 to 1"),
        ([a_result(score=10**400)], "expected a finite number"),
        ([a_result(category_id=1e30)], "dt: 1 result of categories that gt does not list: 1000"),
        (
            [a_result(image_id=n) for n in range(20, 28)],
            "8 results of images that gt does not list: 20, 21, 22, 23, 24 ",
        ),
        ([a_result(score=2), a_result(bbox=[])], "dt has 2 problems:"),
    ],
)
def test_results_that_cannot_be_scored_are_refused(results: Any, message: str) -> None:
    assert message in refusal(a_truth(), results)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"image_id": 7, "image_id": 8}]', "the key 'image_id' twice"),
        (b'[{"image_id": 7', "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "dt.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        FILES.results(path, FILES.truth(a_truth(), name="gt"), name="dt")


def test_an_empty_list_of_results_is_no_detection() -> None:
    assert FILES.results([], FILES.truth(a_truth(), name="gt"), name="dt").count == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["id", "image_id", "category_id", "bbox", "score", "area", "iscrowd", "name", "file_name"])
RECORDS = st.lists(st.dictionaries(FIELDS, VALUES | st.just([1, 2, 3, 4]) | st.just(7), max_size=6), max_size=3)


@given(truth=st.fixed_dictionaries({"images": RECORDS, "annotations": RECORDS, "categories": RECORDS}) | VALUES)
def test_any_annotations_are_read_or_refused(truth: Any) -> None:
    with contextlib.suppress(DatasetError):
        FILES.truth(truth, name="gt")


@given(results=RECORDS | VALUES)
def test_any_results_are_read_or_refused(results: Any) -> None:
    with contextlib.suppress(DatasetError):
        FILES.results(results, FILES.truth(a_truth(), name="gt"), name="dt")
