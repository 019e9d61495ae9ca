"""What `data check` has read before, so that a second check reads only what changed.

The cache trusts the file system: a file whose path, size, inode, device, time of change of its content and time of
change of its inode are the same has the same content. Programs can set the former time and not the latter. What changed
less than two seconds before it was read is not kept: a second change could carry the same time. Only `data check` uses
the cache; a pipeline run reads every file, and a training verifies the hash of each image that it uses.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import PIL

from cv_yolo.adapters.yolo.image_files import ReadPicture
from cv_yolo.domain.data.gate import LabelRows
from cv_yolo.domain.data.likeness import LIKENESS_VERSION, SIDE, Likeness
from cv_yolo.files import write_bytes_whole

FORMAT: Final = 2
SETTLED_NS: Final = 2_000_000_000
NO_LABEL_FILE: Final = (-1, 0, 0, 0, 0)

FileState = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadImage:
    """One image with its label, as they were read, and the state of both files then.

    `hashes` are those of the windows of its views; `clipped`, `too_small` and `repeated` lines of the label file.
    """

    states: tuple[FileState, FileState]
    picture: ReadPicture
    hashes: npt.NDArray[np.uint64]
    label_sha256: str
    label_md5: str
    rows: LabelRows
    clipped: tuple[int, ...] = ()
    too_small: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownImages:
    """Images by path, and which pairs of them look the same."""

    images: Mapping[str, ReadImage]
    pairs: tuple[tuple[str, str], ...] = ()


def state_of(path: str) -> FileState:
    """What the cache trusts of a file, through links; of one that is not there, or cannot be looked at, nothing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a `Path` for each of many files takes longer than to look at it
    except OSError:
        return NO_LABEL_FILE
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev


def cache_of(folder: Path, root: Path) -> Path:
    """The cache of the data set at that place."""
    return folder / f"{hashlib.sha256(str(root.absolute()).encode(errors='surrogateescape')).hexdigest()[:16]}.npz"


def is_settled(states: tuple[FileState, FileState], at_ns: int) -> bool:
    """Whether both files had not changed for a while at that time."""
    return all(max(mtime, ctime) < at_ns - SETTLED_NS for _, mtime, ctime, _, _ in states)


def read_cache(path: Path | None, classes: int, most_px: int) -> KnownImages:
    """What is known; nothing where there is no cache, or one of another version or that is damaged."""
    if path is None:
        return KnownImages(images={})
    try:
        with np.load(path, allow_pickle=False) as columns:
            return _known({name: columns[name] for name in columns.files}, classes, most_px)
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile):
        return KnownImages(images={})  # it is only a cache


def write_cache(path: Path, known: KnownImages, classes: int, most_px: int) -> None:
    """Keep what is known, readable only by its owner."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **_columns(known, classes, most_px))
    write_bytes_whole(path, buffer.getbuffer(), mode=0o600)


def _versions(classes: int, most_px: int) -> list[Any]:
    """What else the content of a cache depends on: other readers may refuse what these accept."""
    return [FORMAT, LIKENESS_VERSION, PIL.__version__, classes, most_px]


def _columns(known: KnownImages, classes: int, most_px: int) -> dict[str, npt.NDArray[Any]]:
    names, images = list(known.images), list(known.images.values())
    place = {name: number for number, name in enumerate(names)}
    pictures = [each.picture for each in images]
    views = [np.empty((0, SIDE, SIDE), np.uint8) if p.likeness is None else p.likeness.views for p in pictures]
    notes = {
        number: [each.clipped, each.too_small, each.repeated]
        for number, each in enumerate(images)
        if each.clipped or each.too_small or each.repeated
    }
    hashes = [each.hashes for each in images] or [np.empty((0, 1, 2), np.uint64)]
    return {
        "head": _text([_versions(classes, most_px), names, notes]),
        "states": np.array([each.states for each in images], dtype=np.int64).reshape(-1, 2, 5),
        "hex": _text([[p.sha256, p.md5, i.label_sha256, i.label_md5] for p, i in zip(pictures, images, strict=True)]),
        "numbers": np.array([_numbers(picture) for picture in pictures], dtype=np.int64).reshape(-1, 6),
        "brightness": np.array([-1.0 if p.likeness is None else p.likeness.brightness for p in pictures]),
        "counts": np.array([[len(v), len(i.rows)] for v, i in zip(views, images, strict=True)]).reshape(-1, 2),
        "views": np.concatenate([np.empty((0, SIDE, SIDE), np.uint8), *views]),
        "hashes": np.concatenate(hashes),
        "rows": np.concatenate([np.empty((0, 6), np.float32), *(each.rows for each in images)]),
        "pairs": np.array([[place[a], place[b]] for a, b in known.pairs], dtype=np.int64).reshape(-1, 2),
    }


def _numbers(picture: ReadPicture) -> tuple[int, ...]:
    return (
        picture.width_px,
        picture.height_px,
        picture.frames,
        picture.is_deep,
        picture.decoded_as_in_training,
        picture.likeness is not None,
    )


def _known(columns: Mapping[str, npt.NDArray[Any]], classes: int, most_px: int) -> KnownImages:
    versions, names, notes = json.loads(columns["head"].tobytes())
    if versions != _versions(classes, most_px):
        return KnownImages(images={})
    ends = np.cumsum(columns["counts"], axis=0)
    states, numbers = columns["states"].tolist(), columns["numbers"].tolist()
    images = {}
    for place, (name, hashes) in enumerate(zip(names, json.loads(columns["hex"].tobytes()), strict=True)):
        views, rows = (slice(*_range(ends[:, column], place)) for column in range(2))
        clipped, too_small, repeated = map(tuple, notes.get(str(place), ((), (), ())))
        likeness = Likeness(views=columns["views"][views], brightness=float(columns["brightness"][place]))
        images[name] = ReadImage(
            states=(tuple(states[place][0]), tuple(states[place][1])),
            picture=_picture(hashes[0], hashes[1], numbers[place], likeness),
            hashes=columns["hashes"][views],
            label_sha256=hashes[2],
            label_md5=hashes[3],
            rows=columns["rows"][rows],
            clipped=clipped,
            too_small=too_small,
            repeated=repeated,
        )
    return KnownImages(images=images, pairs=tuple((names[a], names[b]) for a, b in columns["pairs"].tolist()))


def _picture(sha256: str, md5: str, numbers: Sequence[int], likeness: Likeness) -> ReadPicture:
    width_px, height_px, frames, is_deep, decoded, is_comparable = numbers
    return ReadPicture(
        sha256=sha256,
        md5=md5,
        width_px=width_px,
        height_px=height_px,
        frames=frames,
        is_deep=bool(is_deep),
        decoded_as_in_training=bool(decoded),
        likeness=likeness if is_comparable else None,
    )


def _range(ends: npt.NDArray[np.int64], place: int) -> tuple[int, int]:
    return (int(ends[place - 1]) if place else 0), int(ends[place])


def _text(content: object) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(content, separators=(",", ":")).encode(), dtype=np.uint8)
