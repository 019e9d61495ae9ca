"""A data set written in YOLO's layout: next to its place first, then swapped in whole."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import yaml
from PIL import Image

from cv_yolo.domain.data.annotations import Box, format_label_text, xyxy_to_xywhn
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import LabelledImage

FORMAT: Final = 1
JPEG_QUALITY: Final = 95


def write_dataset(
    root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
) -> DatasetManifest:
    """Write a data set next to its place, then swap it in."""
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


def _write_picture(root: Path, picture: LabelledImage) -> ImageRecord:
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
