"""COCO's annotations and results as they are scored: two JSON files, or their content, without any picture.

Source: https://cocodataset.org/#format-data and https://cocodataset.org/#format-results, and pycocotools, whose order
of images and of equal confidences is kept. What pycocotools takes for something else in silence is refused: images and
categories that the annotations do not list, areas beyond its largest size range, scores that are no confidences.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cv_yolo.adapters.formats.documents import bytes_of, flag, identifier, json_of, number, objects, shown, text
from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth
from cv_yolo.domain.data.names import printable
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.domain.evaluation.image_sets import AnnotatedImages, DetectedImages
from cv_yolo.errors import DatasetError

KEYS: Final = ("images", "annotations", "categories")
SIDES: Final = ("x", "y", "width", "height")
LARGEST_PX2: Final = 1e10  # the end of COCO's size ranges: larger objects are in none of them
FARTHEST_PX: Final = 1e10
MOST_NAMED: Final = 5
NUMBERED: Final = re.compile(r"-?\d{1,18}")
NO_ATTRIBUTES: Final = {"id", "file_name", "width", "height", "coco_url", "flickr_url", "date_captured"}
RESULT_KEYS: Final = ("image_id", "category_id", "bbox", "score")

AGAIN: Final = "export the annotations once more, or correct the file"

Places = npt.NDArray[np.int64]
XYWH = tuple[float, float, float, float]


class CocoJson:
    """Reads annotations and results from files, or the same content from values of Python."""

    def truth(self, source: Path | object, *, name: str) -> AnnotatedImages:
        """The annotated images of COCO annotations; raises `DatasetError` with everything that is wrong."""
        content, sha256 = _content(source, name)
        return _Truth(name, _annotations(content, name), sha256).read()

    def results(self, source: Path | object, truth: AnnotatedImages, *, name: str) -> DetectedImages:
        """The detections of COCO results in these images; raises `DatasetError` with everything that is wrong."""
        content, sha256 = _content(source, name)
        return _Results(name, _rows(content, name), sha256, truth).read()


class _Truth(Refusals):
    """One reading of annotations."""

    def __init__(self, name: str, content: Mapping[str, Any], sha256: str) -> None:
        super().__init__()
        self.name, self.sha256 = name, sha256
        self._images, self._annotations, self._categories = (_list_of(content, key, name) for key in KEYS)

    def read(self) -> AnnotatedImages:
        """The images in the order of their ids, as pycocotools takes them."""
        categories = self._by_id(self._categories, "categories")
        images = self._by_id(self._images, "images")
        names = {key: self._name_of(index, record) for index, (key, record) in enumerate(categories.items())}
        self.conclude(self.name)
        classes = _unambiguous(names)
        ids = sorted(images, key=lambda key: (0, int(key), "") if NUMBERED.fullmatch(key) else (1, 0, key))
        image_ids = {key: place for place, key in enumerate(ids)}
        category_ids = {key: place for place, key in enumerate(categories)}
        truths = self._truths(image_ids, category_ids, _unambiguous({key: _file_name(images[key], key) for key in ids}))
        self.conclude(self.name)
        return AnnotatedImages(
            name=self.name,
            sha256=self.sha256,
            classes=classes,
            truths=truths,
            attributes=tuple(_attributes(images[key]) for key in ids),
            image_ids=image_ids,
            category_ids=category_ids,
        )

    def _by_id(self, records: Sequence[Mapping[str, Any]], what: str) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for index, record in enumerate(records):
            try:
                key = identifier(record.get("id"), "id")
                if key in found:
                    raise DatasetError(f"the id {key} twice", hint=AGAIN)
                found[key] = record
            except DatasetError as error:
                self._refuse(f"{what}[{index}]", error)
        if not records:
            self.refuse(DatasetError(f"{self.name}: `{what}` is empty: nothing can be scored", hint=AGAIN))
        return found

    def _name_of(self, index: int, record: Mapping[str, Any]) -> str:
        try:
            return text(record.get("name", identifier(record["id"], "id")), "name")
        except DatasetError as error:
            self._refuse(f"categories[{index}]", error)
            return ""

    def _truths(
        self, image_ids: Mapping[str, int], category_ids: Mapping[str, int], names: Sequence[str]
    ) -> tuple[GroundTruth, ...]:
        rows: list[list[tuple[int, XYWH, float, bool]]] = [[] for _ in names]
        ids: set[str] = set()
        for index, record in enumerate(self._annotations):
            try:
                if record.get("id") is not None:
                    key = identifier(record["id"], "id")
                    if key in ids:
                        raise DatasetError(f"the id {key} twice", hint=AGAIN)
                    ids.add(key)
                image = _place(record.get("image_id"), image_ids, "image_id", "image")
                category = _place(record.get("category_id"), category_ids, "category_id", "category")
                xywh = _xywh(record.get("bbox"))
                area = xywh[2] * xywh[3] if record.get("area") is None else number(record["area"], "area")
                if not 0 <= area <= LARGEST_PX2:
                    raise DatasetError(f"area is {shown(record.get('area', area))}, expected 0 to 1e10 px²")
                rows[image].append((category, xywh, area, flag(record.get("iscrowd"), "iscrowd")))
            except DatasetError as error:
                self._refuse(f"annotations[{index}]", error)
        if not self.refusals and not any(not crowd for row in rows for *_, crowd in row):
            self.refuse(DatasetError(f"{self.name}: no annotated objects: nothing can be scored", hint=AGAIN))
        return tuple(_ground_truth(name, row) for name, row in zip(names, rows, strict=True))

    def _refuse(self, place: str, error: DatasetError) -> None:
        self.refuse(DatasetError(f"{self.name}: {place}: {error.message}", hint=error.hint))


class _Results(Refusals):
    """One reading of results."""

    def __init__(self, name: str, rows: Sequence[Mapping[str, Any]], sha256: str, truth: AnnotatedImages) -> None:
        super().__init__()
        self.name, self.sha256, self._rows, self._truth = name, sha256, rows, truth

    def read(self) -> DetectedImages:
        """The detections of each image, in the order of the file."""
        images, classes, boxes, scores = self._columns()
        self.conclude(self.name)
        order = np.argsort(images, kind="stable")
        bounds = np.searchsorted(images[order], np.arange(1, len(self._truth.truths)))
        parts = [np.split(column[order], bounds) for column in (classes, boxes, scores)]
        return DetectedImages(
            name=self.name,
            sha256=self.sha256,
            detections=tuple(
                Detections(image=truth.image, class_ids=class_ids, boxes_xyxy=xyxy, confidences=confidences)
                for truth, class_ids, xyxy, confidences in zip(self._truth.truths, *parts, strict=True)
            ),
        )

    def _columns(self) -> tuple[Places, Places, Boxes, npt.NDArray[np.float64]]:
        """Of each result the place of its image and of its class, its corners and its score."""
        found: list[tuple[int, int, XYWH, float]] = []
        images, categories = Counter[str](), Counter[str]()
        for index, row in enumerate(self._rows):
            try:
                image, category, xywh, score = _result(row)
            except DatasetError as error:
                self.refuse(DatasetError(f"{self.name}: results[{index}]: {error.message}", hint=error.hint))
                continue
            if image not in self._truth.image_ids:
                images[image] += 1
            elif category not in self._truth.category_ids:
                categories[category] += 1
            else:
                found.append((self._truth.image_ids[image], self._truth.category_ids[category], xywh, score))
        self._refuse_unknown(images, "images", "are these the annotations of the same images?")
        self._refuse_unknown(categories, "categories", "the ids must be those of `categories` in the annotations")
        return (
            np.array([image for image, *_ in found], dtype=np.int64),
            np.array([category for _, category, *_ in found], dtype=np.int64),
            _corners([xywh for _, _, xywh, _ in found]),
            np.array([score for *_, score in found], dtype=np.float64),
        )

    def _refuse_unknown(self, unknown: Counter[str], what: str, hint: str) -> None:
        if not unknown:
            return
        named = ", ".join(shown(key)[1:-1] for key in list(unknown)[:MOST_NAMED])
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        results = f"{unknown.total()} {'result' if unknown.total() == 1 else 'results'}"
        self.refuse(
            DatasetError(
                f"{self.name}: {results} of {what} that {self._truth.name} does not list: {named}{more}", hint=hint
            )
        )


def _content(source: Path | object, name: str) -> tuple[Any, str]:
    """The content of a file or of a value, and its hash."""
    try:
        data = bytes_of(source) if isinstance(source, Path) else _written(source)
        return json_of(data), hashlib.sha256(data).hexdigest()
    except DatasetError as error:
        raise DatasetError(f"{name}: {error.message}", hint=error.hint) from error


def _written(value: object) -> bytes:
    """A value of Python as the JSON that it would be in a file; NumPy's numbers and arrays are numbers and lists."""
    try:
        return json.dumps(value, default=_plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DatasetError(f"not what JSON can hold: {' '.join(str(error).split())}") from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} in it")


