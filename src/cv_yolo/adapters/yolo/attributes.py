"""`attributes.csv`: columns of the images, such as scene and camera, by which results are sliced and images grouped."""

import csv
from collections.abc import Collection
from pathlib import Path
from typing import Final

from cv_yolo.adapters.yolo.entries import is_absent
from cv_yolo.errors import DatasetError

NAME: Final = "attributes.csv"
IMAGE: Final = "image"
COLUMNS: Final = "its first line names the columns, `image` among them"


def read_attributes(root: Path, images: Collection[str]) -> dict[str, dict[str, str]]:
    """The columns of each image by its path: a column `image` names it; empty where there is no such file.

    Raises `DatasetError` that names the line of an image that is not among `images`, or that has other columns.
    """
    path = root / NAME
    found: dict[str, dict[str, str]] = {}
    for line, row in enumerate(_rows(path), start=2):
        image = row.pop(IMAGE, None)
        if image is None or image not in images:
            raise DatasetError(f"{path}:{line}: no image {image!r} in the data set", hint=COLUMNS)
        if "" in row or None in row.values():
            raise DatasetError(f"{path}:{line}: not as many fields as columns", hint=COLUMNS)
        found[image] = {column: value for column, value in row.items() if value}
    return found


def copy_attributes(source: Path, target: Path, images: Collection[str]) -> None:
    """Write the lines of images that are still there to another folder; nothing where the source has no such file."""
    rows = _rows(source / NAME)
    if not rows:
        return
    with (target / NAME).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if row.get(IMAGE) in images)


def _rows(path: Path) -> list[dict[str, str]]:
    if is_absent(path):
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file, strict=True, restkey="", restval=None))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
