"""The hash under which DVC records a folder, without DVC: files whose MD5 is known are not read again."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from cv_yolo.errors import DatasetError

IGNORE_FILE: Final = ".dvcignore"


def directory_hash(root: Path, known: Mapping[str, str]) -> str:
    """The MD5 of the sorted list of all files with theirs, as `dvc add` computes it; `known` has MD5 by path.

    Links to files count as files, links to folders do not count. Raises `DatasetError` where DVC would record nothing.
    """
    names = sorted(_files(os.path.realpath(root)))
    entries = [{"md5": known.get(name) or _md5_of(root / name), "relpath": name} for name in names]
    return f"{hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest()}.dir"


def _files(top: str) -> Iterator[str]:
    for folder, _, names in os.walk(top):
        inside = "" if folder == top else f"{Path(os.path.relpath(folder, top)).as_posix()}/"
        if IGNORE_FILE in names:
            raise DatasetError(
                f"{folder}/{IGNORE_FILE}: DVC records no folder with such a file in it",
                hint="move its lines to the .dvcignore of the project's own folder",
            )
        yield from (inside + name for name in names)


def _md5_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