def _annotations(content: Any, name: str) -> Mapping[str, Any]:
    if isinstance(content, list):
        raise DatasetError(
            f"{name}: a list, as results are, expected COCO annotations: an object with `images`, `annotations` and "
            "`categories`",
            hint="--truth takes the annotations; results are given as arguments",
        )
    if not isinstance(content, dict):
        raise DatasetError(f"{name}: {shown(content)}, expected COCO annotations", hint=AGAIN)
    return content


def _rows(content: Any, name: str) -> Sequence[Mapping[str, Any]]:
    if isinstance(content, dict) and {"categories", "annotations", "images"} & content.keys():
        raise DatasetError(
            f"{name}: COCO annotations, expected results: a list of image_id, category_id, bbox and score",
            hint="give the annotations with --truth, and the results of a detector as arguments",
        )
    try:
        return objects(content, "the content")
    except DatasetError as error:
        raise DatasetError(f"{name}: {error.message}", hint="COCO's results are one JSON list") from error


def _list_of(content: Mapping[str, Any], key: str, name: str) -> Sequence[Mapping[str, Any]]:
    try:
        return objects(content.get(key), key)
    except DatasetError as error:
        raise DatasetError(f"{name}: {error.message}", hint="COCO annotations have `images`, `annotations` and "
                           "`categories`") from error  # fmt: skip


