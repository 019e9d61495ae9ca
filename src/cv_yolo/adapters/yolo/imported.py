"""The port `ImportFolder` on disk: a data set's folder with `annotations.json`, written whole and read for export."""

import hashlib
import json
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from cv_yolo.adapters.yolo.attributes import copy_attributes, read_attributes
from cv_yolo.adapters.yolo.canonical import read_annotations, write_annotations
from cv_yolo.adapters.yolo.data_yaml import read_data_yaml, read_licence
from cv_yolo.adapters.yolo.entries import bytes_of, is_absent
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.adapters.yolo.image_files import MOST_PX, read_picture
from cv_yolo.adapters.yolo.reading import read_ahead
from cv_yolo.adapters.yolo.writing import bring_back, swapped_in, write_descriptions
from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.annotations import Boxes
from cv_yolo.domain.data.counting import annotations_digest, count_objects
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.label_text import format_label_text
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import CheckedPicture, FormerImport

TOOL: Final = "cv-yolo data import"
LAYOUT_WORDS: Final = frozenset(  # folders that sort images, and say nothing of one image
    {"images", "image", "labels", "jpegimages", "obj_train_data", "data"}
    | {"train", "training", "train2017", "val", "valid", "validation", "val2017", "test", "testing", "test2017"}
)
HASH_CHARACTERS: Final = 8


