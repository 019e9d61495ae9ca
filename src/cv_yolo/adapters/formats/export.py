"""Data sets written in other formats, with copies of their images."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cv_yolo.adapters.formats import coco, voc, yolo
from cv_yolo.adapters.yolo.writing import swapped_in
from cv_yolo.domain.data.annotated import AnnotatedDataset
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError


def export(
    dataset: AnnotatedDataset, images_root: Path, out: Path, format: str, on_image: Callable[[int], None]
) -> None:
    """Write a new folder in the format `coco`, `voc` or `yolo`; raises `DatasetError` where the folder has files."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: is there already", hint="give another --out, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    with swapped_in(out.absolute()) as scratch:
        if format == "voc":  # in a layout of its own
            voc.write(dataset, images_root, scratch)
            return
        for done, image in enumerate(dataset.images, start=1):
            target = scratch / image.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(images_root / image.path, target)
            on_image(done)
        if format == "coco":
            _write_coco(dataset, scratch)
        else:
            yolo.write(dataset, scratch)


def _write_coco(dataset: AnnotatedDataset, out: Path) -> None:
    """One file for each split, as COCO has them; the paths in it are seen from `out`."""
    for split in Split:
        images = tuple(image for image in dataset.images if image.split is split)
        if images:
            (out / "annotations").mkdir(exist_ok=True)
            coco.write(replace(dataset, images=images), out / "annotations" / f"instances_{split}.json")