def _result(row: Mapping[str, Any]) -> tuple[str, str, XYWH, float]:
    missing = [key for key in RESULT_KEYS if key not in row]
    if missing:
        other = "bbox" in missing and {"segmentation", "keypoints"} & row.keys()
        only = ": only boxes are scored, not segmentations or keypoints" if other else ""
        raise DatasetError(f"no {' and no '.join(missing)}{only}")
    score = number(row["score"], "score")
    if not 0 <= score <= 1:
        raise DatasetError(f"score is {shown(row['score'])}, expected 0 to 1")
    image, category = identifier(row["image_id"], "image_id"), identifier(row["category_id"], "category_id")
    return image, category, _xywh(row["bbox"]), score


def _xywh(bbox: object) -> XYWH:
    if not isinstance(bbox, list) or len(bbox) != len(SIDES):
        raise DatasetError(f"bbox is {shown(bbox)}, expected x, y, width, height")
    x, y, width, height = (number(value, f"bbox {side}") for side, value in zip(SIDES, bbox, strict=True))
    if width < 0 or height < 0:
        raise DatasetError("a bbox of negative width or height", hint="COCO's `bbox` is x, y, width, height")
    if max(abs(x), abs(y), width, height) > FARTHEST_PX or width * height > LARGEST_PX2:
        raise DatasetError("a bbox larger than 1e10 px², which is in none of COCO's size ranges")
    return x, y, width, height


def _place(value: object, places: Mapping[str, int], what: str, noun: str) -> int:
    key = identifier(value, what)
    if key not in places:
        raise DatasetError(f"{what} {shown(key)[1:-1]} is no {noun} of the file", hint=AGAIN)
    return places[key]


def _corners(boxes: Sequence[XYWH]) -> Boxes:
    corners = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    return corners


def _ground_truth(name: str, rows: Sequence[tuple[int, XYWH, float, bool]]) -> GroundTruth:
    return GroundTruth(
        image=name,
        boxes_xyxy=_corners([xywh for _, xywh, _, _ in rows]),
        class_ids=np.array([category for category, *_ in rows], dtype=np.int64),
        areas_px=np.array([area for _, _, area, _ in rows], dtype=np.float64),
        crowds=np.array([crowd for *_, crowd in rows], dtype=np.bool_),
    )


def _unambiguous(names: Mapping[str, str]) -> tuple[str, ...]:
    """The names by id; one that several ids have is followed by the id."""
    counts = Counter(names.values())
    return tuple(name if counts[name] == 1 else f"{name} (id {key})" for key, name in names.items())


def _file_name(record: Mapping[str, Any], key: str) -> str:
    name = record.get("file_name")
    return printable(name) if isinstance(name, str) and name.strip() else f"image {printable(key)}"


def _attributes(record: Mapping[str, Any]) -> dict[str, str]:
    """What may divide the images: single values of the record, and those below its `attributes`."""
    nested = record.get("attributes")
    given = [record, *([nested] if isinstance(nested, dict) else [])]
    return {
        printable(key): str(value).lower() if isinstance(value, bool) else printable(str(value))
        for each in given
        for key, value in each.items()
        if isinstance(value, str | int | float) and key not in NO_ATTRIBUTES
    }
