"""Safe fixes of a data set's folder: what is changed is copied first, so that it can be put back."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from cv_yolo.adapters.yolo.canonical import NAME
from cv_yolo.adapters.yolo.data_yaml import read_data_yaml
from cv_yolo.adapters.yolo.entries import bytes_of, is_absent, is_file
from cv_yolo.adapters.yolo.labels import read_label
from cv_yolo.domain.data.fixes import Fix, FixPlan
from cv_yolo.domain.data.manifest import ImageRecord, revision_of
from cv_yolo.errors import DatasetError
from cv_yolo.files import write_bytes_whole, write_whole

MANIFEST: Final = "manifest.json"
_LINE_ENDS: Final = re.compile(r"(\r\n|\r|\n)")


class YoloFixer:
    """The port `DatasetFixer` on disk."""

    def fix(self, root: Path, images: Mapping[str, ImageRecord], plan: FixPlan, backup: Path) -> tuple[Fix, ...]:
        """Copy what is going to change, then change it; raises `DatasetError` for data that were imported."""
        if not is_absent(root / NAME):
            raise DatasetError(
                f"{root / NAME}: an imported data set is not fixed here: its labels are made from this file",
                hint="correct the source, and import it again",
            )
        rewritten = dict(_rewritten(root, images, plan))
        removed = list(_removed(root, plan))
        kept = [*rewritten, *(path for fix in removed for path in (fix.image, fix.path) if path is not None)]
        if not kept:
            return ()
        _back_up(root, [*kept, *([] if is_absent(root / MANIFEST) else [MANIFEST])], backup)
        for path, (content, _) in rewritten.items():
            write_bytes_whole(root / path, content)
        for gone in (path for fix in removed for path in (fix.image, fix.path) if path is not None):
            (root / gone).unlink(missing_ok=True)
        _update_manifest(root, {path: content for path, (content, _) in rewritten.items()}, removed)
        fixes = (*(fix for _, fix in rewritten.values()), *removed)
        write_whole(backup / "fixes.json", json.dumps([asdict(fix) for fix in fixes], indent=1) + "\n")
        return fixes


def _rewritten(root: Path, images: Mapping[str, ImageRecord], plan: FixPlan) -> Iterator[tuple[str, tuple[bytes, Fix]]]:
    """The new contents of label files."""
    by_label, classes = {record.label: record for record in images.values()}, len(read_data_yaml(root).classes)
    gone = {record.label for record in plan.repeated}
    for path in plan.rewritten:
        record = by_label.get(path)
        if record is None or path in gone or not _is_own(root, path):
            continue
        data = bytes_of(root / path)
        size_px = (record.width_px, record.height_px)
        label = read_label(root / path, data, class_count=classes, size_px=size_px)
        boxes = dict(zip(label.lines, label.boxes, strict=True))
        pieces = _LINE_ENDS.split(data.decode("utf-8"))
        for line in label.clipped:
            box = boxes[line]
            pieces[2 * line - 2] = f"{box.class_id} " + " ".join(f"{value:.9g}" for value in box.xywhn)
        for line in label.repeated:
            pieces[2 * line - 2 : 2 * line] = ["", ""][: len(pieces[2 * line - 2 : 2 * line])]
        what = f"{len(label.repeated)} repeated lines removed, {len(label.clipped)} boxes clipped"
        yield path, ("".join(pieces).encode(), Fix(path=path, what=what))


def _removed(root: Path, plan: FixPlan) -> Iterator[Fix]:
    for path in plan.orphans:
        if _is_own(root, path):
            yield Fix(path=path, what="label file without an image removed")
    listed = any(not (root / place).is_dir() for places in read_data_yaml(root).places.values() for place in places)
    for record in [] if listed else plan.repeated:  # the lists would name images that are no longer there
        if _is_own(root, record.image) and (is_absent(root / record.label) or _is_own(root, record.label)):
            what = "image with the content and the labels of another one of its split removed"
            yield Fix(path=record.label, what=what, image=record.image)


def _is_own(root: Path, path: str) -> bool:
    """Whether it is a file of this folder, and not reached through a link."""
    return is_file(root / path) and (root / path).resolve() == root.resolve() / path


def _back_up(root: Path, paths: list[str], backup: Path) -> None:
    for path in paths:
        if not is_absent(root / path):
            target = backup / "files" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, target)


def _update_manifest(root: Path, rewritten: Mapping[str, bytes], removed: list[Fix]) -> None:
    """The manifest in the folder, where there is one, as of the files that are there now."""
    path = root / MANIFEST
    if is_absent(path):
        return
    content: dict[str, Any] = json.loads(path.read_bytes())
    gone = {fix.image for fix in removed}
    records = [
        replace(record, label_sha256=hashlib.sha256(rewritten[record.label]).hexdigest())
        if record.label in rewritten
        else record
        for record in TypeAdapter(tuple[ImageRecord, ...]).validate_python(content["images"])
        if record.image not in gone
    ]
    content["images"] = [asdict(record) for record in records]
    content["revision"] = revision_of(tuple(content["classes"]), records)
    write_whole(path, json.dumps(content, indent=1) + "\n")
