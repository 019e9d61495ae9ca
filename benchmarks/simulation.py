"""Detectors whose truth is known: simulated images, and what a model of a given skill finds in them.

Every image has a difficulty and every object a hardness that all models face alike, so that two models succeed and fail
on the same images, as real ones do. Given these, their errors are independent. A model misses objects, places boxes
inexactly, takes one class for another, reports an object twice and sees what is not there; confidences separate right
from wrong only partly. Detections are scored by the project's evaluator and nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.split_boxes import SplitBoxes, gather

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Columns = tuple[Ints, Floats, Ints, Floats]  # image, pixel corners, class, confidence

SIZE_PX: Final = 640.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where images come from: how often each class occurs, how many objects an image has, how much images differ.

    The number of objects is a Poisson number whose mean varies from image to image by a gamma factor (`crowding` is
    that factor's shape: the smaller, the more uneven), so some images are empty and some are full.
    """

    classes: tuple[float, ...] = (1.0,)
    objects: float = 2.0
    crowding: float = 2.0
    difficulty: float = 0.8
    hardness: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A detector: its skill moves all its errors at once; 0 is an ordinary detector, higher is better."""

    skill: float = 0.0
    inexact: float = 0.06  # of a box's side, for an object of ordinary hardness
    imagined: float = 1.5  # false detections in an ordinary image
    twice: float = 0.08
    mistaken: float = 0.06


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenes:
    """N objects in n images: image index, pixel corners, class, hardness (N,); difficulty of each image (n,)."""

    image: Ints
    boxes_xyxy: Floats
    class_id: Ints
    hardness: Floats
    difficulty: Floats

    @property
    def images(self) -> int:
        """How many there are."""
        return len(self.difficulty)


def draw_scenes(world: World, images: int, rng: np.random.Generator) -> Scenes:
    """New images from the world."""
    difficulty = rng.normal(0, world.difficulty, size=images)
    counts = rng.poisson(world.objects * rng.gamma(world.crowding, 1 / world.crowding, size=images))
    image = np.repeat(np.arange(images), counts)
    hardness = difficulty[image] + rng.normal(0, world.hardness, size=len(image))
    class_id = rng.choice(len(world.classes), size=len(image), p=world.classes)
    return Scenes(
        image=image, boxes_xyxy=_boxes(len(image), rng), class_id=class_id, hardness=hardness, difficulty=difficulty
    )


def detect(model: Model, world: World, scenes: Scenes, rng: np.random.Generator) -> SplitBoxes:
    """What the model finds in the scenes, in addition to what is there."""
    container = (_found(model, world, scenes, rng), _imagined(model, world, scenes, rng))
    image, boxes, class_id, confidence = (np.concatenate(column) for column in zip(*container, strict=True))
    order = np.argsort(image, kind="stable")
    detected = _by_image(image[order], scenes.images, boxes[order], class_id[order], confidence[order])
    annotated = _by_image(scenes.image, scenes.images, scenes.boxes_xyxy, scenes.class_id)
    return gather(
        [
            GroundTruth(image=str(number), boxes_xyxy=boxes, class_ids=class_ids)
            for number, (boxes, class_ids) in enumerate(annotated)
        ],
        [
            Detections(image=str(number), boxes_xyxy=boxes, class_ids=class_ids, confidences=confidences)
            for number, (boxes, class_ids, confidences) in enumerate(detected)
        ],
        classes=len(world.classes),
    )


def _found(model: Model, world: World, scenes: Scenes, rng: np.random.Generator) -> Columns:
    """Detections of what is there: the harder an object, the rarer, the less exact and the less sure."""
    seen = np.flatnonzero(rng.random(len(scenes.image)) < _logistic(1.6 + model.skill - scenes.hardness))
    row = np.concatenate([seen, seen[rng.random(len(seen)) < model.twice]])
    hardness, boxes = scenes.hardness[row] - model.skill, scenes.boxes_xyxy[row]
    spread = model.inexact * np.exp(0.35 * hardness)[:, None] * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + spread * rng.normal(size=boxes.shape)
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    mistaken = rng.random(len(row)) < model.mistaken
    class_id = (scenes.class_id[row] + mistaken) % len(world.classes)
    sure = 1.5 - 0.7 * hardness - mistaken + rng.normal(size=len(row))
    return scenes.image[row], boxes, class_id, _logistic(sure)


def _imagined(model: Model, world: World, scenes: Scenes, rng: np.random.Generator) -> Columns:
    """Detections of what is not there: the harder an image, the more."""
    hardness = 0.5 * (scenes.difficulty - model.skill)
    image = np.repeat(np.arange(scenes.images), rng.poisson(model.imagined * np.exp(hardness)))
    class_id = rng.choice(len(world.classes), size=len(image), p=world.classes)
    sure = -1.2 + 0.3 * hardness[image] + 1.1 * rng.normal(size=len(image))
    return image, _boxes(len(image), rng), class_id, _logistic(sure)


def _boxes(count: int, rng: np.random.Generator) -> Floats:
    side = np.minimum(np.exp(rng.normal(4.2, 0.6, size=(count, 2))), SIZE_PX / 2)
    low = rng.random((count, 2)) * (SIZE_PX - side)
    return np.concatenate([low, low + side], axis=1)


def _logistic(value: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-value)))


def _by_image(image: Ints, images: int, *columns: npt.NDArray[np.generic]) -> Iterator[tuple[Any, ...]]:
    """The columns of each image in turn; their rows are in the order of the images."""
    bounds = np.searchsorted(image, np.arange(images + 1)).tolist()
    return (tuple(column[low:high] for column in columns) for low, high in pairwise(bounds))
