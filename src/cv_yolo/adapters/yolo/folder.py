"""The port `DatasetFolder` on disk: scans a folder, collects what it finds, and reads `attributes.csv`.

A data set's folder is untrusted: nothing in it is run, each file is read once, and whatever cannot be used in both
training and evaluation is refused by name, all of it at once. `attributes.csv`, where there is one, gives the
images columns (scene, camera, …) by which results are sliced.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cv_yolo.adapters.yolo.data_yaml import is_here, read_data_yaml
from cv_yolo.adapters.yolo.entries import is_absent
from cv_yolo.adapters.yolo.labels import check_presence, note_orphans, read_label, recorded_bytes
from cv_yolo.adapters.yolo.layout import Survey, check_all_entries, locate
from cv_yolo.adapters.yolo.reading import OnImage, read_images
from cv_yolo.adapters.yolo.scan_cache import cache_of
from cv_yolo.adapters.yolo.writing import FORMAT, write_dataset
from cv_yolo.domain.data.annotations import GroundTruth, xywhn_to_xyxy
from cv_yolo.domain.data.findings import FindingKind, gathered
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import FoundDataset, LabelledImage


class YoloFolder:
    """Data sets on disk. An image's label file is found as YOLO does: `images` becomes `labels` in its path.

    `caches` is a folder where `inspect` keeps what it has read; without one, it reads every file each time.
    """

    def __init__(self, caches: Path | None = None) -> None:
        self._caches = caches

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
        read = read_images(root, located, len(description.classes), survey, cache=cache, on_image=on_image)
        note_orphans(root, located, survey)
        if not survey.refusals:
            check_all_entries(root, survey)
        for key in description.ignored:
            survey.findings.add(FindingKind.IGNORED_KEYS, key, subject=f"`{key}`")
        images = read.records if survey.refusals else _with_attributes(root, read.records)
        return FoundDataset(
            classes=description.classes,
            images=tuple(sorted(images, key=lambda record: record.image)),
            findings=survey.findings.all(),
            category_ids=description.category_ids,
            refusals=survey.refusals,
            details=read.details,
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

        They are those of the label files that the manifest recorded, by the rule of `parse_label_text`; raises
        `DatasetError` that names a label file whose content is another one now.
        """
        return tuple(_truth(root, record, len(manifest.classes)) for record in manifest.split(split))

    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
    ) -> DatasetManifest:
        """Write a data set next to its place, then swap it in."""
        return write_dataset(root, classes=classes, pictures=pictures, origin=origin)


def _without_detours(root: Path) -> Path:
    return root.resolve() if ".." in root.parts else root


def _with_attributes(root: Path, images: list[ImageRecord]) -> list[ImageRecord]:
    """The images with what `attributes.csv` says of them: a column `image` with their paths, and any others."""
    path = root / "attributes.csv"
    if is_absent(path):
        return images
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True, restkey="", restval=None))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    known, found = {record.image for record in images}, {}
    for line, row in enumerate(rows, start=2):
        image = row.pop("image", None)
        if image not in known or "" in row or None in row.values():
            why = f"no image {image!r} in the data set" if image not in known else "not as many fields as columns"
            raise DatasetError(f"{path}:{line}: {why}", hint="its first line names the columns, `image` among them")
        found[image] = {column: value for column, value in row.items() if value}
    return [replace(record, attributes=found.get(record.image, {})) for record in images]


def _truth(root: Path, record: ImageRecord, class_count: int) -> GroundTruth:
    size_px = (record.width_px, record.height_px)
    data = recorded_bytes(root, record)
    boxes = read_label(root / record.label, data, class_count=class_count, size_px=size_px).boxes
    normalised = np.array([box.xywhn for box in boxes], dtype=np.float64).reshape(-1, 4)
    corners = xywhn_to_xyxy(normalised, width_px=record.width_px, height_px=record.height_px)
    return GroundTruth(
        image=record.image,
        boxes_xyxy=np.clip(corners, 0.0, np.array(size_px * 2, dtype=np.float64)),  # a half may round beyond the edge
        class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
    )
