"""The port `DatasetFolder` on disk: scans a folder, collects what it finds, and reads `attributes.csv`.

A data set's folder is untrusted: nothing in it is run, each file is read once, and whatever cannot be used in both
training and evaluation is refused by name, all of it at once. `attributes.csv`, where there is one, gives the
images columns (scene, camera, …) by which results are sliced. `annotations.json`, where there is one, holds what label
text cannot: crowds, areas and outlines.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cv_yolo.adapters.yolo.attributes import read_attributes
from cv_yolo.adapters.yolo.canonical import NAME, read_annotations, with_annotations
from cv_yolo.adapters.yolo.data_yaml import is_here, read_data_yaml
from cv_yolo.adapters.yolo.entries import is_absent
from cv_yolo.adapters.yolo.image_files import MOST_PX
from cv_yolo.adapters.yolo.labels import CHANGED, check_presence, note_orphans, read_label, recorded_bytes
from cv_yolo.adapters.yolo.layout import Survey, check_all_entries, locate
from cv_yolo.adapters.yolo.reading import OnImage, read_images
from cv_yolo.adapters.yolo.scan_cache import cache_of
from cv_yolo.adapters.yolo.writing import FORMAT, write_dataset
from cv_yolo.domain.data.annotated import ImageAnnotations
from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.data.counting import annotations_digest, truth_of, truth_of_boxes
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.data.refusals import gathered
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import FoundDataset, LabelledImage


class YoloFolder:
    """Data sets on disk. An image's label file is found as YOLO does: `images` becomes `labels` in its path.

    `caches` is a folder where `inspect` keeps what it has read; without one, it reads every file each time. Pictures of
    more than `most_px` are refused.
    """

    def __init__(self, caches: Path | None = None, *, most_px: int = MOST_PX) -> None:
        self._caches, self._most_px = caches, most_px

    def exists(self, root: Path) -> bool:
        """Whether there is a data set at all."""
        return is_here(root)

    def inspect(self, root: Path, on_image: OnImage = lambda done, total: None) -> FoundDataset:
        """Read everything once: every image is decoded, every label line checked."""
        root, survey = _without_detours(root), Survey()
        with survey.going_on():
            return self._inspected(root, survey, on_image)
        return FoundDataset(classes=(), images=(), refusals=survey.refusals)

    def _inspected(self, root: Path, survey: Survey, on_image: OnImage) -> FoundDataset:
        description = read_data_yaml(root)
        located = locate(root, description, survey)
        check_presence(root, located, survey)
        cache = None if self._caches is None else cache_of(self._caches, root)
        classes = description.classes
        read = read_images(root, located, len(classes), survey, cache=cache, on_image=on_image, most_px=self._most_px)
        note_orphans(root, located, survey)
        known = {each.image for each in located}
        records = with_annotations(root, read.records, classes, known=known, refusals=survey)
        if not survey.refusals:
            check_all_entries(root, survey)
        for key in description.ignored:
            survey.findings.add(FindingKind.IGNORED_KEYS, key, subject=f"`{key}`")
        images = records if survey.refusals else _with_attributes(root, records)
        return FoundDataset(
            classes=classes,
            images=tuple(sorted(images, key=lambda record: record.image)),
            findings=survey.findings.all(),
            category_ids=description.category_ids,
            refusals=survey.refusals,
            details=read.details,
            md5=read.md5,
        )

    def scan(self, root: Path) -> FoundDataset:
        """The same, or one error of all that was refused."""
        found = self.inspect(root)
        if found.refusals:
            raise gathered(found.refusals)
        return found

    def recorded(self, root: Path) -> tuple[ImageRecord, ...] | None:
        """The images that `manifest.json` records."""
        path = root / "manifest.json"
        if is_absent(path):
            return None
        try:
            content = json.loads(path.read_bytes())
            if content["format"] != FORMAT:
                raise DatasetError(f"{path}: format {content['format']}, this version reads format {FORMAT}")
            return TypeAdapter(tuple[ImageRecord, ...]).validate_python(content["images"])
        except (ValidationError, ValueError, KeyError, TypeError, RecursionError, OSError) as error:
            raise DatasetError(f"{path}: not a manifest: {' '.join(str(error).split())}") from error

    def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]:
        """The annotated boxes of a split in pixels of the original images, in the manifest's order.

        They are those of the label files that the manifest recorded, by the rule of `parse_label_text`, with crowds and
        areas where the folder has annotations; raises `DatasetError` that names a file whose content changed since.
        """
        annotated = read_annotations(root, manifest.classes)
        return tuple(_truth(root, record, manifest.classes, annotated) for record in manifest.split(split))

    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
    ) -> DatasetManifest:
        """Write a data set next to its place, then swap it in."""
        return write_dataset(root, classes=classes, pictures=pictures, origin=origin)


def _without_detours(root: Path) -> Path:
    return root.resolve() if ".." in root.parts else root


def _with_attributes(root: Path, images: list[ImageRecord]) -> list[ImageRecord]:
    """The images with what `attributes.csv` says of them."""
    found = read_attributes(root, {record.image for record in images})
    if not found:
        return images
    return [replace(record, attributes=record.attributes | found.get(record.image, {})) for record in images]


def _truth(
    root: Path, record: ImageRecord, classes: tuple[str, ...], annotated: Mapping[str, ImageAnnotations] | None
) -> GroundTruth:
    size_px = (record.width_px, record.height_px)
    data = recorded_bytes(root, record)
    image = None if annotated is None else annotated.get(record.image)
    if (record.annotations_sha256 or None) != (None if image is None else annotations_digest(image)):
        raise DatasetError(
            f"{root / NAME}: the annotations of {record.image} are not as the manifest recorded them", hint=CHANGED
        )
    if image is not None:
        return truth_of(image, classes)
    boxes = read_label(root / record.label, data, class_count=len(classes), size_px=size_px).boxes
    return truth_of_boxes(record.image, boxes, width_px=record.width_px, height_px=record.height_px)
