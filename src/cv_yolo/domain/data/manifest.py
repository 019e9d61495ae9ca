"""What a data set contains, image by image, and the revision that names exactly this content."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cv_yolo.errors import DatasetError

MOST_SLICES: Final = 20


class Split(StrEnum):
    """`val` chooses, `test` judges; `test` never chooses."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One image with its label file; paths are relative to the data set's folder, with forward slashes.

    `attributes` are free columns (scene, camera, ...) by which results can be sliced. `annotations_sha256` is the hash
    of what `annotations.json` says of the image; empty where the folder has no such file.
    """

    split: Split
    image: str
    image_sha256: str
    label: str
    label_sha256: str
    boxes: int
    width_px: int
    height_px: int
    attributes: dict[str, str] = field(default_factory=dict)
    annotations_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetManifest:
    """A data set: its classes, its images, and `revision`, the hash of both.

    `dvc_hash` is the directory hash under which DVC knows the same files (None where DVC does not know the folder);
    `versioned` says whether DVC has recorded exactly this content. `category_ids` are the numbers that COCO files
    about this data give its classes, where they are known; they are no part of the content.
    """

    name: str
    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]
    dvc_hash: str | None = None
    versioned: bool = False
    category_ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.classes:
            raise DatasetError(f"{self.name}: no classes")
        seen = Counter(record.image for record in self.images)
        if twice := sorted(image for image, count in seen.items() if count > 1):
            raise DatasetError(f"{self.name}: listed twice: {', '.join(twice[:3])}")
        for split in (Split.TRAIN, Split.VAL):
            if not self.split(split):
                raise DatasetError(f"{self.name}: no images in the split {split}")
        self._require_one_split_for_each_picture()

    @property
    def revision(self) -> str:
        """SHA-256 over the classes and, image by image, split, path and content hashes."""
        return revision_of(self.classes, self.images)

    def split(self, split: Split) -> tuple[ImageRecord, ...]:
        """The images of one split, by path."""
        return tuple(record for record in self.images if record.split == split)

    def split_revision(self, split: Split) -> str:
        """The revision of one split alone: images that come into another one leave it as it is."""
        return revision_of(self.classes, self.split(split))

    def slices(self, split: Split) -> dict[str, tuple[bool, ...]]:
        """The groups into which the columns part the images of a split: `scene=street` -> which images are in it.

        A column with one value parts nothing, one with more than `MOST_SLICES` names images and no groups.
        """
        records = self.split(split)
        columns = sorted({column for record in records for column in record.attributes})
        values = {column: sorted({record.attributes.get(column, "") for record in records}) for column in columns}
        return {
            f"{column}={value}": tuple(record.attributes.get(column, "") == value for record in records)
            for column in columns
            if 1 < len(values[column]) <= MOST_SLICES
            for value in values[column]
        }

    def counts(self) -> dict[str, int]:
        """Images in each split."""
        return {split.value: len(self.split(split)) for split in Split}

    def box_counts(self) -> dict[str, int]:
        """Annotated boxes in each split."""
        return {split.value: sum(record.boxes for record in self.split(split)) for split in Split}

    def require_boxes(self) -> None:
        """Refuse a split in which nothing is annotated: nothing could be learned from it, chosen or judged by it."""
        boxes = self.box_counts()
        empty = [f"{split} ({images} images)" for split, images in self.counts().items() if images and not boxes[split]]
        if empty:
            raise DatasetError(
                f"{self.name}: no boxes in {' and '.join(empty)}: training, choice and judgement each need some",
                hint="label objects in some of its images, or correct where data.yaml says that its images are",
            )

    def _require_one_split_for_each_picture(self) -> None:
        splits: dict[str, ImageRecord] = {}
        for record in self.images:
            first = splits.setdefault(record.image_sha256, record)
            if first.split != record.split:
                raise DatasetError(
                    f"{self.name}: the same picture is in two splits: {first.image} and {record.image}",
                    hint="remove one of them: a picture seen in training cannot judge the model",
                )


def revision_of(classes: tuple[str, ...], images: Iterable[ImageRecord]) -> str:
    """The content hash of a data set, independent of its folder, of file times and of the machine."""
    lines = ["\t".join(("classes", *classes))]
    lines += [
        "\t".join((record.split, record.image, record.image_sha256, record.label_sha256, *_annotations(record)))
        for record in sorted(images, key=lambda record: record.image)
    ]
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def _annotations(record: ImageRecord) -> tuple[str, ...]:
    """Nothing for an image without them: a folder without `annotations.json` keeps its revision."""
    return (record.annotations_sha256,) if record.annotations_sha256 else ()
