"""Label Studio's JSON and JSON-MIN: regions in percent, several annotations of a task, images by their names."""

from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.formats import labelstudio
from cv_yolo.domain.data.annotated import AnnotatedDataset
from tests.annotation_files import SIZE, UPLOADED, VALUE, findings, picture, pictures, put_json, refusal, region, task


def read(root: Path, *tasks: object) -> AnnotatedDataset:
    picture(root, "a.jpg")
    put_json(root, "export.json", list(tasks))
    return labelstudio.read(root)


def refused(root: Path, *tasks: object) -> str:
    return refusal(lambda root: read(root, *tasks), root)


def ignored(dataset: AnnotatedDataset) -> dict[str, int]:
    return {each.subject: each.count for each in dataset.findings if each.kind == "ignored_annotations"}


def test_percent_become_pixels(tmp_path: Path) -> None:
    dataset = read(tmp_path, task(region()))
    assert labelstudio.detect(tmp_path)
    (found,) = dataset.images[0].objects
    assert (found.category, found.xywh) == ("cat", (8, 12, 32, 24))
    assert found.place == "export.json: task 1: region 'r1'"
    assert (dataset.images[0].path, dataset.classes) == ("a.jpg", ("cat",))
    assert findings(dataset) == {"other_file_names": ("export.json: task 1",)}


def test_a_turned_box_becomes_the_upright_box_around_it(tmp_path: Path) -> None:
    dataset = read(tmp_path, task(region(VALUE | {"x": 50, "y": 25, "width": 25, "height": 25, "rotation": 90})))
    # 16 x 12 px about its upper left corner (32, 12): 90 degrees clockwise put it to the left of that corner
    assert dataset.images[0].objects[0].xywh == pytest.approx((20, 12, 12, 16))
    assert findings(dataset)["rotated_boxes"] == ("export.json: task 1: region 'r1'",)


def test_a_polygon_is_an_object_with_an_outline(tmp_path: Path) -> None:
    value = {"points": [[0, 0], [50, 0], [50, 25]], "polygonlabels": ["dog"]}
    (found,) = read(tmp_path, task(region(value, kind="polygonlabels"))).images[0].objects
    assert (found.category, found.xywh, found.segmentation) == ("dog", (0, 0, 32, 12), [[0, 0, 32, 0, 32, 12]])


def test_a_rectangle_takes_the_label_of_the_region_of_its_id(tmp_path: Path) -> None:
    shape = {key: value for key, value in VALUE.items() if key != "rectanglelabels"}
    dataset = read(tmp_path, task(region(shape, kind="rectangle"), region(shape | {"labels": ["dog"]}, kind="labels")))
    assert [each.category for each in dataset.images[0].objects] == ["dog"]


def test_json_min_is_read(tmp_path: Path) -> None:
    pictures(tmp_path, ["a.jpg", "b.jpg"])
    size = {"original_width": SIZE[0], "original_height": SIZE[1]}
    rows = [
        {"image": UPLOADED, "id": "1", "label": [VALUE | size], "annotator": 1, "annotation_id": 2, "lead_time": 3.0},
        {"image": "b.jpg", "id": "2", "annotator": 1, "annotation_id": 3, "tags": ["x"]},
    ]
    put_json(tmp_path, "export.json", rows)
    dataset = labelstudio.read(tmp_path)
    assert labelstudio.detect(tmp_path)
    assert [[each.xywh for each in image.objects] for image in dataset.images] == [[(8, 12, 32, 24)], []]


def test_an_annotation_without_regions_is_a_negative_and_a_task_without_annotations_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path, "b.jpg")
    dataset = read(tmp_path, task(), task(id=2, image="b.jpg", annotations=[], predictions=[{"result": []}]))
    assert [image.path for image in dataset.images] == ["a.jpg"]
    assert findings(dataset)["images_without_annotations"] == ("b.jpg",)
    assert ignored(dataset) == {"predictions of a model": 1}


def test_of_several_annotations_the_latest_counts_and_cancelled_ones_do_not(tmp_path: Path) -> None:
    def made(day: int, label: str, **more: Any) -> dict[str, Any]:
        result = [region(VALUE | {"rectanglelabels": [label]})]
        return {"id": day, "result": result, "created_at": f"2026-01-0{day}T00:00:00Z"} | more

    annotations = [
        made(1, "old"),
        made(2, "new"),
        made(3, "cancelled", was_cancelled=True),
        made(4, "no", skipped=True),
    ]
    dataset = read(tmp_path, task(annotations=annotations))
    assert dataset.classes == ("new",)
    assert ignored(dataset) == {
        "cancelled": 2,
        "another annotation of the image is the ground truth, or later": 1,
    }
    annotations[0]["ground_truth"] = True
    assert read(tmp_path, task(annotations=annotations)).classes == ("old",)


def test_completions_of_early_versions_are_read(tmp_path: Path) -> None:
    early = {"id": 1, "data": {"image": UPLOADED}, "completions": [{"id": 1, "result": [region()]}]}
    assert len(read(tmp_path, early).images[0].objects) == 1


def test_choices_for_the_image_become_its_attributes(tmp_path: Path) -> None:
    choice = {"type": "choices", "from_name": "weather", "value": {"choices": ["rain", "fog"]}}
    text = {"id": "t", "type": "textarea", "from_name": "note", "value": {"text": ["x"]}}
    dataset = read(tmp_path, task(choice, text, {"type": None}))
    assert dataset.images[0].attributes == {"weather": "rain, fog"}
    assert ignored(dataset) == {"`textarea`": 1, "`missing`": 1}


