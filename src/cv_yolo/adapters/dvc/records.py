"""The `.dvc` files by which a project records its data sets, as they are read.

A data set in the folder `data/mine` has `data/mine.dvc`, or in shards `data/mine.shards.dvc`: that one records the
folder of shards, and under `meta` the hash of what they hold. The record of a folder outside the project has its
`source`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cv_yolo.errors import DatasetError

HASH_KEY: Final = "md5"
META: Final = "cv_yolo"  # our part of a record's `meta`, which DVC keeps as it is
SHARDS: Final = ".shards"
RECORDS: Final = "data"  # where the records of folders outside the project are
FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """A `.dvc` file: `stored` is the hash of what DVC stores, `content` that of the data set's folder."""

    pointer: Path
    folder: Path
    stored: str
    content: str
    source: Path | None
    sharded: bool


def record_beside(folder: Path) -> DatasetRecord | None:
    """The record of a folder, which is next to it; raises `DatasetError` where there are two."""
    plain, shards = (_record(folder, kind) for kind in ("", SHARDS))
    if plain is not None and shards is not None:
        raise DatasetError(
            f"{plain.pointer} and {shards.pointer.name} both record {folder.name}",
            hint="remove the one that is out of date (`git log` shows which), or push the data again",
        )
    return plain or shards


def record_from(project: Path, source: Path) -> DatasetRecord | None:
    """The record that was made of a folder outside the project."""
    pointers = (project / RECORDS).glob("*.dvc")
    folders = {each.with_name(each.name.removesuffix(".dvc").removesuffix(SHARDS)) for each in pointers}
    records = (record_beside(folder) for folder in sorted(folders))
    return next((each for each in records if each is not None and each.source == source), None)


def recorded_outputs(project: Path, relative: str) -> Iterator[str]:
    """The hashes that `dvc.lock` records for a folder that stages make."""
    for stage in read_yaml(project / "dvc.lock").get("stages", {}).values():
        yield from (
            str(each[HASH_KEY]) for each in stage.get("outs", []) if each["path"] == relative and HASH_KEY in each
        )


def read_yaml(path: Path) -> dict[str, Any]:
    """A file of DVC; empty where there is none."""
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: not a DVC file")
    return content


def _record(folder: Path, kind: str) -> DatasetRecord | None:
    pointer = folder.with_name(f"{folder.name}{kind}.dvc")
    content = read_yaml(pointer)
    stored = next((str(each[HASH_KEY]) for each in content.get("outs", []) if HASH_KEY in each), None)
    ours = (content.get("meta") or {}).get(META) or {}
    if stored is None or (kind and not ours):  # a folder that is named like shards
        return None
    if kind and ours.get("format") != FORMAT:
        raise DatasetError(
            f"{pointer}: shards of format {ours.get('format')!r}, this version reads {FORMAT}",
            hint="upgrade zenml-cv-yolo on this machine",
        )
    source = ours.get("source")
    return DatasetRecord(
        pointer=pointer,
        folder=folder,
        stored=stored,
        content=str(ours["content"]) if kind else stored,
        source=None if source is None else Path(source),
        sharded=bool(kind),
    )
