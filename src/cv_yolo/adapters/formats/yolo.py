"""YOLO in the layouts in which people have it: Ultralytics', Roboflow's, CVAT's, Darknet's, LabelImg's, and none.

Classes come from `data.yaml` (also `data.yml`, `dataset.yaml`), from Darknet's `obj.data` with its file of names, from
`classes.txt`, `*.names` or `_darknet.labels`, or from the caller. Images are those that such a file or `train.txt`
lists, else all of the folder; their folders say the split. Label text is read by the rule of `domain.data.label_text`.
"""

from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Final

from cv_yolo.adapters.formats.yolo_description import (
    NAME_THEM,
    Index,
    Layout,
    describe,
    described_by_yaml,
    is_listing,
    is_no_label,
)
from cv_yolo.adapters.yolo.entries import bytes_of
from cv_yolo.adapters.yolo.image_files import upright_size
from cv_yolo.adapters.yolo.labels import decoded
from cv_yolo.adapters.yolo.writing import write_data_yaml
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.counting import count_objects
from cv_yolo.domain.data.findings import FindingKind, Findings
from cv_yolo.domain.data.label_text import LabelLine, Outlines, format_label_text, read_label_lines
from cv_yolo.domain.data.names import printable, require_usable_name
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError

LABELS: Final = "labels"
MOST_CLASSES: Final = 1_000_000  # of labels whose classes nothing names: so that their other faults are found too
UNNAMED: Final = "nothing"
OTHER_FORMATS: Final = {".json": "coco or labelstudio", ".xml": "voc or cvat"}


def detect(root: Path) -> bool:
    """Whether there is a description of YOLO's kind, or a text file that belongs to an image."""
    index = Index(root)
    if described_by_yaml(index) is not None or any(path.suffix.lower() == ".data" for path in index.files):
        return True
    stems = {path.stem for path in index.images}
    return any(path.suffix.lower() == ".txt" and path.stem in stems for path in index.files)


def read(root: Path, *, class_names: tuple[str, ...] = (), outlines: Outlines = Outlines.REFUSE) -> AnnotatedDataset:
    """Read a folder in any of the layouts; raises one `DatasetError` with all that is refused."""
    reading = _Reading(root, outlines)
    layout = describe(reading.index, class_names, reading)
    images = [image for path in layout.splits if (image := reading.image(path, layout)) is not None]
    reading.check_all(layout)
    reading.conclude()
    return AnnotatedDataset(classes=layout.classes, images=tuple(images), findings=reading.findings.all())


def write(dataset: AnnotatedDataset, out: Path) -> None:
    """Write label text and `data.yaml` for images in `out/images/<split>`: boxes that count, without crowds."""
    for image in dataset.images:
        label = out / PurePosixPath(LABELS, *PurePosixPath(image.path).parts[1:]).with_suffix(".txt")
        label.parent.mkdir(parents=True, exist_ok=True)
        boxes = count_objects(image, dataset.classes).label.written
        label.write_text(format_label_text(boxes), encoding="utf-8", newline="\n")
    write_data_yaml(out, dataset.classes, {image.split for image in dataset.images}, dataset.category_ids)


