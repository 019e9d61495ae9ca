"""COCO's JSON: read as people have it, refused by name, and written so that nothing is lost."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cv_yolo.adapters.formats import coco
from tests.annotation_files import annotation, coco_content, picture, put_json, without_places

VAL2014 = Path(__file__).parents[5] / "shared" / "data" / "coco-val2014-100" / "annotations.json"


@pytest.fixture
def val2014(tmp_path: Path) -> Path:
    """COCO's 100 demo images of val2014 as blank pictures, with their real annotations."""
    if not VAL2014.is_file():
        pytest.skip(f"{VAL2014} is not there: ../shared/data/coco-val2014-100, beside the project")
    put_json(tmp_path, "annotations/instances_val2014.json", content := json.loads(VAL2014.read_bytes()))
    (tmp_path / "val2014").mkdir()
    for image in content["images"]:
        Image.new("L", (image["width"], image["height"])).save(tmp_path / "val2014" / image["file_name"])
    return tmp_path


def test_one_image_with_one_object_is_read(tmp_path: Path) -> None:
    picture(tmp_path, "a.jpg")
    put_json(tmp_path, "result.json", coco_content([annotation(category_id=2)]))
    dataset = coco.read(tmp_path)
    assert coco.detect(tmp_path)
    assert dataset.classes == ("cat", "dog")
    (image,) = dataset.images
    (found,) = image.objects
    assert (found.category, found.xywh, found.area_px2) == ("dog", (4, 5, 20, 10), 200)
    assert found.place == "result.json: annotation 1"


def test_real_annotations_are_equal_after_an_export(val2014: Path) -> None:
    first = coco.read(val2014)
    assert sum(len(image.objects) for image in first.images) == 839
    assert sum(each.is_crowd for image in first.images for each in image.objects) == 9
    assert {image.split for image in first.images} == {"val"}
    coco.write(first, val2014 / "annotations" / "instances_val2014.json")
    again = coco.read(val2014)
    assert without_places(again) == without_places(first)
    assert (again.classes, again.category_ids) == (first.classes, first.category_ids)
