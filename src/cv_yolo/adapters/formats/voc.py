"""Pascal VOC's XML: an annotation file for each image, and lists of the images of each split.

Source: M. Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 (VOC2012) Development Kit", and its
`VOCreadxml.m`. Layouts: the kit's `Annotations/`, `JPEGImages/` and `ImageSets/Main/{train,val,test}.txt`; Roboflow's
XML beside the images in `train/`, `valid/` and `test/`; LabelImg's XML beside the images.

Corners are pixels counted from 1, both inclusive: a box from 1 to W covers an image of W pixels, so its edges are
`xmin - 1` and `xmax` (Detectron2 reads VOC in the same way). LabelImg writes edges cut to whole numbers, with 1 for
every 0; files of Roboflow reach to W + 1, as edges plus 1 do; both are read by the rule, which is within a pixel of
what they mean. CVAT and Datumaro write edges as they are: a source with their element `<attributes>`, or with a corner
at 0, which VOC does not have, is read so; the latter is a finding. We write VOC's corners, with decimals where they are
needed, so that an export reads back exactly.
"""

import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cv_yolo.adapters.formats.documents import flag, glance, number_in_text, read_lines, read_xml, text
from cv_yolo.adapters.formats.outlines import box_around_rotated
from cv_yolo.adapters.formats.source import (
    SPLITS,
    FoundImage,
    SourceFolder,
    require_in_image,
    some_files,
    split_of_folder,
)
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable
from cv_yolo.errors import DatasetError
from cv_yolo.files import write_whole

CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")
ANNOTATIONS, IMAGES, LISTS = "Annotations", "JPEGImages", ("ImageSets", "Main")
_ROOT: Final = re.compile(rb"<annotation[\s>/]")
_FLAGGED: Final = re.compile(r"(.+?)\s+(-1|0|1)")  # a line of a class's list: an id, and whether the class is there
_NOT_IN_XML: Final = re.compile("[\ufffe\uffff]")

Corners = tuple[Decimal, Decimal, Decimal, Decimal]


def detect(root: Path) -> bool:
    """Whether there is an annotation of VOC; looks at the first bytes of some XML files."""
    return any(_is_annotation(path) for path in some_files(root, ".xml"))


def read(root: Path) -> AnnotatedDataset:
    """Read all annotations of a folder; raises one `DatasetError` of all that is wrong with them."""
    source, files = SourceFolder(root), []
    for path in source.with_suffix(".xml"):
        if _is_annotation(root / path):
            with source.collecting(printable(path)):
                files.append(_VocFile(source, path))
    if not files:
        source.conclude()
        raise DatasetError(f"{root}: no Pascal VOC annotations (XML files of an <annotation> each)")
    splits = _Lists(source, [file.path for file in files])
    from_zero = [place for file in files for place in file.at_zero]
    for place in from_zero:
        source.findings.add(FindingKind.COUNTED_FROM_ZERO, place)
    first_px = 0 if from_zero or any(file.is_of_cvat for file in files) else 1
    images = []
    for file in files:
        with source.collecting(file.shown):
            images.append(file.annotated_image(splits.of(file.path), first_px=first_px))
    return source.dataset(images)


