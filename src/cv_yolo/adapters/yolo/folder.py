"""The port `DatasetFolder` on disk: scans a folder, collects what it finds, and reads `attributes.csv`.

A data set's folder is untrusted: nothing in it is run, each file is read once, and whatever cannot be used in both
training and evaluation is refused by name, all of it at once. `attributes.csv`, where there is one, gives the
images columns (scene, camera, …) by which results are sliced. `annotations.json`, where there is one, holds what label
text cannot: crowds, areas and outlines.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from cv_yolo.adapters.yolo.attributes import read_attributes
from cv_yolo.adapters.yolo.canonical import NAME, read_annotations, with_annotations
from cv_yolo.adapters.yolo.data_yaml import is_here, read_data_yaml
from cv_yolo.adapters.yolo.entries import is_absent
from cv_yolo.adapters.yolo.image_files import MOST_PX, ReadPicture, read_picture
from cv_yolo.adapters.yolo.labels import (
    CHANGED,
    NO_LABEL,
    check_presence,
    label_bytes,
    note_orphans,
    read_label,
    recorded_bytes,
)
from cv_yolo.adapters.yolo.layout import Located, Survey, check_all_entries, locate
from cv_yolo.adapters.yolo.writing import FORMAT, write_dataset
from cv_yolo.domain.data.annotated import ImageAnnotations
from cv_yolo.domain.data.annotations import GroundTruth, xywhn_to_xyxy
from cv_yolo.domain.data.counting import annotations_digest, truth_of
from cv_yolo.domain.data.findings import Bits, FindingKind, similar_pairs
from cv_yolo.domain.data.label_text import LabelText
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import FoundDataset, LabelledImage


class YoloFolder:
    """Data sets on disk. An image's label file is found as YOLO does: `images` becomes `labels` in its path."""

    def __init__(self, *, most_px: int = MOST_PX) -> None:
        self._most_px = most_px

    def exists(self, root: Path) -> bool:
        """Whether there is a data set at all."""
        return is_here(root)

    def scan(self, root: Path) -> FoundDataset:
        """Read everything once: every image is decoded, every label line checked."""
        root = _without_detours(root)
        description, survey = read_data_yaml(root), Survey()
        located = locate(root, description, survey)
        check_presence(root, located, survey)
        images, likenesses = [], []
        for each in located:
            with survey.going_on():
                record, likeness = _read(root, each, len(description.classes), survey, self._most_px)
                images.append(record)
                likenesses.append(likeness)
        note_orphans(root, located, survey)
        known = {each.image.relative_to(root).as_posix() for each in located}
        images = with_annotations(root, images, description.classes, known=known, refusals=survey)
        survey.conclude()
        check_all_entries(root, survey)
        survey.conclude()
        _note_likeness(images, likenesses, survey)
        for key in description.ignored:
            survey.findings.add(FindingKind.IGNORED_KEYS, key, subject=f"`{key}`")
        return FoundDataset(
            classes=description.classes,
            images=tuple(sorted(_with_attributes(root, images), key=lambda record: record.image)),
            findings=survey.findings.all(),
            category_ids=description.category_ids,
        )

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


def _read(
    root: Path, located: Located, class_count: int, survey: Survey, most_px: int
) -> tuple[ImageRecord, Bits | None]:
    picture = read_picture(located.image, most_px=most_px)
    data = label_bytes(located.label)
    size_px = (picture.width_px, picture.height_px)
    label = read_label(located.label, data, class_count=class_count, size_px=size_px)
    record = ImageRecord(
        split=located.split,
        image=located.image.relative_to(root).as_posix(),
        image_sha256=picture.sha256,
        label=located.label.relative_to(root).as_posix(),
        label_sha256=NO_LABEL if data is None else hashlib.sha256(data).hexdigest(),
        boxes=len(label.boxes),
        width_px=picture.width_px,
        height_px=picture.height_px,
    )
    _note(record, picture, label, survey)
    return record, picture.likeness


def _note(record: ImageRecord, picture: ReadPicture, label: LabelText, survey: Survey) -> None:
    """Findings about one image and its label."""
    for kind, lines in (
        (FindingKind.CLIPPED_BOXES, label.clipped),
        (FindingKind.SMALL_BOXES, label.too_small),
        (FindingKind.REPEATED_BOXES, label.repeated),
    ):
        for line in lines:
            survey.findings.add(kind, f"{record.label}:{line}")
    for kind, holds in (
        (FindingKind.SEVERAL_PICTURES, picture.frames > 1),
        (FindingKind.DEEP_IMAGES, picture.is_deep),
        (FindingKind.NOT_DECODED, not picture.decoded_as_in_training),
    ):
        if holds:
            survey.findings.add(kind, record.image)


def _note_likeness(images: Sequence[ImageRecord], likenesses: Sequence[Bits | None], survey: Survey) -> None:
    """Findings about pictures that are there more than once: the same in one split, almost the same in two."""
    by_split: dict[Split, list[tuple[str, Bits]]] = defaultdict(list)
    seen: set[tuple[Split, str]] = set()
    for record, likeness in zip(images, likenesses, strict=True):
        if (record.split, record.image_sha256) in seen:
            survey.findings.add(FindingKind.REPEATED_IMAGES, record.image)
        seen.add((record.split, record.image_sha256))
        if likeness is not None:
            by_split[record.split].append((record.image, likeness))
    for one, other in combinations(by_split.values(), 2):
        for first, second in similar_pairs([bits for _, bits in one], [bits for _, bits in other]):
            survey.findings.add(FindingKind.SIMILAR_IMAGES, f"{one[first][0]} and {other[second][0]}")


def _with_attributes(root: Path, images: list[ImageRecord]) -> list[ImageRecord]:
    """The images with what `attributes.csv` says of them."""
    found = read_attributes(root, {record.image for record in images})
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
    normalised = np.array([box.xywhn for box in boxes], dtype=np.float64).reshape(-1, 4)
    corners = xywhn_to_xyxy(normalised, width_px=record.width_px, height_px=record.height_px)
    return GroundTruth(
        image=record.image,
        boxes_xyxy=np.clip(corners, 0.0, np.array(size_px * 2, dtype=np.float64)),  # a half may round beyond the edge
        class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
    )
