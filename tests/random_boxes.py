"""Annotated and detected boxes of a few images, drawn at random: what the laws of the figures are tried on."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.split_boxes import SplitBoxes, gather

CLASSES = 3
Pictures = list[tuple[GroundTruth, Detections]]


def random_pictures(seed: int, *, crowds: float = 0.15) -> Pictures:
    """One to six images with all kinds of errors, some empty; `crowds` is the part of the annotated boxes that are."""
    rng = np.random.default_rng(seed)
    return [_picture(rng, f"{number}.jpg", crowds) for number in range(rng.integers(1, 7))]


def repeated(pictures: Pictures, times: Sequence[int]) -> Pictures:
    """Each image as often as given, the copies next to each other and with different names."""
    return [
        (replace(truth, image=f"{truth.image} {copy}"), replace(found, image=f"{truth.image} {copy}"))
        for (truth, found), count in zip(pictures, times, strict=True)
        for copy in range(count)
    ]


def table_of(pictures: Pictures, *, classes: int = CLASSES) -> SplitBoxes:
    """All boxes of the images in columns."""
    return gather([truth for truth, _ in pictures], [found for _, found in pictures], classes=classes)


def _picture(rng: np.random.Generator, name: str, crowds: float) -> tuple[GroundTruth, Detections]:
    annotated, anywhere = _boxes(rng, rng.integers(0, 7)), _boxes(rng, rng.integers(0, 5))
    class_ids = rng.integers(0, CLASSES, size=len(annotated))
    near = np.repeat(np.arange(len(annotated)), rng.integers(0, 4, size=len(annotated)))
    size = np.tile(annotated[near, 2:] - annotated[near, :2], 2)
    moved = annotated[near] + rng.choice([0.05, 0.2, 0.4]) * rng.normal(size=size.shape) * size
    moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
    mistaken = rng.random(len(near)) < 0.3
    taken_for = np.where(mistaken, rng.integers(0, CLASSES, size=len(near)), class_ids[near])
    return (
        GroundTruth(image=name, boxes_xyxy=annotated, class_ids=class_ids, crowds=rng.random(len(annotated)) < crowds),
        Detections(
            image=name,
            boxes_xyxy=np.concatenate([moved, anywhere]),
            class_ids=np.concatenate([taken_for, rng.integers(0, CLASSES, size=len(anywhere))]),
            confidences=rng.random(len(moved) + len(anywhere)),
        ),
    )


def _boxes(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    low = rng.uniform(0, 100, size=(count, 2))
    return np.concatenate([low, low + np.exp(rng.normal(3.2, 0.6, size=(count, 2)))], axis=1)
