"""A folder in YOLO's layout behind the port `DatasetFolder`: `data.yaml`, images, labels, `manifest.json`.

`attributes.csv`, where there is one, gives the images columns (scene, camera, …) by which results are sliced.
"""

import csv
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import TypeAdapter, ValidationError

from cv_yolo.domain.annotations import Box, GroundTruth, format_label_text, parse_label_text
from cv_yolo.domain.dataset import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.geometry import xywhn_to_xyxy, xyxy_to_xywhn
from cv_yolo.errors import DatasetError
from cv_yolo.files import sha256_of
from cv_yolo.ports import FoundDataset, Picture

FORMAT: Final = 1
IMAGE_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
JPEG_QUALITY: Final = 95
NO_LABEL: Final = ""  # hash of a label file that does not exist: an image without objects


class YoloFolder:
    """Data sets on disk. An image's label file is found as YOLO does: `images` becomes `labels` in its path."""

    def exists(self, root: Path) -> bool:
        """Whether there is a data set at all."""
        return (root / "data.yaml").is_file()

    def scan(self, root: Path) -> FoundDataset:
        """Read everything: every image is decoded, every label line checked."""
        content = _read_data_yaml(root)
        classes = _classes(root, content.get("names"))
        images = [
            self._record(root, split, path, len(classes))
            for split in Split
            for path in _image_paths(root, split, content.get(split.value))
        ]
        images = _with_attributes(root, images)
        return FoundDataset(classes=classes, images=tuple(sorted(images, key=lambda record: record.image)))

    def recorded(self, root: Path) -> tuple[ImageRecord, ...] | None:
        """The images that `manifest.json` records."""
        path = root / "manifest.json"
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_bytes())
            if content["format"] != FORMAT:
                raise DatasetError(f"{path}: format {content['format']}, this version reads format {FORMAT}")
            return TypeAdapter(tuple[ImageRecord, ...]).validate_python(content["images"])
        except (ValidationError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}: not a manifest: {' '.join(str(error).split())}") from error

    def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]:
        """The annotated boxes of a split in pixels of the original images, in the manifest's order."""
        return tuple(_truth(root, record, len(manifest.classes)) for record in manifest.split(split))

    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[Picture], origin: dict[str, str]
    ) -> DatasetManifest:
        """Write a data set beside its place, then swap it in."""
        scratch = root.with_name(f".{root.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            records = tuple(sorted((_write_picture(scratch, each) for each in pictures), key=lambda each: each.image))
            manifest = DatasetManifest(name=root.name, classes=classes, images=records)
            _write_descriptions(scratch, manifest, origin)
            _swap(scratch, root)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return manifest

    def _record(self, root: Path, split: Split, image: Path, class_count: int) -> ImageRecord:
        label = _label_path(root, image)
        width_px, height_px = _decode(image)
        boxes = _boxes(label, class_count)
        return ImageRecord(
            split=split,
            image=image.relative_to(root).as_posix(),
            image_sha256=sha256_of(image),
            label=label.relative_to(root).as_posix(),
            label_sha256=sha256_of(label) if label.is_file() else NO_LABEL,
            boxes=len(boxes),
            width_px=width_px,
            height_px=height_px,
        )


def _read_data_yaml(root: Path) -> dict[str, Any]:
    path = root / "data.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: not a mapping of train, val, test and names")
    return content


def _classes(root: Path, names: object) -> tuple[str, ...]:
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DatasetError(f"{root / 'data.yaml'}: `names` must list the classes, from 0 on")
    return tuple(names)


def _image_paths(root: Path, split: Split, folder: object) -> Iterator[Path]:
    if folder is None:
        return
    inside = isinstance(folder, str) and Path(os.path.normpath(root / folder)).is_relative_to(os.path.normpath(root))
    if not inside or not (root / str(folder)).is_dir():
        raise DatasetError(f"{root / 'data.yaml'}: `{split}: {folder}` is no folder in {root}")
    yield from (path for path in sorted((root / str(folder)).rglob("*")) if path.suffix.lower() in IMAGE_SUFFIXES)


