"""Predictions as files: our own (numpy's npz: small, nothing lost), and COCO's results JSON, which others write."""

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeGuard

import numpy as np
from pydantic import TypeAdapter

from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.data.categories import Categories
from cv_yolo.domain.evaluation.evaluation import BATCH, PredictionSettings
from cv_yolo.errors import EvaluationFailedError, InputError
from cv_yolo.ports.models import Prediction

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
            raise EvaluationFailedError(f"stored detections cannot be read: {' '.join(str(error).split())}") from error
        if found.keys() != set(images):
            raise EvaluationFailedError("stored detections are of other images than those requested")
        return Prediction(
            detections=tuple(found[image] for image in images),
            predictor=predictor,
            classes=classes,
            settings=settings,
            latency_ms=latency_ms,
        )

    def read_coco(self, path: Path, images: Sequence[str], *, categories: Categories) -> Prediction:
        """Detections from a COCO results JSON: a list of `image_id`, `category_id`, `bbox` (x, y, w, h), `score`.

        An `image_id` is one that the categories' images name; where they name none, an image's path, its name, its
        stem, or the number that its stem spells (as COCO's do).
        """
        rows = _rows(path)
        classes = categories.places([int(row["category_id"]) for row in rows], results=str(path))
        by_image: dict[str, list[tuple[dict[str, Any], int]]] = {image: [] for image in images}
        names = _names(images)
        for number, (row, class_id) in enumerate(zip(rows, classes, strict=True)):
            image = _find_image(row["image_id"], names, categories)
            if image is None:
                raise InputError(f"{path}: result {number}: {_no_image(row['image_id'], categories)}")
            by_image[image].append((row, class_id))
        return Prediction(
            detections=tuple(_from_coco(image, found) for image, found in by_image.items()),
            predictor=f"results file {path.name}, categories: {categories.source}",
            classes=tuple(categories.names.values()),
        )

    def read_categories(self, path: Path) -> Categories:
        """The categories of COCO annotations, with their images, or of a JSON list of `id` and `name`."""
        content = _json(path)
        rows = content.get("categories") if isinstance(content, dict) else content
        if not isinstance(rows, list) or not rows:
            raise InputError(
                f"{path}: no categories in it: expected COCO annotations, or a JSON list of id and name",
                hint='for example [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]',
            )
        names: dict[int, str] = {}
        for number, row in enumerate(rows):
            if complaint := _category_complaint(row, names):
                raise InputError(f"{path}: category {number}: {complaint}")
            names[int(row["id"])] = row["name"]
        images = content.get("images", []) if isinstance(content, dict) else []
        return Categories(source=path.name, names=names, images=_file_names(path, images))


def _settings(described: dict[str, Any] | None) -> PredictionSettings | None:
    """Files of earlier versions do not say the letterbox: it was the batch's."""
    return _SETTINGS.validate_python(None if described is None else {"letterbox": BATCH} | described)


def _narrow(values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, Any]:
    """The same numbers in half the space, where they came from single precision."""
    single = values.astype(np.float32)
    return single if np.array_equal(single.astype(np.float64), values) else values


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {' '.join(str(error).split())}") from error


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = _json(path)
    if isinstance(rows, dict) and "categories" in rows:
        raise InputError(
            f"{path}: COCO annotations, not a results file: expected a list of detections",
            hint="give a results file; pass annotations, which define its ids, with --categories",
        )
    if not isinstance(rows, list):
        raise InputError(f"{path}: not a COCO results file: expected a list of detections")
    for number, row in enumerate(rows):
        if complaint := _complaint(row):
            raise InputError(f"{path}: result {number}: {complaint}")
    return rows


def _complaint(row: Any) -> str | None:
    """What is wrong with a result, or None."""
    if isinstance(row, dict) and "bbox" not in row and {"segmentation", "keypoints"} & row.keys():
        return "no bbox: only boxes are scored, not segmentations or keypoints"
    if not isinstance(row, dict) or not {"image_id", "category_id", "bbox", "score"} <= row.keys():
        return "expected image_id, category_id, bbox and score"
    box, class_number, confidence = row["bbox"], row["category_id"], row["score"]
    if not isinstance(box, list) or len(box) != BOX_VALUES or not all(map(_is_number, box)) or min(box[2:]) < 0:
        return "bbox must be x, y, width, height, four numbers, the last two not negative"
    if not _is_whole(class_number):
        return "category_id must be a whole number"
    if not _is_number(confidence) or not 0 <= confidence <= 1:
        return "score must be a number from 0 to 1"
    return None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return _is_number(value) and value == int(value)


def _category_complaint(row: Any, before: dict[int, str]) -> str | None:
    """What is wrong with a category, or None."""
    if not isinstance(row, dict) or not {"id", "name"} <= row.keys():
        return "expected id and name"
    if not _is_whole(row["id"]):
        return f"id must be a whole number, not {row['id']!r}"
    if not isinstance(row["name"], str) or not row["name"].strip():
        return f"name must be a string, not {row['name']!r}"
    if int(row["id"]) in before:
        return f"id {row['id']} is given twice: {before[int(row['id'])]!r} and {row['name']!r}"
    if row["name"] in before.values():
        return f"name {row['name']!r} is given twice"
    return None


def _file_names(path: Path, images: Any) -> dict[int | str, str]:
    """File names by image id, as annotations list them."""
    names: dict[int | str, str] = {}
    for number, row in enumerate(images if isinstance(images, list) else [images]):
        if not isinstance(row, dict) or not {"id", "file_name"} <= row.keys():
            raise InputError(f"{path}: image {number}: expected id and file_name")
        image_id, name = row["id"], row["file_name"]
        if not isinstance(image_id, int | str) or isinstance(image_id, bool) or not isinstance(name, str):
            raise InputError(
                f"{path}: image {number}: expected a whole number or a string as id, a string as file_name"
            )
        if image_id in names:
            raise InputError(f"{path}: image {number}: id {image_id!r} is given twice")
        names[image_id] = name
    return names


def _find_image(image_id: Any, names: dict[str, str], categories: Categories) -> str | None:
    """The image of a result: annotations may keep images in other folders, and as other files, than the data set."""
    if not categories.images:
        return names.get(_key(image_id))
    listed = PurePosixPath(_listed(image_id, categories) or "")
    return next((names[name] for name in (str(listed), listed.name, listed.stem) if name in names), None)


def _listed(image_id: Any, categories: Categories) -> str | None:
    """The file name that annotations give an image id; `True` is not an id, though it equals 1 in Python."""
    known = isinstance(image_id, int | str) and not isinstance(image_id, bool)
    return categories.images.get(image_id) if known else None


def _no_image(image_id: Any, categories: Categories) -> str:
    listed = _listed(image_id, categories)
    if categories.images and listed is None:
        return f"{categories.source} lists no image {image_id!r}"
    return f"no image {image_id!r}{'' if listed is None else f' ({listed})'} in the split"


def _from_coco(image: str, found: Sequence[tuple[dict[str, Any], int]]) -> Detections:
    rows = [row for row, _ in found]
    boxes = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, BOX_VALUES)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(
        image=image,
        boxes_xyxy=boxes,
        class_ids=np.array([class_id for _, class_id in found], dtype=np.int64),
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