class _Reading(Refusals):
    """One reading of a folder: which label belongs to which image, what is refused, and what is odd."""

    def __init__(self, root: Path, outlines: Outlines) -> None:
        super().__init__()
        self.root, self.index, self.findings, self._outlines = root, Index(root), Findings(), outlines
        self._texts = {
            path.as_posix().lower(): path
            for path in self.index.files
            if path.suffix.lower() == ".txt" and not is_no_label(path) and not is_listing(root, path)
        }
        self._by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in self._texts.values():
            self._by_stem[path.stem].append(path)
        self._image_stems: dict[str, int] = defaultdict(int)
        for path in self.index.images:
            self._image_stems[path.stem] += 1
        self._owners: dict[PurePosixPath, PurePosixPath] = {}
        self._classes_seen: set[int] = set()

    def image(self, path: PurePosixPath, layout: Layout) -> ImageAnnotations | None:
        """The image with its objects; None where it was refused."""
        with self.going_on():
            require_usable_name(self.root / path, path.as_posix())
            label = self._label_of(path)
            width_px, height_px = upright_size(self.root / path)
            splits = layout.splits[path]
            return ImageAnnotations(
                path=path.as_posix(),
                width_px=width_px,
                height_px=height_px,
                objects=() if label is None else self._objects(label, layout, width_px, height_px),
                split=next(iter(splits)) if len(splits) == 1 else None,
            )
        return None

    def check_all(self, layout: Layout) -> None:
        """What concerns the folder as a whole: no images, no labels, classes that nothing names, files left over."""
        with self.going_on():
            if not layout.splits:
                raise DatasetError(
                    f"{self.root}: no image that can be read", hint="images are .jpg, .png, .bmp, .webp, …"
                )
        with self.going_on():
            if layout.splits and not self._owners:
                raise self._no_labels(len(layout.splits))
        with self.going_on():
            if not layout.classes and self._owners:
                seen = sorted(self._classes_seen)
                used = f"labels use {len(seen)} classes, {seen[0]} to {seen[-1]}" if seen else "no label has an object"
                raise DatasetError(f"{self.root}: nothing names the classes ({used})", hint=NAME_THEM)
        unlisted = [path for path in self.index.images if path not in layout.splits]
        for path in unlisted:
            self.findings.add(FindingKind.UNLISTED_IMAGES, printable(path))
        known = {self._found(path) for path in unlisted}
        for path in self._texts.values():
            if path not in self._owners and path not in known:
                self.findings.add(FindingKind.ORPHANED_LABELS, printable(path))
        for key in layout.ignored_keys:
            self.findings.add(FindingKind.IGNORED_KEYS, f"{layout.described_by}: {key}", subject=f"`{key}`")

    def _label_of(self, image: PurePosixPath) -> PurePosixPath | None:
        label = self._found(image)
        if label is None:
            self.findings.add(FindingKind.UNLABELED_IMAGES, printable(image))
            return None
        other = self._owners.setdefault(label, image)
        if other != image:
            raise DatasetError(
                f"{self.root / label}: the label file of {printable(other.name)} and {printable(image.name)}: it is "
                "ambiguous",
                hint="rename one of the images, and give it its own label file",
            )
        return label

    def _found(self, image: PurePosixPath) -> PurePosixPath | None:
        """The label of an image: where YOLO puts it, beside it, in `labels` near it, or the only one of its name."""
        for candidate in _candidates(image):
            found = self._texts.get(candidate.as_posix().lower())
            if found is not None:
                return found
            if (self.root / candidate).is_dir():
                raise DatasetError(f"{self.root / candidate}: a folder, not a file", hint="rename or remove it")
        same = self._by_stem.get(image.stem, [])
        return same[0] if len(same) == 1 and self._image_stems[image.stem] == 1 else None

    def _objects(
        self, label: PurePosixPath, layout: Layout, width_px: int, height_px: int
    ) -> tuple[AnnotatedObject, ...]:
        path = self.root / label
        lines, refused = read_label_lines(
            decoded(path, bytes_of(path)),
            source=str(path),
            class_count=len(layout.classes) or MOST_CLASSES,
            named_by=layout.named_by or UNNAMED,
            outlines=self._outlines,
        )
        for refusal in refused:
            self.refuse(refusal)
        self._classes_seen.update(line.box.class_id for line in lines)
        for line in lines:
            self._note(f"{printable(label)}:{line.number}", line)
        if not layout.classes:
            return ()
        return tuple(_object(line, label, layout.classes, width_px, height_px) for line in lines)

    def _note(self, place: str, line: LabelLine) -> None:
        if line.is_rounded_over:
            self.findings.add(FindingKind.ROUNDED_VALUES, place)
        if line.has_confidence:
            self.findings.add(FindingKind.CONFIDENCES, place)
        if line.outline:
            subject = "rotated box, or a polygon of four points" if line.is_rotated else "polygon"
            self.findings.add(FindingKind.OUTLINES, place, subject=subject)

    def _no_labels(self, images: int) -> DatasetError:
        many = "the image" if images == 1 else f"any of the {images} images"
        suffixes = [suffix for path in self.index.files if (suffix := path.suffix.lower()) in OTHER_FORMATS]
        hint = "put a text file for each image beside it, or below `labels`"
        if suffixes:
            hint = f"there are {suffixes[0]} files: --format {OTHER_FORMATS[suffixes[0]]}?"
        return DatasetError(f"{self.root}: no label file for {many}", hint=hint)


def _candidates(image: PurePosixPath) -> list[PurePosixPath]:
    names = (f"{image.stem}.txt", f"{image.name}.txt")
    folders = [image.parent]
    parts = image.parts[:-1]
    places = [place for place, part in enumerate(parts) if part.lower() == "images"]
    if places:
        folders.insert(0, PurePosixPath(*parts[: places[-1]], LABELS, *parts[places[-1] + 1 :]))
    folders.append(image.parent / LABELS)
    if parts:
        folders += [image.parent.parent / LABELS, image.parent.parent / LABELS / parts[-1]]
    return [folder / name for folder in dict.fromkeys(folders) for name in names]


def _object(
    line: LabelLine, label: PurePosixPath, classes: tuple[str, ...], width_px: int, height_px: int
) -> AnnotatedObject:
    x, y, width, height = line.box.xywhn
    points = [value * (height_px if place % 2 else width_px) for place, value in enumerate(line.outline)]
    return AnnotatedObject(
        category=classes[line.box.class_id],
        xywh=((x - width / 2) * width_px, (y - height / 2) * height_px, width * width_px, height * height_px),
        segmentation=[points] if points else None,
        place=f"{printable(label)}:{line.number}",
    )
