"""CVAT's own XML, "CVAT for images 1.1": images with boxes, polygons and masks.

Source: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. `xtl`, `ytl`, `xbr` and `ybr` are the edges
of a box in pixels, the upper left corner of the image at 0, 0; `rotation` turns it clockwise about its centre, in
degrees. The run lengths of a mask go row by row through the mask's own box. `subset` is the split of an image.

Attributes of objects are not kept, but `difficult` and `is_crowd` (or `iscrowd`); tags and their attributes become
attributes of the image. Tracks ("CVAT for video 1.1") have frames of a film instead of images, and are refused.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np

from cv_yolo.adapters.formats.documents import children_of_xml, glance, number_in_text, text
from cv_yolo.adapters.formats.outlines import XYWH, box_around, box_around_rotated, checked_polygons, runs_of_mask
from cv_yolo.adapters.formats.source import (
    SPLITS,
    FoundImage,
    SourceFolder,
    require_in_image,
    some_files,
    split_of_folder,
)
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations, Segmentation
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.names import printable
from cv_yolo.errors import DatasetError

YES: Final = {"1", "true", "yes"}
DIFFICULT: Final = {"difficult"}
CROWD: Final = {"is_crowd", "iscrowd"}
OBJECTS: Final = {"box", "polygon", "mask"}
OTHER_SHAPES: Final = {"polyline", "points", "ellipse", "cuboid", "skeleton"}
EDGES: Final = ("xtl", "ytl", "xbr", "ybr")
_ROOT: Final = re.compile(rb"<annotations[\s>].*<(meta|image|track)[\s>/]", re.DOTALL)


def detect(root: Path) -> bool:
    """Whether there is a file of CVAT; looks at the first bytes of some XML files."""
    return any(_is_cvat(path) for path in some_files(root, ".xml"))


def read(root: Path) -> AnnotatedDataset:
    """Read all files of CVAT in a folder; raises one `DatasetError` of all that is wrong with them."""
    source = SourceFolder(root)
    files = [_CvatFile(source, path) for path in source.with_suffix(".xml") if _is_cvat(root / path)]
    if not files:
        raise DatasetError(f"{root}: no annotations of CVAT (an XML file of <annotations>)")
    images = [image for file in files for image in file.annotated_images()]
    return source.dataset(images, [label for file in files for label in file.labels])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """An object's box, with its outline where it has one, and whether the box was turned."""

    xywh: XYWH
    outline: Segmentation | None = None
    is_turned: bool = False


class _CvatFile:
    """One file of CVAT: its labels, and its images one after the other."""

    def __init__(self, source: SourceFolder, path: PurePosixPath) -> None:
        self.source, self.path, self.shown = source, path, printable(path)
        self.labels: list[str] = []

    def annotated_images(self) -> Iterator[ImageAnnotations]:
        """The images with their objects, without what is refused."""
        with self.source.collecting(self.shown):
            number = 0
            for element in children_of_xml(self.source.root / self.path):
                if element.tag == "meta":
                    self.labels += _labels(element)
                elif element.tag == "track":
                    raise DatasetError(
                        "tracks of a film (CVAT for video), which has no image files",
                        hint="export the task as `CVAT for images 1.1` or `COCO 1.0`, and save its images",
                    )
                elif element.tag == "image":
                    number += 1
                    yield from self._annotated_image(element, f"{self.shown}: image {number}")

    def _annotated_image(self, element: Element, place: str) -> Iterator[ImageAnnotations]:
        with self.source.collecting(place):
            split = SPLITS.get(element.get("subset", "").lower())
            name = text(element.get("name"), "name")
            path = self.source.find(name, where=place, split=split, near=self.path.parent)
            image = self.source.measured(path, _stated_size(element))
            found = []
            for number, shape in enumerate((each for each in element if each.tag != "tag"), start=1):
                where = f"{place}: {printable(shape.tag)} {number}"
                with self.source.collecting(where):
                    found.append(self._object(shape, image, where))
            yield ImageAnnotations(
                path=image.path,
                width_px=image.width_px,
                height_px=image.height_px,
                objects=tuple(found),
                split=split or split_of_folder(path),
                attributes=_tags(element.findall("tag")),
            )

    def _object(self, element: Element, image: FoundImage, place: str) -> AnnotatedObject:
        if element.tag in OTHER_SHAPES:
            raise DatasetError("has no box", hint="draw boxes around these objects, or export without them")
        if element.tag not in OBJECTS:
            raise DatasetError("expected a box, a polygon or a mask")
        shape = {"box": _box, "polygon": _polygon, "mask": _mask}[element.tag](element, image)
        require_in_image(shape.xywh, image)
        for kind, holds in (
            (FindingKind.ROTATED_BOXES, shape.is_turned),
            (FindingKind.OUTLINED_OBJECTS, shape.outline is not None),
        ):
            if holds:
                self.source.findings.add(kind, place)
        attributes = {each.get("name", ""): (each.text or "").strip().lower() for each in element.findall("attribute")}
        for name in attributes.keys() - DIFFICULT - CROWD:
            self.source.findings.add(FindingKind.IGNORED_ANNOTATIONS, place, subject=f"attribute {printable(name)}")
        return AnnotatedObject(
            category=text(element.get("label"), "label"),
            xywh=shape.xywh,
            is_crowd=any(attributes.get(name) in YES for name in CROWD),
            is_difficult=any(attributes.get(name) in YES for name in DIFFICULT),
            segmentation=shape.outline,
            place=place,
        )


