"""What of an image's annotations counts: the boxes of its label text, and what the evaluator is given."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cv_yolo.domain.data.annotated import AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.annotations import GroundTruth, area_px, xywhn_to_xyxy, xyxy_to_xywhn
from cv_yolo.domain.data.label_text import Box, LabelText, count_boxes


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedObjects:
    """The objects of an image by their places: those of `label`'s boxes, and the crowds, which are no labels."""

    label: LabelText
    crowds: tuple[int, ...] = ()


def count_objects(image: ImageAnnotations, classes: Sequence[str]) -> CountedObjects:
    """Which objects count, by the rule of `count_boxes`; the numbers are their places among the image's objects.

    Crowds are not trained on, as in COCO's own trainings. They keep out of the label text, and the evaluator neither
    asks for them nor counts detections in them as wrong.
    """
    ids = {name: index for index, name in enumerate(classes)}
    size = {"width_px": image.width_px, "height_px": image.height_px}
    numbers = [number for number, each in enumerate(image.objects) if not each.is_crowd]
    corners = np.array([_corners(image.objects[number]) for number in numbers], dtype=np.float64).reshape(-1, 4)
    rows = xyxy_to_xywhn(corners, **size).tolist()
    boxes = [
        (number, Box(class_id=ids[image.objects[number].category], xywhn=(row[0], row[1], row[2], row[3])))
        for number, row in zip(numbers, rows, strict=True)
    ]
    crowds = tuple(number for number, each in enumerate(image.objects) if each.is_crowd)
    return CountedObjects(label=count_boxes(boxes, **size, rounded=True), crowds=crowds)


def truth_of(image: ImageAnnotations, classes: Sequence[str]) -> GroundTruth:
    """The boxes that count, clipped to the image, then the crowds; an area that is not known is that of the box."""
    counted = count_objects(image, classes)
    ids = {name: index for index, name in enumerate(classes)}
    objects = [image.objects[number] for number in (*counted.label.lines, *counted.crowds)]
    corners = np.array([_corners(each) for each in objects], dtype=np.float64).reshape(-1, 4)
    boxes = np.clip(corners, 0.0, np.array((image.width_px, image.height_px) * 2, dtype=np.float64))
    areas = [each.area_px2 for each in objects]
    return GroundTruth(
        image=image.path,
        boxes_xyxy=boxes,
        class_ids=np.array([ids[each.category] for each in objects], dtype=np.int64),
        crowds=np.array([each.is_crowd for each in objects], dtype=np.bool_),
        areas_px=np.array(
            [box if known is None else known for known, box in zip(areas, area_px(boxes), strict=True)],
            dtype=np.float64,
        ),
    )


def truth_of_boxes(image: str, boxes: Sequence[Box], *, width_px: int, height_px: int) -> GroundTruth:
    """The boxes of label text, in pixels."""
    normalised = np.array([box.xywhn for box in boxes], dtype=np.float64).reshape(-1, 4)
    corners = xywhn_to_xyxy(normalised, width_px=width_px, height_px=height_px)
    edges = np.array((width_px, height_px) * 2, dtype=np.float64)
    return GroundTruth(
        image=image,
        boxes_xyxy=np.clip(corners, 0.0, edges),  # a half may round beyond the edge
        class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
    )


def annotations_digest(image: ImageAnnotations) -> str:
    """SHA-256 of all that is annotated in an image, whatever the order of its objects and columns."""
    objects = sorted(json.dumps(_canonical(each), sort_keys=True) for each in image.objects)
    content = json.dumps([objects, dict(image.attributes)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


def _corners(each: AnnotatedObject) -> tuple[float, float, float, float]:
    x, y, width, height = each.xywh
    return x, y, x + width, y + height


def _canonical(each: AnnotatedObject) -> dict[str, Any]:
    """An object without its place: numbers as floats, so that 10 and 10.0 are the same."""
    outline = each.segmentation
    return {
        "category": each.category,
        "xywh": [float(value) for value in each.xywh],
        "crowd": each.is_crowd,
        "difficult": each.is_difficult,
        "area": None if each.area_px2 is None else float(each.area_px2),
        "segmentation": (
            dict(outline)
            if isinstance(outline, Mapping)
            else [[float(value) for value in polygon] for polygon in outline or ()]
        ),
    }