@pytest.mark.parametrize(
    "image",
    [
        "/data/local-files/?d=project/images/a.jpg",
        "/data/local-files/?d=project%2Fimages%2Fa.jpg",
        "s3://bucket/images/a.jpg",
        "https://storage.example.org/a.jpg?id=10",
        "http://localhost:8080/data/local-files/?d=images/a.jpg",
        "http://localhost:8080/data/upload/3/0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f-a.jpg",
        "/data/upload/3/a.jpg",
    ],
)
def test_images_are_found_by_the_name_in_their_address(tmp_path: Path, image: str) -> None:
    picture(tmp_path, "3/b.jpg")
    assert read(tmp_path, task(image=image)).images[0].path == "a.jpg"


def test_the_image_is_the_usual_one_of_several_data_or_the_uploaded_file(tmp_path: Path) -> None:
    data = {"image": UPLOADED, "thumbnail": "small.jpg", "text": "no image.", "number": 3}
    assert len(read(tmp_path, task(data=data)).images) == 1
    assert len(read(tmp_path, task(data={"video": "a.mp4"}, file_upload="0a1b2c3d-a.jpg")).images) == 1


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([region(kind="brushlabels")], "export.json: task 1: region 'r1': a brush mask (`brushlabels`)"),
        ([region(kind="ellipselabels")], "an ellipse (`ellipselabels`)"),
        ([region(kind="keypointlabels")], "a point (`keypointlabels`)"),
        ([region(VALUE | {"rectanglelabels": []})], "its labels are a list of 0, expected one label"),
        ([region(VALUE | {"rectanglelabels": ["a", "b"]})], "its labels are a list of 2, expected one label"),
        ([region(VALUE | {"rectanglelabels": [3]})], "its label is 3, expected a text"),
        ([region({"width": 1, "x": 1, "y": 1, "height": 1}, kind="rectangle")], "its labels are a list of 0"),
        ([region(VALUE | {"x": "1"})], "x is '1', expected a number"),
        ([region(VALUE | {"height": None})], "height is missing, expected a number"),
        ([region(VALUE | {"width": -1})], "a box of negative width"),
        ([region(VALUE | {"x": 200})], "a box outside of its image (64 x 48 px): 128, 12, 32, 24"),
        ([region(VALUE | {"rotation": "x"})], "rotation is 'x', expected a number"),
        ([region(image_rotation=90)], "the image was turned in Label Studio"),
        ([region(original_width=10)], "a.jpg: annotated as 10 x 48 px, the image has 64 x 48 px"),
        ([region(original_height=None)], "original_height is missing, expected a number"),
        ([region(), region(original_width=10)], "its regions are of images of different sizes"),
        ([region({"points": [[1, 2]], "polygonlabels": ["a"]})], "a polygon of fewer than three points"),
        ([region({"points": [[1, 2], 3], "polygonlabels": ["a"]})], "points is a list of 2, expected pairs of numbers"),
        ([region({"points": [[1, "2"]], "polygonlabels": ["a"]})], "points is '2', expected a number"),
        ([{"type": "choices", "from_name": "a", "value": {"choices": "b"}}], "choices is 'b', expected a list"),
        ([3], "result[0] is 3, expected an object"),
    ],
)
def test_a_region_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, regions: list[Any], message: str) -> None:
    assert message in refused(tmp_path, task(*regions))


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task(image="b.jpg")], "export.json: task 1: the image b.jpg is not in"),
        ([task(data={"image": "data:image/png;base64,AAAA"})], "task 1: no image, or several ones, among its data"),
        ([task(data={"left": "a.jpg", "right": "b.jpg"})], "no image, or several ones, among its data"),
        ([task(), task(id="x")], "task 'x': a.jpg is annotated already, in export.json: task 1"),
        ([task(annotations=3, id="\n")], r"task '\n': annotations is 3, expected a list"),
        ([task(), 3], "export.json: the export[1] is 3, expected an object"),
    ],
)
def test_a_task_that_is_wrong_is_refused_by_what_it_is(tmp_path: Path, tasks: list[Any], message: str) -> None:
    assert message in refused(tmp_path, *tasks)


def test_an_image_of_several_copies_is_ambiguous(tmp_path: Path) -> None:
    picture(tmp_path, "copy/a.jpg")
    picture(tmp_path, "other/a.jpg")
    put_json(tmp_path, "export.json", [task()])
    assert "may be any of 2 images: copy/a.jpg and other/a.jpg" in refusal(labelstudio.read, tmp_path)


def test_all_that_is_wrong_is_refused_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, task(region(kind="brush"), region(VALUE | {"x": None})), task(id=2, image="b.jpg"))
    assert "the data set has 3 problems" in said


@pytest.mark.parametrize("content", [{"images": []}, [{"image_id": 1}], []])
def test_a_folder_without_an_export_is_none(tmp_path: Path, content: object) -> None:
    put_json(tmp_path, "export.json", content)
    assert not labelstudio.detect(tmp_path)
    assert "no export of Label Studio [export the project as JSON or JSON-MIN]" in refusal(labelstudio.read, tmp_path)