class YoloImports:
    """Imported data on disk."""

    def __init__(self, *, most_px: int = MOST_PX) -> None:
        self._most_px = most_px
        self._folder = YoloFolder(most_px=most_px)

    def pictures(self, root: Path) -> tuple[Path, ...]:
        """Every image file below a folder, but hidden ones."""
        found: list[Path] = []
        for folder, folders, names in os.walk(root):
            folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
            found += [
                Path(folder) / name
                for name in sorted(names)
                if not name.startswith(".") and Path(name).suffix.lower() in IMAGE_SUFFIXES
            ]
        return tuple(found)

    def columns(self, root: Path, images: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        """What an `attributes.csv` of the source says."""
        return read_attributes(root, images)

    def check_pictures(self, paths: Sequence[Path]) -> Iterator[CheckedPicture | DatasetError]:
        """Decode images as training does, on all processors."""
        for _, pictures in read_ahead(paths, lambda pool, batch: pool.map(self._checked, batch)):
            yield from pictures

    def _checked(self, path: Path) -> CheckedPicture | DatasetError:
        try:
            picture = read_picture(path, most_px=self._most_px)
        except DatasetError as refusal:
            return refusal
        odd = {
            FindingKind.SEVERAL_PICTURES: picture.frames > 1,
            FindingKind.DEEP_IMAGES: picture.is_deep,
            FindingKind.NOT_DECODED: not picture.decoded_as_in_training,
        }
        return CheckedPicture(
            sha256=picture.sha256,
            width_px=picture.width_px,
            height_px=picture.height_px,
            likeness=picture.likeness,
            findings=tuple(kind for kind, holds in odd.items() if holds),
        )

    def former(self, root: Path) -> FormerImport | None:
        """The import that is in the folder."""
        bring_back(root)
        if is_absent(root) or (root.is_dir() and not any(root.iterdir())):
            return None
        try:
            origin = json.loads((root / "manifest.json").read_bytes())["origin"]
            tool = origin["tool"]
        except (OSError, ValueError, KeyError, TypeError):
            tool = None
        if tool != TOOL:
            raise DatasetError(f"{root}: was not made by `{TOOL}`", hint="give another --name, or move it away")
        recorded = self._folder.recorded(root) or ()
        return FormerImport(
            classes=read_data_yaml(root).classes,
            origin={str(key): str(value) for key, value in origin.items()},
            splits={record.image_sha256: record.split for record in recorded},
        )

    def write(
        self,
        root: Path,
        dataset: AnnotatedDataset,
        *,
        images_root: Path,
        pictures: Mapping[str, CheckedPicture],
        origin: Mapping[str, str],
        on_image: Callable[[int], None],
    ) -> DatasetManifest:
        """Write next to its place, then swap it in."""
        root.parent.mkdir(parents=True, exist_ok=True)
        targets = target_paths(dataset.images)
        placed, records = [], []
        with swapped_in(root) as scratch:
            for done, image in enumerate(dataset.images, start=1):
                written = replace(image, path=targets[image.path])
                source = images_root / image.path
                records.append(_write_image(scratch, source, written, dataset.classes, pictures[image.path].sha256))
                placed.append(written)
                on_image(done)
            manifest = DatasetManifest(
                name=root.name,
                classes=dataset.classes,
                images=tuple(sorted(records, key=lambda record: record.image)),
                category_ids=dict(dataset.category_ids),
            )
            copy_attributes(root, scratch, set(targets.values()))
            write_annotations(scratch, replace(dataset, images=tuple(placed)))
            write_descriptions(scratch, manifest, {"tool": TOOL, **origin}, licence=read_licence(images_root))
        return manifest

    def annotated(self, root: Path) -> AnnotatedDataset:
        """What `annotations.json` holds, or label text where there is none; all of it is checked first."""
        found = self._folder.scan(root)
        annotated = read_annotations(root, found.classes)
        if annotated is not None:
            images = tuple(annotated[record.image] for record in found.images)
        else:
            manifest = DatasetManifest(name=root.name, classes=found.classes, images=found.images)
            images = tuple(
                _of_label_text(record, truth.boxes_xyxy, [found.classes[each] for each in truth.class_ids])
                for split in Split
                for record, truth in zip(
                    manifest.split(split), self._folder.ground_truth(root, manifest, split), strict=True
                )
            )
        return AnnotatedDataset(classes=found.classes, images=images, category_ids=found.category_ids)


def target_paths(images: Iterable[ImageAnnotations]) -> dict[str, str]:
    """Where each image goes, by its path in the source: `images/<split>/…`, below its folders that are not of a layout.

    Names that are the same on some system (without the suffix: both would have one label file) keep apart by a part of
    the hash of their paths in the source.
    """
    wanted: dict[str, list[tuple[str, PurePosixPath]]] = defaultdict(list)
    for image in images:
        path = PurePosixPath(image.path)
        parts = [part for part in path.parts[:-1] if part.lower() not in LAYOUT_WORDS]
        target = PurePosixPath("images", str(image.split), *map(_without_edges, parts), path.name)
        key = unicodedata.normalize("NFKC", str(target.with_suffix(""))).casefold()
        wanted[key].append((image.path, target))
    targets = {}
    for same in wanted.values():
        for source, target in same:
            digest = hashlib.sha256(source.encode()).hexdigest()[:HASH_CHARACTERS]
            apart = target.with_name(f"{target.stem}_{digest}{target.suffix}")
            targets[source] = (target if len(same) == 1 else apart).as_posix()
    return targets


def _without_edges(part: str) -> str:
    """A folder's name without leading dots: what is hidden is not read as an image of the data set."""
    return re.sub(r"^\.+", "_", part)


def _write_image(
    scratch: Path, source: Path, image: ImageAnnotations, classes: tuple[str, ...], sha256: str
) -> ImageRecord:
    if image.split is None:
        raise ValueError(f"{image.path}: without a split")
    data = bytes_of(source)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DatasetError(f"{source}: changed during the import", hint="run the command again")
    label = "labels" + image.path.removeprefix("images")
    label = str(PurePosixPath(label).with_suffix(".txt"))
    boxes = count_objects(image, classes).label.written
    text = format_label_text(boxes).encode()
    for path, content in ((image.path, data), (label, text)):
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return ImageRecord(
        split=image.split,
        image=image.path,
        image_sha256=sha256,
        label=label,
        label_sha256=hashlib.sha256(text).hexdigest(),
        boxes=len(boxes),
        width_px=image.width_px,
        height_px=image.height_px,
        attributes=dict(image.attributes),
        annotations_sha256=annotations_digest(image),
    )


def _of_label_text(record: ImageRecord, boxes_xyxy: Boxes, names: list[str]) -> ImageAnnotations:
    objects = [
        AnnotatedObject(category=name, xywh=(x1, y1, x2 - x1, y2 - y1), place=record.label)
        for name, (x1, y1, x2, y2) in zip(names, boxes_xyxy.tolist(), strict=True)
    ]
    return ImageAnnotations(
        path=record.image,
        width_px=record.width_px,
        height_px=record.height_px,
        objects=tuple(objects),
        split=record.split,
        attributes=record.attributes,
    )
