"""A data set written in YOLO's layout: next to its place first, then swapped in whole."""

import json
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import yaml
from PIL import Image

from cv_yolo.domain.data.annotations import xyxy_to_xywhn
from cv_yolo.domain.data.label_text import Box, format_label_text
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import LabelledImage

FORMAT: Final = 1
JPEG_QUALITY: Final = 95


def write_dataset(
    root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
) -> DatasetManifest:
    """Write a data set next to its place, then swap it in."""
    with swapped_in(root) as scratch:
        records = tuple(sorted((_write_picture(scratch, each) for each in pictures), key=lambda each: each.image))
        manifest = DatasetManifest(name=root.name, classes=classes, images=records)
        write_descriptions(scratch, manifest, origin)
    return manifest


@contextmanager
def swapped_in(root: Path) -> Iterator[Path]:
    """A folder next to `root` that takes its place when the block ends; a failure leaves what is there."""
    scratch = root.with_name(f".{root.name}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    bring_back(root)
    try:
        yield scratch
        _swap(scratch, root)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def bring_back(root: Path) -> None:
    """Restore the former data of a process that was killed between the two renames of a swap."""
    former = _former(root)
    if former.exists() and not root.exists():
        former.rename(root)


def _former(root: Path) -> Path:
    return root.with_name(f".{root.name}.old")


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


def write_descriptions(
    root: Path, manifest: DatasetManifest, origin: Mapping[str, str], *, licence: str | None = None
) -> None:
    """Write `data.yaml` and `manifest.json`."""
    splits = {image.split for image in manifest.images}
    write_data_yaml(root, manifest.classes, splits, manifest.category_ids, licence=licence)
    content = {
        "format": FORMAT,
        "name": manifest.name,
        "classes": list(manifest.classes),
        "origin": dict(origin),
        "images": [_as_json(record) for record in manifest.images],
        "revision": manifest.revision,
    }
    (root / "manifest.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")


def write_data_yaml(
    root: Path,
    classes: Sequence[str],
    splits: Collection[Split | None],
    category_ids: Mapping[str, int],
    *,
    licence: str | None = None,
) -> None:
    """Write `data.yaml` for images in `images/<split>`."""
    data: dict[str, Any] = {split.value: f"images/{split}" for split in Split if split in splits}
    data["names"] = dict(enumerate(classes))
    if category_ids:
        data["category_ids"] = dict(category_ids)
    if licence is not None:
        data["license"] = licence
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    (root / "data.yaml").write_text(text, encoding="utf-8", newline="\n")


def _as_json(record: ImageRecord) -> dict[str, Any]:
    """The record as it was before there were annotations, where it has none: its file keeps its bytes."""
    content = asdict(record)
    if not record.annotations_sha256:
        del content["annotations_sha256"]
    return content


def _swap(scratch: Path, root: Path) -> None:
    former = _former(root)
    shutil.rmtree(former, ignore_errors=True)
    try:
        if root.exists():
            root.rename(former)
        scratch.rename(root)
    except BaseException:  # Ctrl-C too
        bring_back(root)
        raise
    shutil.rmtree(former, ignore_errors=True)
