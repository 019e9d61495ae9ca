"""COCO's JSON of detection and segmentation, as people have it and as tools write it.

Source: https://cocodataset.org/#format-data ("Object Detection"), and pycocotools, which reads it. `bbox` is x, y,
width and height in pixels, the upper left corner of the picture at 0, 0; `iscrowd` marks a region of many objects.

One file for each split (`annotations/instances_train2017.json`, Roboflow's `train/_annotations.coco.json`) or one for
all are read. Ids are any numbers or texts. We add the keys `split` and `attributes` to images and `difficult` to
annotations, so that nothing is lost between an import and an export; other readers pass over them.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cv_yolo.adapters.formats.documents import (
    flag,
    glance,
    identifier,
    number,
    objects,
    read_json,
    shown,
    stated_size,
    text,
)
from cv_yolo.adapters.formats.outlines import XYWH, box_around, box_around_rotated, checked_outline
from cv_yolo.adapters.formats.source import (
    SPLITS,
    FoundImage,
    SourceFolder,
    require_in_image,
    some_files,
    split_of_file,
    split_of_folder,
)
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations, Segmentation
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.names import printable
from cv_yolo.errors import DatasetError
from cv_yolo.files import write_whole

WRITTEN_HERE: Final = "COCO annotations, written by cv-yolo"
OTHER_TASKS: Final = re.compile(r"(captions|panoptic|stuff|image_info|person_keypoints)_")
KEYS: Final = ("images", "annotations", "categories")
TYPICAL_KEYS: Final = (*KEYS, "image_id", "category_id", "file_name")
LEAST_KEYS: Final = 2  # of the typical ones, by which a file is recognised
SIDES: Final = ("x", "y", "width", "height")
LEAST_BOXES: Final = 3  # of which a file must have more than half over the edge to be taken for one of corners
AGAIN: Final = "export the annotations once more, or correct the file"


def detect(root: Path) -> bool:
    """Whether there is a COCO file; looks at the first and last bytes of some JSON files."""
    return any(_looks_like_coco(path) for path in some_files(root, ".json"))


def read(root: Path) -> AnnotatedDataset:
    """Read all COCO files of a folder; raises one `DatasetError` of all that is wrong with them."""
    source = SourceFolder(root)
    files = [_CocoFile(source, path) for path in _annotation_files(source)]
    images = [image for file in files for image in file.annotated_images()]
    source.conclude()
    classes = tuple(dict.fromkeys(name for file in files for name in file.names.values()))
    if not classes:
        raise DatasetError(f"{root}: the COCO files name no categories", hint=AGAIN)
    source.note_unlisted()
    for name in dict.fromkeys(name for file in files for name in file.groups if name not in classes):
        source.findings.add(FindingKind.UNUSED_CLASSES, name, subject="no annotation uses it, it groups the others")
    return AnnotatedDataset(
        classes=classes,
        images=tuple(sorted(images, key=lambda image: image.path)),
        category_ids=_category_ids(files),
        findings=source.findings.all(),
    )


def write(dataset: AnnotatedDataset, out: Path) -> None:
    """Write one COCO file of all splits; `file_name` is the path of the image, the same data give the same bytes."""
    ids = _ids_to_write(dataset)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, image in enumerate(dataset.images, start=1):
        images.append(_image_to_write(image_id, image))
        for each in image.objects:
            annotations.append(_annotation_to_write(len(annotations) + 1, image_id, ids[each.category], each))
    categories = [{"id": ids[name], "name": name} for name in dataset.classes]
    content = {"info": {"description": WRITTEN_HERE}, "images": images, "annotations": annotations}
    content["categories"] = categories
    write_whole(out, json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")


class _CocoFile:
    """One COCO file: its classes by id, and its images with their annotations."""

    def __init__(self, source: SourceFolder, path: PurePosixPath) -> None:
        self.source, self.path, self.split = source, path, split_of_file(path)
        self.shown = printable(path)
        self.names: dict[str, str] = {}  # by category id
        self.groups: list[str] = []  # categories that only name the supercategory of others
        self._images: Sequence[Mapping[str, Any]] = ()
        self._annotations: dict[str, list[tuple[str, Mapping[str, Any]]]] = defaultdict(list)
        self._used: set[str] = set()  # ids of categories
        self._boxes, self._over, self._as_corners = 0, 0, 0
        self._is_ours = False  # what was written here has no corners in `bbox`, however odd its boxes are
        with source.collecting(self.shown):
            content = read_json(source.root / path)
            if not isinstance(content, dict):
                raise DatasetError(f"the file is {shown(content)}, expected an object")
            images, annotations, categories = (objects(content.get(key), key) for key in KEYS)
            self._is_ours = content.get("info") == {"description": WRITTEN_HERE}
            self._images = images
            self._group_annotations(annotations)
            self._read_categories(categories)

    def annotated_images(self) -> Iterator[ImageAnnotations]:
        """The images with their objects, without what is refused."""
        for index, record in enumerate(self._images):
            with self.source.collecting(f"{self.shown}: images[{index}]"):
                yield self._annotated_image(index, record)
        all_as_corners = self._boxes >= LEAST_BOXES and self._as_corners == self._boxes
        if all_as_corners and 2 * self._over > self._boxes and not self._is_ours:
            with self.source.collecting(self.shown):
                raise DatasetError(
                    "`bbox` seems to hold two corners: most boxes would reach over the edge of their images",
                    hint="COCO's `bbox` is x, y, width, height",
                )

    def _read_categories(self, categories: Sequence[Mapping[str, Any]]) -> None:
        named: set[str] = set()
        supers = {each.get("supercategory") for each in categories if isinstance(each.get("supercategory"), str)}
        for index, each in enumerate(categories):
            with self.source.collecting(f"{self.shown}: categories[{index}]"):
                key = identifier(each.get("id"), "id")
                if key in self.names:
                    raise DatasetError(f"the id {key} twice", hint=AGAIN)
                self.names[key] = ""  # known, so that not each of its annotations is refused too
                name = self.names[key] = _category_name(each.get("name"))
                is_group = each.get("supercategory") == "none" and name in supers  # Roboflow writes one
                if is_group and key not in self._used:
                    self.groups.append(self.names.pop(key))
                elif name in named:
                    raise DatasetError(f"two categories are named {name!r}", hint="classes are known by their names")
                else:
                    named.add(name)

    def _group_annotations(self, annotations: Sequence[Mapping[str, Any]]) -> None:
        images: set[str] = set()
        for index, record in enumerate(self._images):
            with self.source.collecting(f"{self.shown}: images[{index}]"):
                key = identifier(record.get("id"), "id")
                if key in images:
                    raise DatasetError(f"the id {key} twice", hint=AGAIN)
                images.add(key)
        ids: set[str] = set()
        for index, annotation in enumerate(annotations):
            place = f"{self.shown}: annotations[{index}]"
            with self.source.collecting(place):
                if annotation.get("id") is not None:
                    key = identifier(annotation["id"], "id")
                    place = f"{self.shown}: annotation {key}"
                    if key in ids:
                        raise DatasetError(f"the id {key} twice", hint=AGAIN)
                    ids.add(key)
                image = identifier(annotation.get("image_id"), "image_id")
                if image not in images:
                    raise DatasetError(f"image_id {image} is no image of the file", hint=AGAIN)
                self._used.add(identifier(annotation.get("category_id"), "category_id"))
                self._annotations[image].append((place, annotation))

    def _annotated_image(self, index: int, record: Mapping[str, Any]) -> ImageAnnotations:
        where = f"{self.shown}: images[{index}]"
        stated_split = SPLITS.get(str(record.get("split"))) or self.split
        name = text(record.get("file_name", record.get("coco_url")), "file_name")  # LVIS has the address only
        path = self.source.find(name, where=where, split=stated_split, near=self.path.parent)
        image = self.source.measured(path, stated_size(record.get("width"), record.get("height")))
        found = []
        for place, annotation in self._annotations.pop(identifier(record.get("id"), "id"), ()):
            with self.source.collecting(place):
                found.append(self._object(annotation, place, image))
        return ImageAnnotations(
            path=image.path,
            width_px=image.width_px,
            height_px=image.height_px,
            objects=tuple(found),
            split=stated_split or split_of_folder(path),
            attributes=_attributes(record),
        )

    def _object(self, annotation: Mapping[str, Any], place: str, image: FoundImage) -> AnnotatedObject:
        category = identifier(annotation.get("category_id"), "category_id")
        if category not in self.names:
            raise DatasetError(f"category_id {category} is no category of the file", hint=AGAIN)
        outline, left_out = checked_outline(
            annotation.get("segmentation"), "segmentation", width_px=image.width_px, height_px=image.height_px
        )
        if left_out:
            self.source.findings.add(FindingKind.BROKEN_OUTLINES, place, subject="fewer than three points")
        xywh = self._box(annotation, outline, place)
        require_in_image(xywh, image)
        self._count_corners(xywh, image)
        area = annotation.get("area")
        area_px2 = None if area is None else number(area, "area")
        if area_px2 is not None and area_px2 < 0:
            raise DatasetError(f"area is {shown(area)}, expected no negative number")
        return AnnotatedObject(
            category=self.names[category],
            xywh=xywh,
            is_crowd=flag(annotation.get("iscrowd"), "iscrowd"),
            is_difficult=flag(annotation.get("difficult"), "difficult"),
            area_px2=area_px2,
            segmentation=outline,
            place=place,
        )

    def _box(self, annotation: Mapping[str, Any], outline: Segmentation | None, place: str) -> XYWH:
        bbox = annotation.get("bbox")
        if not bbox and bbox in (None, []):
            around = None if outline is None else box_around(outline)
            if around is None:
                raise DatasetError("neither a bbox nor an outline")
            self.source.findings.add(FindingKind.OUTLINED_OBJECTS, place)
            return around
        if not isinstance(bbox, list) or len(bbox) != len(SIDES):
            raise DatasetError(f"bbox is {shown(bbox)}, expected x, y, width, height")
        x, y, width, height = (number(value, f"bbox {side}") for side, value in zip(SIDES, bbox, strict=True))
        attributes = annotation.get("attributes")
        degrees = attributes.get("rotation") if isinstance(attributes, dict) else None  # of CVAT
        if not degrees:
            return x, y, width, height
        self.source.findings.add(FindingKind.ROTATED_BOXES, place)
        turn = number(degrees, "attributes.rotation")
        return box_around_rotated((x, y, width, height), turn, about=(x + width / 2, y + height / 2))

    def _count_corners(self, xywh: XYWH, image: FoundImage) -> None:
        x, y, x2_or_width, y2_or_height = xywh
        self._boxes += 1
        self._over += x + x2_or_width > image.width_px + 1 or y + y2_or_height > image.height_px + 1
        inside = x2_or_width <= image.width_px + 1 and y2_or_height <= image.height_px + 1
        self._as_corners += x2_or_width > x and y2_or_height > y and inside


def _annotation_files(source: SourceFolder) -> list[PurePosixPath]:
    """The COCO files of objects; those of other tasks over the same images are left out, and counted."""
    found = [path for path in source.with_suffix(".json") if _looks_like_coco(source.root / path)]
    chosen = [path for path in found if not OTHER_TASKS.match(path.name)]
    chosen = chosen or [path for path in found if path.name.startswith("person_keypoints_")]
    if not chosen:
        others = f", only of other tasks ({found[0]})" if found else ""
        raise DatasetError(
            f"{source.root}: no COCO annotations of objects{others}",
            hint="COCO's JSON has `images`, `annotations` and `categories`",
        )
    for path in found:
        if path not in chosen:
            source.findings.add(FindingKind.IGNORED_ANNOTATION_FILES, str(path))
    return chosen


def _looks_like_coco(path: Path) -> bool:
    data = glance(path)
    return data.startswith(b"{") and sum(f'"{key}"'.encode() in data for key in TYPICAL_KEYS) >= LEAST_KEYS


def _category_ids(files: Sequence[_CocoFile]) -> dict[str, int]:
    """The ids of the classes where they are whole numbers, and the same in all files; else none."""
    pairs = {(name, key) for file in files for key, name in file.names.items()}
    names, keys = Counter(name for name, _ in pairs), Counter(key for _, key in pairs)
    if max((*names.values(), *keys.values())) > 1 or not all(key.isascii() and key.isdigit() for key in keys):
        return {}
    return {name: int(key) for file in files for key, name in file.names.items()}


def _category_name(value: object) -> str:
    return str(value) if type(value) is int else text(value, "name")


def _attributes(record: Mapping[str, Any]) -> dict[str, str]:
    attributes = record.get("attributes")
    if not isinstance(attributes, dict):
        return {}
    return {text(key, "attributes"): text(str(value), f"attributes.{key}") for key, value in attributes.items()}


def _ids_to_write(dataset: AnnotatedDataset) -> dict[str, int]:
    """The ids of the source, and for classes without one those after the last, from 1 on."""
    ids = {name: dataset.category_ids[name] for name in dataset.classes if name in dataset.category_ids}
    following = max(ids.values(), default=0) + 1
    missing = [name for name in dataset.classes if name not in ids]
    return ids | {name: number for number, name in enumerate(missing, start=following)}


def _image_to_write(image_id: int, image: ImageAnnotations) -> dict[str, Any]:
    record = {"id": image_id, "file_name": image.path, "width": image.width_px, "height": image.height_px}
    ours: dict[str, Any] = {} if image.split is None else {"split": image.split.value}
    return record | ours | ({"attributes": dict(image.attributes)} if image.attributes else {})


def _annotation_to_write(annotation_id: int, image_id: int, category_id: int, each: AnnotatedObject) -> dict[str, Any]:
    area = each.xywh[2] * each.xywh[3] if each.area_px2 is None else each.area_px2
    record = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(each.xywh),
        "area": area,
        "iscrowd": int(each.is_crowd),
        "segmentation": each.segmentation or [],
    }
    return record | ({"difficult": 1} if each.is_difficult else {})
