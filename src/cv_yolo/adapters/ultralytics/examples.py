"""The examples of a training: the manifest's images with the boxes that the port reads for them, and their checks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotations import xyxy_to_xywhn
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.training.specs import TrainingRequest
from cv_yolo.errors import TrainingFailedError
from cv_yolo.ports.datasets import DatasetFolder


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One image of a split: where it lies (links are not followed), what it must be, and its boxes.

    `rows`, (N, 5), are class, centre and size as shares of the image, in single precision, as they are trained on.
    """

    image: str
    path: str
    sha256: str
    shape: tuple[int, int]
    rows: npt.NDArray[np.float32]


Examples = Mapping[Split, tuple[Example, ...]]


def examples_of(request: TrainingRequest, folder: DatasetFolder) -> Examples:
    """The images of train and val in the order of their paths."""
    return {split: _examples(request, split, folder) for split in (Split.TRAIN, Split.VAL)}


def require_same(split: Split, dataset: Any, examples: tuple[Example, ...]) -> None:
    """Compare what Ultralytics holds after loading with what it was given.

    Raises `TrainingFailedError` that names the first difference, by the order of paths.
    """
    held = dict(zip(dataset.im_files, dataset.labels, strict=False))
    if len(dataset.im_files) != len(dataset.labels):
        raise _difference(split, "", f"{len(dataset.im_files)} images but {len(dataset.labels)} labels are loaded")
    for example in examples:
        if example.path not in held:
            raise _difference(split, example.image, "the image is not loaded")
        if difference := _label_difference(held[example.path], example):
            raise _difference(split, example.image, difference)
    if len(dataset.im_files) != len(examples) or len(held) != len(examples):
        known = {example.path for example in examples}
        others = [path for path in dataset.im_files if path not in known]
        raise _difference(split, others[0] if others else "", f"{len(dataset.im_files)} images, not {len(examples)}")
    require_unchanged(split, examples)


def require_unchanged(split: Split, examples: tuple[Example, ...]) -> None:
    """Compare the images on disk with the manifest; raises `TrainingFailedError` that names the first difference."""
    for example in examples:
        try:
            sha256 = hashlib.sha256(Path(example.path).read_bytes()).hexdigest()
        except OSError as error:
            raise _difference(split, example.image, f"cannot be read: {error.strerror}") from error
        if sha256 != example.sha256:
            raise _difference(split, example.image, "the image changed since the data set was read")


def _examples(request: TrainingRequest, split: Split, folder: DatasetFolder) -> tuple[Example, ...]:
    records = request.manifest.split(split)
    truths = {each.image: each for each in folder.ground_truth(request.dataset_root, request.manifest, split)}
    found = []
    for record in records:
        truth = truths[record.image]
        corners, class_ids = truth.boxes_xyxy[truth.trained_on], truth.class_ids[truth.trained_on]
        boxes = xyxy_to_xywhn(corners, width_px=record.width_px, height_px=record.height_px)
        found.append(
            Example(
                image=record.image,
                path=str(request.dataset_root / record.image),
                sha256=record.image_sha256,
                shape=(record.height_px, record.width_px),
                rows=np.column_stack([class_ids, boxes]).astype(np.float32).reshape(-1, 5),
            )
        )
        if len(found[-1].rows) != record.boxes:
            raise _difference(split, record.image, f"{len(found[-1].rows)} boxes, not the {record.boxes} recorded")
    return tuple(sorted(found, key=lambda example: example.path))


def _label_difference(label: Mapping[str, Any], example: Example) -> str | None:
    classes, boxes = np.asarray(label["cls"]).reshape(-1), np.asarray(label["bboxes"]).reshape(-1, 4)
    if not len(classes) == len(boxes) == len(example.rows):
        return f"{len(boxes)} boxes, not {len(example.rows)}"
    if not np.array_equal(np.column_stack([classes, boxes]).astype(np.float32), example.rows):
        return "boxes or classes differ from those of the manifest"
    if (label.get("bbox_format"), label.get("normalized")) != ("xywh", True):
        return "the boxes are in another form than they were given"
    shape = label.get("shape", example.shape)
    return None if tuple(shape) == example.shape else f"{shape[1]} × {shape[0]} pixels, not those of the manifest"


def _difference(split: Split, image: str, what: str) -> TrainingFailedError:
    where = f"{split}: {image}" if image else str(split)
    return TrainingFailedError(
        f"the training's data differ from the manifest: {where}: {what}",
        hint="run the same command again: the data set is read again first",
    )
