"""What of an image's annotations counts, in label text and for the evaluator; and their hash."""

from dataclasses import replace

import numpy as np
import pytest

from cv_yolo.domain.data.annotated import AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.counting import annotations_digest, count_objects, truth_of

CLASSES = ("person", "dog")


def an_object(*xywh: float, category: str = "person", **changes: object) -> AnnotatedObject:
    return AnnotatedObject(category=category, xywh=xywh, **changes)


def an_image(*objects: AnnotatedObject, **attributes: str) -> ImageAnnotations:
    return ImageAnnotations(path="a.jpg", width_px=200, height_px=100, objects=objects, attributes=attributes)


OBJECTS = (
    an_object(10, 10, 50, 40, area_px2=1234.5),
    an_object(0, 0, 200, 100, is_crowd=True, area_px2=9000.0),
    an_object(180, 90, 40, 20, category="dog"),
    an_object(20, 20, 0.2, 5),
    an_object(10, 10, 50, 40),
    an_object(-20, -10, 300, 300, is_crowd=True, category="dog"),
)


def test_crowds_small_and_repeated_boxes_keep_out_of_the_label_text():
    counted = count_objects(an_image(*OBJECTS), CLASSES)
    assert counted.label.lines == (0, 2)
    assert [box.class_id for box in counted.label.boxes] == [0, 1]
    assert (counted.label.clipped, counted.label.too_small, counted.label.repeated) == ((2,), (3,), (4,))
    assert counted.crowds == (1, 5)


def test_the_evaluator_is_given_the_same_boxes_then_the_crowds_with_their_areas():
    truth = truth_of(an_image(*OBJECTS), CLASSES)
    np.testing.assert_allclose(
        truth.boxes_xyxy, [[10, 10, 60, 50], [180, 90, 200, 100], [0, 0, 200, 100], [0, 0, 200, 100]]
    )
    assert truth.class_ids.tolist() == [0, 1, 0, 1]
    assert truth.crowds is not None
    assert truth.crowds.tolist() == [False, False, True, True]
    assert truth.areas_px is not None
    assert truth.areas_px.tolist() == [1234.5, 200.0, 9000.0, 20000.0]
    assert truth.trained_on.tolist() == [True, True, False, False]


def test_an_image_without_objects_has_none():
    truth = truth_of(an_image(), CLASSES)
    assert truth.boxes_xyxy.shape == (0, 4)
    assert count_objects(an_image(), CLASSES).label.boxes == ()


def test_the_hash_leaves_the_order_and_the_place_of_objects_aside():
    image = an_image(*OBJECTS, scene="day", camera="1")
    other = an_image(*(replace(each, place="elsewhere") for each in OBJECTS[::-1]), camera="1", scene="day")
    assert annotations_digest(image) == annotations_digest(other)
    assert annotations_digest(an_image(an_object(10, 10, 5, 5))) == annotations_digest(
        an_image(an_object(10.0, 10.0, 5.0, 5.0))
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"xywh": (10, 10, 50, 40.001)},
        {"category": "dog"},
        {"is_crowd": True},
        {"is_difficult": True},
        {"area_px2": 1234.6},
        {"area_px2": None},
        {"segmentation": [[1, 1, 2, 1, 2, 2]]},
        {"segmentation": {"counts": [1, 2], "size": [100, 200]}},
    ],
)
def test_the_hash_covers_all_that_is_annotated(changes):
    assert annotations_digest(an_image(replace(OBJECTS[0], **changes))) != annotations_digest(an_image(OBJECTS[0]))


def test_the_hash_covers_the_columns_of_an_image():
    assert annotations_digest(an_image(scene="day")) != annotations_digest(an_image(scene="night"))
