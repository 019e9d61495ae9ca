"""Label Studio's JSON and JSON-MIN: tasks with regions in percent of their images.

Source: https://labelstud.io/guide/export and https://labelstud.io/guide/task_format. `x`, `y`, `width` and `height` are
percent of `original_width` and `original_height`; `rotation` turns a region clockwise about its upper left corner, in
degrees of the picture in pixels. Images are addresses on the server of Label Studio or in a store, and are found in the
source by their names, with or without the prefix that Label Studio puts before them.

A task has as many annotations as people annotated it. Cancelled ones are left out; of the others the one that is marked
as ground truth counts, else the latest. A task without any is not annotated, and left out; an annotation without
regions is an image without objects. Choices for a whole image become its attributes.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cv_yolo.adapters.formats.documents import glance, number, objects, read_json, shown, text, whole_number
from cv_yolo.adapters.formats.outlines import box_around, box_around_rotated, checked_polygons
from cv_yolo.adapters.formats.source import (
    FoundImage,
    SourceFolder,
    reference_parts,
    require_in_image,
    some_files,
    split_of_folder,
)
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable
from cv_yolo.errors import DatasetError

SIDES: Final = ("x", "y", "width", "height")
LABELS: Final = ("rectanglelabels", "polygonlabels", "labels")
UNLABELLED: Final = {"rectangle", "polygon"}  # shapes whose label is in a region of its own
USUAL_KEYS: Final = ("image", "img", "file_upload")
REFUSED: Final = {
    "brushlabels": "a brush mask",
    "brush": "a brush mask",
    "ellipselabels": "an ellipse",
    "ellipse": "an ellipse",
    "keypointlabels": "a point",
    "keypoint": "a point",
    "videorectangle": "a box of a film",
}
UPRIGHT: Final = 100.0


def detect(root: Path) -> bool:
    """Whether there is an export of Label Studio; looks at the first and last bytes of some JSON files."""
    return any(_is_export(path) for path in some_files(root, ".json"))


def read(root: Path) -> AnnotatedDataset:
    """Read all exports in a folder; raises one `DatasetError` of all that is wrong with them."""
    source, images = SourceFolder(root), []
    paths = [path for path in source.with_suffix(".json") if _is_export(root / path)]
    if not paths:
        raise DatasetError(f"{root}: no export of Label Studio", hint="export the project as JSON or JSON-MIN")
    for path in paths:
        with source.collecting(printable(path)):
            for index, task in enumerate(objects(read_json(root / path), "the export")):
                place = f"{printable(path)}: task {shown(task.get('id', index))}"
                with source.collecting(place):
                    images += _Task(source, path, task, place).annotated_image()
    return source.dataset(images)


class _Task:
    """One image of an export, with its regions."""

    def __init__(self, source: SourceFolder, path: PurePosixPath, task: Mapping[str, Any], place: str) -> None:
        self._source, self._path, self._task, self._place = source, path, task, place

    def annotated_image(self) -> list[ImageAnnotations]:
        """The image with its objects; none where it is not annotated."""
        regions = self._regions()
        if regions is None:
            return []
        reference = _reference(self._task)
        path = self._source.find(reference, where=self._place, near=self._path.parent)
        image = self._source.measured(path, _stated_size(regions))
        found, attributes = self._content(regions, image)
        return [
            ImageAnnotations(
                path=image.path,
                width_px=image.width_px,
                height_px=image.height_px,
                objects=found,
                split=split_of_folder(path),
                attributes=attributes,
            )
        ]

    def _content(
        self, regions: list[Mapping[str, Any]], image: FoundImage
    ) -> tuple[tuple[AnnotatedObject, ...], dict[str, str]]:
        """The objects of the image, and what was chosen for it as a whole."""
        labelled = {shown(region.get("id")) for region in regions if _kind(region) == "labels"}
        found: list[AnnotatedObject] = []
        attributes: dict[str, str] = {}
        for index, region in enumerate(regions):
            place = f"{self._place}: region {shown(region.get('id', index))}"
            with self._source.collecting(place):
                if _is_shape(region):
                    if _kind(region) in UNLABELLED and shown(region.get("id")) in labelled:
                        continue  # its label is in a region of the same id, with the same shape
                    found.append(self._object(region, image, place))
                elif "choices" in _value(region):
                    attributes |= _choices(region)
                else:
                    kind = f"`{printable(_kind(region))}`"
                    self._source.findings.add(FindingKind.IGNORED_ANNOTATIONS, place, subject=kind)
        return tuple(found), attributes

    def _regions(self) -> list[Mapping[str, Any]] | None:
        """The regions of the annotation that counts; None where there is none."""
        key = next((key for key in ("annotations", "completions") if key in self._task), None)
        if key is None:
            return list(_regions_of_min(self._task))
        annotations = objects(self._task[key], key)
        kept = [each for each in annotations if not (each.get("was_cancelled") or each.get("skipped"))]
        for _ in range(len(annotations) - len(kept)):
            self._note_ignored("cancelled")
        if self._task.get("predictions"):
            self._note_ignored("predictions of a model")
        if not kept:
            return None
        marked = [each for each in kept if each.get("ground_truth")]
        latest = max(marked or kept, key=lambda each: str(each.get("updated_at") or each.get("created_at") or ""))
        for _ in range(len(kept) - 1):
            self._note_ignored("another annotation of the image is the ground truth, or later")
        return objects(latest.get("result"), "result")

    def _note_ignored(self, why: str) -> None:
        self._source.findings.add(FindingKind.IGNORED_ANNOTATIONS, self._place, subject=why)

    def _object(self, region: Mapping[str, Any], image: FoundImage, place: str) -> AnnotatedObject:
        value, outline = _value(region), None
        if region.get("image_rotation"):
            raise DatasetError("the image was turned in Label Studio", hint="turn the image itself, and label that")
        scale = (image.width_px / UPRIGHT, image.height_px / UPRIGHT)
        if "points" in value:
            outline = [_points(value["points"], scale)]
            around = box_around(checked_polygons(outline, "points")[0])
            if around is None:
                raise DatasetError("a polygon of fewer than three points")
            xywh = around
            self._source.findings.add(FindingKind.OUTLINED_OBJECTS, place)
        else:
            x, y, width, height = (number(value.get(side), side) for side in SIDES)
            xywh = (x * scale[0], y * scale[1], width * scale[0], height * scale[1])
            require_in_image(xywh, image)
            if degrees := number(value.get("rotation") or 0, "rotation"):
                self._source.findings.add(FindingKind.ROTATED_BOXES, place)
                xywh = box_around_rotated(xywh, degrees, about=(xywh[0], xywh[1]))
        require_in_image(xywh, image)
        return AnnotatedObject(category=_label(value), xywh=xywh, segmentation=outline, place=place)


def _is_export(path: Path) -> bool:
    data = glance(path)
    is_full = b'"data"' in data and (b'"annotations"' in data or b'"completions"' in data)
    return data.startswith(b"[") and (is_full or (b'"annotation_id"' in data and b'"annotator"' in data))


def _regions_of_min(task: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The regions of a task of JSON-MIN, as those of the full JSON: lists of values under the names of controls."""
    for control, values in task.items():
        if not isinstance(values, list):
            continue
        for value in values:
            if isinstance(value, dict):
                kind = next((key for key in (*LABELS, *REFUSED) if key in value), None)
                sizes = {key: value[key] for key in ("original_width", "original_height") if key in value}
                yield {"type": kind, "from_name": control, "value": value} | sizes


