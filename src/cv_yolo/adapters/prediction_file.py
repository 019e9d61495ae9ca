"""Predictions as files: our own (numpy's npz: small, nothing lost), and COCO's results JSON, which others write."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from pydantic import TypeAdapter

from cv_yolo.domain.annotations import Detections
from cv_yolo.domain.evaluation import BATCH, PredictionSettings
from cv_yolo.errors import EvaluationFailedError, InputError
from cv_yolo.ports import Prediction

_SETTINGS: Final[TypeAdapter[PredictionSettings | None]] = TypeAdapter(PredictionSettings | None)
_CLASSES: Final[TypeAdapter[tuple[str, ...] | None]] = TypeAdapter(tuple[str, ...] | None)
BOX_VALUES: Final = 4


class NpzPredictionFile:
    """One array for each column over all images, and a description as JSON; written without pickled objects."""

    def write(self, path: Path, prediction: Prediction) -> None:
        """Write all detections with how they came about."""
        found = prediction.detections
        described = {
            "images": [each.image for each in found],
            "predictor": prediction.predictor,
            "classes": prediction.classes,
            "settings": _SETTINGS.dump_python(prediction.settings, mode="json"),
            "latency_ms": prediction.latency_ms,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(
            path,
            description=np.array(json.dumps(described)),
            counts=np.array([len(each.class_ids) for each in found], dtype=np.int64),
            boxes_xyxy=_narrow(np.concatenate([np.empty((0, 4)), *(each.boxes_xyxy for each in found)])),
            class_ids=np.concatenate([np.empty(0, np.int64), *(each.class_ids for each in found)]),
            confidences=_narrow(np.concatenate([np.empty(0), *(each.confidences for each in found)])),
        )

    def read(self, content: bytes, images: Sequence[str]) -> Prediction:
        """The prediction for exactly these images."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                described = json.loads(str(file["description"]))
                bounds = np.cumsum(file["counts"])[:-1]
                columns = [np.split(file[name], bounds) for name in ("boxes_xyxy", "class_ids", "confidences")]
            found = {
                image: Detections(
                    image=image,
                    boxes_xyxy=boxes.astype(np.float64),
                    class_ids=class_ids,
                    confidences=confidences.astype(np.float64),
                )
                for image, boxes, class_ids, confidences in zip(described["images"], *columns, strict=True)
            }
            settings = _settings(described["settings"])
            predictor, latency_ms = described["predictor"], described["latency_ms"]
            classes = _CLASSES.validate_python(described.get("classes"))  # absent in files of earlier versions
        except Exception as error:  # numpy, zip, zlib and JSON raise many kinds for a file that is damaged
            raise EvaluationFailedError(f"kept detections cannot be read: {' '.join(str(error).split())}") from error
        if found.keys() != set(images):
            raise EvaluationFailedError("kept detections are of other images than those asked for")
        return Prediction(
            detections=tuple(found[image] for image in images),
            predictor=predictor,
            classes=classes,
            settings=settings,
            latency_ms=latency_ms,
        )

    def read_coco(self, path: Path, images: Sequence[str], *, first_class: int) -> Prediction:
        """Detections from a COCO results JSON: a list of `image_id`, `category_id`, `bbox` (x, y, w, h), `score`.

        An `image_id` is an image's path, its name, its stem, or the number that its stem spells (as COCO's do).
        """
        by_image: dict[str, list[dict[str, Any]]] = {image: [] for image in images}
        names = _names(images)
        for number, row in enumerate(_rows(path)):
            image = names.get(_key(row["image_id"]))
            if image is None:
                raise InputError(f"{path}: result {number}: no image {row['image_id']!r} in the split")
            by_image[image].append(row)
        return Prediction(
            detections=tuple(_from_coco(image, rows, first_class) for image, rows in by_image.items()),
            predictor=f"results file {path.name}",
        )


def _settings(described: dict[str, Any] | None) -> PredictionSettings | None:
    """Files of earlier versions do not say the letterbox: it was the batch's."""
    return _SETTINGS.validate_python(None if described is None else {"letterbox": BATCH} | described)


def _narrow(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, Any]:
    """The same numbers in half the space, where they came from single precision."""
    single = values.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), values) else values


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {' '.join(str(error).split())}") from error
    if not isinstance(rows, list):
        raise InputError(f"{path}: not a COCO results file: expected a list of detections")
    for number, row in enumerate(rows):
        if complaint := _complaint(row):
            raise InputError(f"{path}: result {number}: {complaint}")
    return rows


def _complaint(row: Any) -> str | None:
    """What is wrong with a result; None where nothing is."""
    if not isinstance(row, dict) or not {"image_id", "category_id", "bbox", "score"} <= row.keys():
        return "expected image_id, category_id, bbox and score"
    box, class_number, confidence = row["bbox"], row["category_id"], row["score"]
    if not isinstance(box, list) or len(box) != BOX_VALUES or not all(map(_is_number, box)) or min(box[2:]) < 0:
        return "bbox must be x, y, width, height, four numbers, the last two not negative"
    if not _is_number(class_number) or class_number != int(class_number):
        return "category_id must be a whole number"
    if not _is_number(confidence) or not 0 <= confidence <= 1:
        return "score must be a number from 0 to 1"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _from_coco(image: str, rows: list[dict[str, Any]], first_class: int) -> Detections:
    boxes = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, BOX_VALUES)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        image=image,
        boxes_xyxy=boxes,
        class_ids=np.array([row["category_id"] for row in rows], dtype=np.int64) - first_class,
        confidences=np.array([row["score"] for row in rows], dtype=np.float64),
    )


def _names(images: Sequence[str]) -> dict[str, str]:
    """Every way to name an image that names one only."""
    names: dict[str, set[str]] = {}
    for image in images:
        path = PurePosixPath(image)
        for name in {image, path.name, path.stem, _key(int(path.stem)) if path.stem.isdecimal() else image}:
            names.setdefault(name, set()).add(image)
    return {name: found.pop() for name, found in names.items() if len(found) == 1}


def _key(image_id: object) -> str:
    return str(image_id)