def _is_cvat(path: Path) -> bool:
    return _ROOT.search(glance(path)) is not None


def _labels(meta: Element) -> list[str]:
    """The labels of objects, in CVAT's order; tags are no classes, and parts of a skeleton no objects."""
    return [
        text(label.findtext("name"), "a label's name")
        for label in meta.iter("label")
        if label.findtext("type") not in {"tag", "skeleton"} and not (label.findtext("parent") or "").strip()
    ]


def _stated_size(element: Element) -> tuple[int, int] | None:
    if element.get("width") is None and element.get("height") is None:
        return None
    width, height = (number_in_text(element.get(side), side) for side in ("width", "height"))
    return round(width), round(height)


def _tags(tags: Iterable[Element]) -> dict[str, str]:
    """A column for each tag, and for each of its attributes."""
    columns = {}
    for tag in tags:
        columns[text(tag.get("label"), "a tag's label")] = "yes"
        for each in tag.findall("attribute"):
            columns[text(each.get("name"), "an attribute's name")] = text(each.text, "an attribute")
    return columns


def _box(element: Element, image: FoundImage) -> _Shape:  # noqa: ARG001  # the other shapes need the image
    left, top, right, bottom = (number_in_text(element.get(edge), edge) for edge in EDGES)
    xywh = (left, top, right - left, bottom - top)
    degrees = number_in_text(element.get("rotation", "0"), "rotation")
    if not degrees:
        return _Shape(xywh=xywh)
    return _Shape(
        xywh=box_around_rotated(xywh, degrees, about=((left + right) / 2, (top + bottom) / 2)), is_turned=True
    )


def _polygon(element: Element, image: FoundImage) -> _Shape:  # noqa: ARG001
    values = [
        number_in_text(each, "points") for pair in element.get("points", "").split(";") for each in pair.split(",")
    ]
    polygons, _ = checked_polygons([values], "points")
    around = box_around(polygons)
    if around is None:
        raise DatasetError("fewer than three points")
    return _Shape(xywh=around, outline=polygons)


def _mask(element: Element, image: FoundImage) -> _Shape:
    left, top, width, height = (
        round(number_in_text(element.get(each), each)) for each in ("left", "top", "width", "height")
    )
    runs = [round(number_in_text(each, "rle")) for each in element.get("rle", "").split(",")]
    inside = left >= 0 and top >= 0 and left + width <= image.width_px and top + height <= image.height_px
    if min(width, height, *runs) < 0 or not inside or sum(runs) != width * height:
        raise DatasetError(f"its run lengths do not fill {width} x {height} px at {left}, {top} in the image")
    pixels = np.zeros((image.height_px, image.width_px), dtype=np.bool_)
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[top : top + height, left : left + width] = values.reshape(height, width)
    outline = runs_of_mask(pixels)
    around = box_around(outline)
    if around is None:
        raise DatasetError("an empty mask")
    return _Shape(xywh=around, outline=outline)