def _value(region: Mapping[str, Any]) -> Mapping[str, Any]:
    value = region.get("value")
    return value if isinstance(value, dict) else {}


def _kind(region: Mapping[str, Any]) -> str:
    kind = region.get("type")
    return kind if isinstance(kind, str) else shown(kind)


def _is_shape(region: Mapping[str, Any]) -> bool:
    """Whether a region is an object; raises `DatasetError` for shapes that have no box."""
    kind = _kind(region)
    if kind in REFUSED:
        raise DatasetError(f"{REFUSED[kind]} (`{kind}`)", hint="label boxes or polygons, or export as COCO")
    value = _value(region)
    has_label = kind in UNLABELLED or any(key in value for key in LABELS)
    return has_label and ("points" in value or "width" in value)


def _label(value: Mapping[str, Any]) -> str:
    labels: object = next((value[key] for key in LABELS if key in value), [])
    if not isinstance(labels, list) or len(labels) != 1:
        raise DatasetError(f"its labels are {shown(labels)}, expected one label")
    return text(labels[0], "its label")


def _points(points: object, scale: tuple[float, float]) -> list[float]:
    if not isinstance(points, list) or not all(isinstance(each, list) and len(each) == len(scale) for each in points):
        raise DatasetError(f"points is {shown(points)}, expected pairs of numbers")
    return [number(value, "points") * factor for point in points for value, factor in zip(point, scale, strict=True)]


def _choices(region: Mapping[str, Any]) -> dict[str, str]:
    choices = _value(region)["choices"]
    if not isinstance(choices, list):
        raise DatasetError(f"choices is {shown(choices)}, expected a list")
    return {text(region.get("from_name"), "from_name"): ", ".join(text(each, "a choice") for each in choices)}


def _stated_size(regions: list[Mapping[str, Any]]) -> tuple[int, int] | None:
    """The size of the image that the regions give; raises `DatasetError` where they differ."""
    sizes = {
        (
            whole_number(each["original_width"], "original_width"),
            whole_number(each.get("original_height"), "original_height"),
        )
        for each in regions
        if each.get("original_width") is not None
    }
    if len(sizes) > 1:
        raise DatasetError("its regions are of images of different sizes")
    return sizes.pop() if sizes else None


def _reference(task: Mapping[str, Any]) -> str:
    """The address of the image among the data of a task."""
    data = task["data"] if isinstance(task.get("data"), dict) else task
    found = {key: value for key, value in data.items() if isinstance(value, str) and _is_image(value)}
    if len(found) != 1:
        found = {key: found[key] for key in USUAL_KEYS if key in found}
    if not found and isinstance(task.get("file_upload"), str):
        return str(task["file_upload"])
    if not found:
        raise DatasetError("no image, or several ones, among its data", hint="a task is of one image")
    return next(iter(found.values()))


def _is_image(value: str) -> bool:
    parts = reference_parts(value)
    return bool(parts) and PurePosixPath(parts[-1]).suffix.lower() in IMAGE_SUFFIXES
