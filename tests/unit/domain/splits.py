"""Random splits, with which laws are tried."""

from dataclasses import replace

import numpy as np
from hypothesis import settings

from cv_yolo.domain.evaluation.evaluation import score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.metrics import rank_matches
from cv_yolo.domain.evaluation.split_boxes import MAX_DETECTIONS, gather
from tests.builders import a_subject, a_truth, some_detections

LAWS = settings(max_examples=40, deadline=None, database=None)
CLASSES = ("person", "dog", "tree")  # a tree is annotated nowhere
FAR_AWAY = (5000.0, 5000.0, 5050.0, 5050.0)  # where nothing is annotated


def a_random_split(seed, *, images=5, levels=None, crowds=0.0):
    """Persons and dogs with detections near them and anywhere, of all classes; an image in five is empty.

    Confidences lie between 0.1 and 0.9 and are distinct, or from as few `levels` as given. `crowds` is the chance of a
    truth to be one.
    """
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for number in range(images):
        count = 0 if rng.random() < 0.2 else int(rng.integers(1, 6))
        corners = rng.uniform(0, 200, size=(count, 2))
        boxes = np.concatenate([corners, corners + np.exp(rng.uniform(2.5, 5, size=(count, 2)))], axis=1)
        near = np.repeat(np.arange(count), rng.integers(0, 4, size=count))
        moved = boxes[near] + rng.normal(0, 0.12, size=(len(near), 4)) * np.tile(boxes[near, 2:] - boxes[near, :2], 2)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        anywhere = rng.uniform(0, 200, size=(int(rng.integers(0, 4)), 2))
        detected = np.concatenate([moved, np.concatenate([anywhere, anywhere + 40], axis=1)])
        kinds = rng.integers(0, 2, size=count)
        sure = rng.uniform(0.1, 0.9, size=len(detected))
        truth = a_truth(*boxes, image=f"{number}.jpg", classes=kinds)
        truths.append(replace(truth, crowds=rng.random(count) < crowds))
        found.append(
            some_detections(
                *detected,
                image=f"{number}.jpg",
                classes=np.concatenate([kinds[near], rng.integers(0, len(CLASSES), size=len(anywhere))]),
                confidences=sure if levels is None else np.ceil(sure * levels) / levels,
            )
        )
    return truths, found


def table_of(truths, found):
    """The boxes of a split of `CLASSES`."""
    return gather(truths, found, classes=len(CLASSES))


def matching_of(table, **how):
    """What COCO's rule makes of it."""
    return match(table, find_overlaps(table, least=float(IOU_THRESHOLDS[0])), **how)


def ranking_of(truths, found, *, max_detections=MAX_DETECTIONS, **how):
    """The ranking of a split of `CLASSES`."""
    table = table_of(truths, found)
    return rank_matches(table, matching_of(table, **how), max_detections=max_detections)


def with_detection(found, image, box, *, class_id, confidence):
    """The same detections and one more, in the image of that index, behind the others."""
    before = found[image]
    after = some_detections(
        *before.boxes_xyxy,
        box,
        image=before.image,
        classes=[*before.class_ids, class_id],
        confidences=[*before.confidences, confidence],
    )
    return [*found[:image], after, *found[image + 1 :]]


SUBJECT = a_subject(classes=CLASSES)
FEW = Resampling(resamples=20)


def scored(truths, found, *, resampling=FEW, subject=SUBJECT, **how):
    """The score of a split of `CLASSES`, with few resamples."""
    return score(subject, truths, found, resampling=resampling, **how)