def _with_attributes(root: Path, images: list[ImageRecord]) -> list[ImageRecord]:
    """The images with what `attributes.csv` says of them: a column `image` with their paths, and any others."""
    path = root / "attributes.csv"
    if not path.is_file():
        return images
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True, restkey="", restval=None))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    known, found = {record.image for record in images}, {}
    for line, row in enumerate(rows, start=2):
        image = row.pop("image", None)
        if image not in known or "" in row or None in row.values():
            why = f"no image {image!r} in the data set" if image not in known else "not as many fields as columns"
            raise DatasetError(f"{path}:{line}: {why}", hint="its first line names the columns, `image` among them")
        found[image] = {column: value for column, value in row.items() if value}
    return [replace(record, attributes=found.get(record.image, {})) for record in images]


def _label_path(root: Path, image: Path) -> Path:
    parts = list(image.relative_to(root).parts)
    if "images" not in parts[:-1]:
        raise DatasetError(f"{image}: images must be below a folder `images`, their labels below `labels` beside it")
    parts[len(parts) - 2 - parts[:-1][::-1].index("images")] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def _decode(image: Path) -> tuple[int, int]:
    """Width and height in pixels, upright: OpenCV, with which the detector reads, obeys the EXIF orientation too."""
    try:
        with Image.open(image) as opened:
            opened.load()
            return ImageOps.exif_transpose(opened).size
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(
            f"{image}: does not decode: {error}", hint="restore the file, or remove it together with its label"
        ) from error


def _boxes(label: Path, class_count: int) -> tuple[Box, ...]:
    if not label.is_file():
        return ()
    try:
        text = label.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{label}: not a text file: {error}") from error
    return parse_label_text(text, source=str(label), class_count=class_count)


def _truth(root: Path, record: ImageRecord, class_count: int) -> GroundTruth:
    boxes = _boxes(root / record.label, class_count)
    normalised = np.array([box.xywhn for box in boxes], dtype=np.float64).reshape(-1, 4)
    return GroundTruth(
        image=record.image,
        boxes_xyxy=xywhn_to_xyxy(normalised, width_px=record.width_px, height_px=record.height_px),
        class_ids=np.array([box.class_id for box in boxes], dtype=np.int64),
    )


def _write_picture(root: Path, picture: Picture) -> ImageRecord:
    image = root / "images" / picture.split / f"{picture.name}.jpg"
    label = root / "labels" / picture.split / f"{picture.name}.txt"
    height_px, width_px = picture.pixels.shape[:2]
    rows = xyxy_to_xywhn(picture.boxes_xyxy, width_px=width_px, height_px=height_px).tolist()
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.pixels).save(image, quality=JPEG_QUALITY)
    text = format_label_text(tuple(Box(class_id=0, xywhn=(row[0], row[1], row[2], row[3])) for row in rows))
    label.write_text(text, encoding="utf-8", newline="\n")
    return ImageRecord(
        split=picture.split,
        image=image.relative_to(root).as_posix(),
        image_sha256=sha256_of(image),
        label=label.relative_to(root).as_posix(),
        label_sha256=sha256_of(label),
        boxes=len(rows),
        width_px=width_px,
        height_px=height_px,
    )


def _write_descriptions(root: Path, manifest: DatasetManifest, origin: dict[str, str]) -> None:
    data = {split.value: f"images/{split}" for split in Split if manifest.split(split)}
    names = {"names": dict(enumerate(manifest.classes))}
    text = yaml.safe_dump(data | names, sort_keys=False)
    (root / "data.yaml").write_text(text, encoding="utf-8", newline="\n")
    content = {
        "format": FORMAT,
        "name": manifest.name,
        "classes": list(manifest.classes),
        "origin": origin,
        "images": [asdict(record) for record in manifest.images],
        "revision": manifest.revision,
    }
    (root / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")


def _swap(scratch: Path, root: Path) -> None:
    former = root.with_name(f".{root.name}.old")
    shutil.rmtree(former, ignore_errors=True)
    if root.exists():
        root.rename(former)
    try:
        scratch.rename(root)
    except OSError:
        if former.exists():
            former.rename(root)
        raise
    shutil.rmtree(former, ignore_errors=True)