def write(dataset: AnnotatedDataset, images_root: Path, out: Path) -> None:
    """Write the kit's layout: annotations, copies of the images, and the list of each split.

    Boxes are clipped to their images. VOC has neither crowds, areas nor outlines: crowds are written as difficult.
    """
    lists: dict[Split, list[str]] = defaultdict(list)
    for image, name in zip(dataset.images, _names_to_write(dataset.images), strict=True):
        file_name = name + PurePosixPath(image.path).suffix
        written = _annotation_to_write(image, file_name)
        indent(written, "\t")
        write_whole(out / ANNOTATIONS / f"{name}.xml", tostring(written, encoding="unicode") + "\n")
        (out / IMAGES).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images_root / image.path, out / IMAGES / file_name)
        if image.split is not None:
            lists[image.split].append(name)
    for split, names in lists.items():
        write_whole(out.joinpath(*LISTS) / f"{split}.txt", "".join(f"{name}\n" for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class _VocObject:
    category: str
    corners: Corners
    is_difficult: bool
    degrees: float
    place: str


class _VocFile:
    """One annotation file, read before it is known from where the source counts its corners."""

    def __init__(self, source: SourceFolder, path: PurePosixPath) -> None:
        self.source, self.path, self.shown = source, path, printable(path)
        root = read_xml(source.root / path)
        if root.tag != "annotation":
            raise DatasetError(f"the root is <{printable(root.tag)}>, expected <annotation>")
        self._file_name = (root.findtext("filename") or "").strip()
        self._size = _stated_size(root)
        self.is_of_cvat = root.find("object/attributes") is not None
        self._objects: list[_VocObject] = []
        for number, element in enumerate(root.findall("object"), start=1):
            place = f"{self.shown}: object {number}"
            with source.collecting(place):
                self._objects.append(_read_object(element, place))

    @property
    def at_zero(self) -> list[str]:
        """Where a left or an upper corner is at 0."""
        return [each.place for each in self._objects if any(0 <= corner < 1 for corner in each.corners[:2])]

    def annotated_image(self, split: Split | None, *, first_px: int) -> ImageAnnotations:
        """The image with its objects, without what is refused; raises `DatasetError` where the image is refused."""
        listed = split or split_of_folder(self.path)
        path = self.source.find(self._reference(), where=self.shown, split=listed, near=self.path.parent)
        image = self.source.measured(path, self._size)
        found = []
        for each in self._objects:
            with self.source.collecting(each.place):
                found.append(self._object(each, image, first_px))
        return ImageAnnotations(
            path=image.path,
            width_px=image.width_px,
            height_px=image.height_px,
            objects=tuple(found),
            split=listed or split_of_folder(path),
        )

    def _reference(self) -> str:
        """The image of the same name as the annotation, as the kit has it; else the one that `filename` names."""
        stated = PurePosixPath(self._file_name.replace("\\", "/")).name
        names = self.source.names_of(self.path.stem)
        if not names:
            if not self._file_name:
                raise DatasetError(f"no image of the name {printable(self.path.stem)}, and no <filename>")
            return self._file_name
        if len(names) > 1 and stated not in names:
            raise DatasetError(f"may be of {' or '.join(names)}", hint="name the image in <filename>")
        name = stated if stated in names else names[0]
        if stated and stated != name and PurePosixPath(stated).stem != self.path.stem:
            self.source.findings.add(FindingKind.OTHER_FILE_NAMES, self.shown)
        return str(_beside_annotations(self.path) / name)

    def _object(self, each: _VocObject, image: FoundImage, first_px: int) -> AnnotatedObject:
        left, top = each.corners[0] - first_px, each.corners[1] - first_px
        width, height = float(each.corners[2] - left), float(each.corners[3] - top)
        xywh = (float(left), float(top), width, height)
        if each.degrees:
            self.source.findings.add(FindingKind.ROTATED_BOXES, each.place)
            centre = (xywh[0] + width / 2, xywh[1] + height / 2)
            xywh = box_around_rotated(xywh, each.degrees, about=centre)
        require_in_image(xywh, image)
        return AnnotatedObject(category=each.category, xywh=xywh, is_difficult=each.is_difficult, place=each.place)


class _Lists:
    """The lists of images by split, in `ImageSets/Main`; `trainval` is no split of its own, and not needed."""

    def __init__(self, source: SourceFolder, annotations: Iterable[PurePosixPath]) -> None:
        self._splits: dict[tuple[PurePosixPath, str], Split] = {}
        known = {each for path in annotations for each in _ids_of(path)}
        for path in source.with_suffix(".txt"):
            if path.parts[-3:-1] == LISTS and path.stem.lower() in SPLITS:
                with source.collecting(printable(path)):
                    self._read(source, path, known)

    def of(self, annotation: PurePosixPath) -> Split | None:
        """The split whose list names an annotation; None where there is none."""
        return next((self._splits[each] for each in _ids_of(annotation) if each in self._splits), None)

    def _read(self, source: SourceFolder, path: PurePosixPath, known: set[tuple[PurePosixPath, str]]) -> None:
        base, split = path.parents[2], SPLITS[path.stem.lower()]
        for number, line in enumerate(read_lines(source.root / path), start=1):
            with source.collecting(f"{printable(path)}:{number}"):
                found = next(((base, each) for each in _ids_in(line) if (base, each) in known), None)
                if found is not None and self._splits.setdefault(found, split) is not split:
                    raise DatasetError(
                        f"{printable(found[1])} is in the list of {self._splits[found]} too",
                        hint="each image belongs to one split",
                    )
                if found is None and line and not any(source.names_of(each) for each in _ids_in(line)):
                    raise DatasetError(f"{printable(line)} has neither an annotation nor an image")


def _is_annotation(path: Path) -> bool:
    return _ROOT.search(glance(path)) is not None


def _read_object(element: Element, place: str) -> _VocObject:
    box = element.find("bndbox")
    if box is None:
        inside = ", ".join(printable(child.tag) for child in element)
        raise DatasetError(f"no <bndbox>, only {inside or 'nothing'}", hint="export upright boxes")
    for corner in CORNERS:
        number_in_text(box.findtext(corner), corner)
    left, top, right, bottom = (Decimal((box.findtext(corner) or "").strip()) for corner in CORNERS)
    turned = [each.findtext("value") for each in element.iter("attribute") if each.findtext("name") == "rotation"]
    return _VocObject(
        category=text(element.findtext("name"), "name"),
        corners=(left, top, right, bottom),
        is_difficult=flag((element.findtext("difficult") or "0").strip(), "difficult"),
        degrees=number_in_text(turned[0], "rotation") if turned else 0.0,  # of CVAT
        place=place,
    )


def _stated_size(root: Element) -> tuple[int, int] | None:
    """The size of the image; None where it is missing, or 0 as some tools write it for images they did not open."""
    stated = [root.findtext(f"size/{side}") for side in ("width", "height")]
    if not any((each or "").strip() for each in stated):
        return None
    width, height = (
        number_in_text(each, f"size {side}") for each, side in zip(stated, ("width", "height"), strict=True)
    )
    if not width.is_integer() or not height.is_integer():
        raise DatasetError(f"size {width:g} x {height:g}, expected whole numbers of pixels")
    return (int(width), int(height)) if width and height else None


def _beside_annotations(annotation: PurePosixPath) -> PurePosixPath:
    """Where the image of an annotation is: `JPEGImages/…` for `Annotations/…`, else in the same folder."""
    parts = list(annotation.parts[:-1])
    if ANNOTATIONS in parts:
        parts[len(parts) - 1 - parts[::-1].index(ANNOTATIONS)] = IMAGES
    return PurePosixPath(*parts)


def _ids_of(annotation: PurePosixPath) -> list[tuple[PurePosixPath, str]]:
    """The ids by which lists may name an annotation: its path below `Annotations`, and its name."""
    folders = annotation.parts[:-1]
    base = len(folders) - folders[::-1].index(ANNOTATIONS) - 1 if ANNOTATIONS in folders else len(folders)
    below = PurePosixPath(*annotation.parts[base + 1 :]) if ANNOTATIONS in folders else PurePosixPath(annotation.name)
    above = PurePosixPath(*folders[:base])
    return [(above, str(below.with_suffix(""))), (above, annotation.stem)]


def _ids_in(line: str) -> Iterator[str]:
    """The ids that a line of a list may mean: all of it, without quotes, without a flag, without the image's suffix."""
    match = _FLAGGED.fullmatch(line)
    for each in (line, line.strip('"'), *([match[1]] if match else [])):
        yield each
        if PurePosixPath(each).suffix.lower() in IMAGE_SUFFIXES:
            yield str(PurePosixPath(each).with_suffix(""))


def _names_to_write(images: Sequence[ImageAnnotations]) -> list[str]:
    """A name for each image in one folder: its own where no other image has it, else with its folders, or a number."""
    stems = Counter(PurePosixPath(image.path).stem.lower() for image in images)
    taken: set[str] = set()
    names = []
    for image in images:
        path = PurePosixPath(image.path).with_suffix("")
        name = path.name if stems[path.name.lower()] == 1 else "_".join(path.parts)
        for number in range(2, len(images) + 2):
            if name.lower() not in taken:
                break
            name = f"{'_'.join(path.parts)}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def _annotation_to_write(image: ImageAnnotations, file_name: str) -> Element:
    root = Element("annotation")
    _put(root, {"folder": IMAGES, "filename": _writable(file_name)})
    _put(SubElement(root, "size"), {"width": str(image.width_px), "height": str(image.height_px), "depth": "3"})
    _put(root, {"segmented": "0"})
    for each in image.objects:
        element = SubElement(root, "object")
        _put(element, {"name": _writable(each.category), "pose": "Unspecified", "truncated": "0"})
        _put(element, {"difficult": str(int(each.is_difficult or each.is_crowd))})
        corners = zip(CORNERS, _corners_to_write(each, image), strict=True)
        _put(SubElement(element, "bndbox"), {name: f"{value.normalize():f}" for name, value in corners})
    return root


def _corners_to_write(each: AnnotatedObject, image: ImageAnnotations) -> Corners:
    """The corners counted from 1, of the part of the box inside the image; exact, as decimal numbers."""
    x, y, width, height = (Decimal(repr(value)) for value in map(float, each.xywh))
    right, bottom = min(x + width, Decimal(image.width_px)), min(y + height, Decimal(image.height_px))
    return max(x, Decimal(0)) + 1, max(y, Decimal(0)) + 1, right, bottom


def _put(element: Element, texts: Mapping[str, str]) -> None:
    for tag, content in texts.items():
        SubElement(element, tag).text = content


def _writable(name: str) -> str:
    if _NOT_IN_XML.search(name):
        raise DatasetError(f"{printable(name)}: has a character that XML cannot hold", hint="rename it")
    return name
