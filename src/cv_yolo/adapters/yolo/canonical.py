"""`annotations.json` of a data set's folder: all that is annotated, as one COCO JSON.

YOLO's label text holds neither crowds nor areas nor outlines. Where the file is there, the evaluator reads it, and the
label text, which the trainer's boxes are compared with, must agree with it.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from cv_yolo.adapters.yolo.entries import bytes_of, is_absent, is_file
from cv_yolo.adapters.yolo.labels import label_bytes, read_label
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations, Segmentation
from cv_yolo.domain.data.class_names import listed
from cv_yolo.domain.data.counting import annotations_digest, count_objects
from cv_yolo.domain.data.label_text import LabelText
from cv_yolo.domain.data.manifest import ImageRecord, Split
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError

NAME: Final = "annotations.json"
FORMAT: Final = "cv-yolo annotations 1"
REMOVE: Final = (
    "import the data again; or remove annotations.json: then the label text counts alone, without crowds and areas"
)

_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Image(TypedDict):
    id: int
    file_name: str
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    split: Split
    attributes: NotRequired[dict[str, str]]


class _Category(TypedDict):
    id: int
    name: str


class _Annotation(TypedDict):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[_Number, _Number, _Number, _Number]
    iscrowd: NotRequired[Annotated[int, Field(ge=0, le=1)]]
    difficult: NotRequired[bool]
    area: NotRequired[_Number]
    area_of_box: NotRequired[bool]
    segmentation: NotRequired[list[list[_Number]] | dict[str, Any]]


class _File(TypedDict):
    info: dict[str, Any]
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


_FILE: Final = TypeAdapter(_File)


def read_annotations(root: Path, classes: tuple[str, ...]) -> dict[str, ImageAnnotations] | None:
    """The annotated images by path; None where the folder has no such file. Raises `DatasetError`."""
    path = root / NAME
    if is_absent(path):
        return None
    try:
        content = _FILE.validate_json(bytes_of(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DatasetError(f"{path}: {where or 'the file'}: {first['msg']}", hint=REMOVE) from error
    names = {each["id"]: each["name"] for each in content["categories"]}
    if tuple(names.values()) != classes:
        raise DatasetError(
            f"{path}: the classes {listed(tuple(names.values()))}, but data.yaml names {listed(classes)}", hint=REMOVE
        )
    objects = _objects(path, content, names)
    images = {
        each["file_name"]: ImageAnnotations(
            path=each["file_name"],
            width_px=each["width"],
            height_px=each["height"],
            objects=tuple(objects[each["id"]]),
            split=each["split"],
            attributes=each.get("attributes", {}),
        )
        for each in content["images"]
    }
    if len(images) < len(content["images"]) or len({each["id"] for each in content["images"]}) < len(images):
        raise DatasetError(f"{path}: an image is listed twice", hint=REMOVE)
    return images


def write_annotations(root: Path, dataset: AnnotatedDataset) -> None:
    """Write all of it; paths are those of the images in the folder."""
    numbers = dataset.category_ids or {name: number for number, name in enumerate(dataset.classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(sorted(dataset.images, key=lambda each: each.path), start=1):
        size = {"width": image.width_px, "height": image.height_px}
        columns = {"attributes": dict(image.attributes)} if image.attributes else {}
        images.append({"id": number, "file_name": image.path, **size, "split": image.split, **columns})
        for each in image.objects:
            place = {"id": len(annotations) + 1, "image_id": number, "category_id": numbers[each.category]}
            annotations.append(place | _content(each))
    content = {
        "info": {"description": FORMAT},
        "images": images,
        "categories": [{"id": numbers[name], "name": name} for name in dataset.classes],
        "annotations": annotations,
    }
    (root / NAME).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def is_ours(root: Path) -> bool:
    """Whether the folder is that of an imported data set, by the beginning of its file."""
    path = root / NAME
    return is_file(path) and FORMAT.encode() in bytes_of(path)[: 2 * len(FORMAT) + len('{"info": {"description": ')]


def with_annotations(
    root: Path,
    images: list[ImageRecord],
    classes: tuple[str, ...],
    *,
    known: Collection[str],
    refusals: Refusals,
) -> list[ImageRecord]:
    """The records with the hashes of their annotations, which must agree with label text; the same without the file.

    `known` are the paths of all images that the splits have. What disagrees is collected among the refusals.
    """
    annotated: dict[str, ImageAnnotations] | None = None
    with refusals.going_on():
        annotated = read_annotations(root, classes)
    if annotated is None:
        return images
    found = []
    for record in images:
        with refusals.going_on():
            found.append(_with_hash(root, record, annotated, classes))
    if missing := sorted(annotated.keys() - set(known)):
        more = "" if len(missing) == 1 else f" and {len(missing) - 1} more"
        refusals.refuse(
            DatasetError(
                f"{root / NAME}: lists images that no split has: {missing[0]}{more}",
                hint=f"restore the images, or {REMOVE}",
            )
        )
    return found


def _with_hash(
    root: Path, record: ImageRecord, annotated: Mapping[str, ImageAnnotations], classes: tuple[str, ...]
) -> ImageRecord:
    label, size_px = root / record.label, (record.width_px, record.height_px)
    written = read_label(label, label_bytes(label), class_count=len(classes), size_px=size_px)
    image = agreed_annotations(root, record, written, annotated, classes)
    attributes = {**image.attributes, **record.attributes}
    return replace(record, annotations_sha256=annotations_digest(image), attributes=attributes)


def agreed_annotations(
    root: Path,
    record: ImageRecord,
    written: LabelText,
    annotated: Mapping[str, ImageAnnotations],
    classes: tuple[str, ...],
) -> ImageAnnotations:
    """The annotations of an image; raises `DatasetError` where its size or its label text has something else."""
    image = annotated.get(record.image)
    if image is None:
        raise DatasetError(f"{root / record.image}: not in {NAME}", hint=REMOVE)
    size_px = (record.width_px, record.height_px)
    if (image.width_px, image.height_px) != size_px:
        raise DatasetError(
            f"{root / record.image}: {size_px[0]} x {size_px[1]} px, {NAME} has {image.width_px} x {image.height_px}",
            hint=REMOVE,
        )
    counted = count_objects(image, classes).label
    here, there = (sorted((box.class_id, box.xywhn) for box in each.boxes) for each in (written, counted))
    if here != there:
        what = f"{len(here)} boxes, {NAME} has {len(there)}" if len(here) != len(there) else f"other boxes than {NAME}"
        raise DatasetError(f"{root / record.label}: {what}", hint=REMOVE)
    return image


def _objects(path: Path, content: _File, names: Mapping[int, str]) -> dict[int, list[AnnotatedObject]]:
    known = {each["id"] for each in content["images"]}
    objects: dict[int, list[AnnotatedObject]] = defaultdict(list)
    for each in content["annotations"]:
        place = f"{path}: annotation {each['id']}"
        if each["image_id"] not in known or each["category_id"] not in names:
            raise DatasetError(f"{place}: an image or a category that is not listed", hint=REMOVE)
        objects[each["image_id"]].append(
            AnnotatedObject(
                category=names[each["category_id"]],
                xywh=each["bbox"],
                is_crowd=bool(each.get("iscrowd", 0)),
                is_difficult=each.get("difficult", False),
                area_px2=None if each.get("area_of_box", False) else each.get("area"),
                segmentation=each.get("segmentation") or None,
                place=place,
            )
        )
    return objects


def _content(each: AnnotatedObject) -> dict[str, Any]:
    """COCO's keys; readers of COCO files need an area, so that of the box is marked as such."""
    x, y, width, height = each.xywh
    area = {"area": width * height, "area_of_box": True} if each.area_px2 is None else {"area": each.area_px2}
    return {
        "bbox": [x, y, width, height],
        **area,
        "iscrowd": int(each.is_crowd),
        **({"difficult": True} if each.is_difficult else {}),
        "segmentation": _plain(each.segmentation),
    }


def _plain(outline: Segmentation | None) -> Any:
    if isinstance(outline, Mapping):
        return dict(outline)
    return [list(polygon) for polygon in outline or ()]
