"""What describes a folder in one of YOLO's layouts: which file names the classes, and which images each split has."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from cv_yolo.adapters.formats.source import SPLITS, files_below, reference_parts, split_of_folder
from cv_yolo.adapters.yolo.data_yaml import read_foreign_yaml
from cv_yolo.adapters.yolo.entries import bytes_of, start_of
from cv_yolo.adapters.yolo.labels import decoded
from cv_yolo.domain.data.class_names import listed, require_distinct
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError, InputError

YAML: Final = {".yaml", ".yml"}
MOST_YAML_BYTES: Final = 1_000_000
MOST_OF_A_LINE: Final = 4096
LIKELY: Final = ("data", "dataset")  # names of the file that is meant, where there are several
NAMES_KEY: Final = re.compile(rb"^(\xef\xbb\xbf)?[\"']?(names|class_names|classes)[\"']?\s*:", re.MULTILINE)
NAME_FILES: Final = {"classes.txt", "obj.names", "_darknet.labels", "class.names", "predefined_classes.txt"}
LISTINGS: Final = {"train.txt", "val.txt", "valid.txt", "validation.txt", "test.txt"}
TEXTS: Final = {*NAME_FILES, "license.txt", "requirements.txt"}  # no labels
DARKNET_KEYS: Final = {"classes", "train", "valid", "val", "test", "names", "backup", "eval", "results", "top"}
GIVEN: Final = "--class-names"
NAME_THEM: Final = (
    "--class-names person,car in the order of their numbers, a file with a name on each line, or coco for COCO's 80"
)


class Index:
    """The files of the source, by path; hidden ones are not there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = tuple(files_below(root))
        self.images = tuple(path for path in self.files if path.suffix.lower() in IMAGE_SUFFIXES)
        self._files = frozenset(self.files)
        self._known = {path.as_posix().lower(): path for path in self.files}
        self._below: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in self.images:
            for folder in path.parents:
                self._below[folder.as_posix().lower()].append(path)

    def file(self, path: PurePosixPath) -> PurePosixPath | None:
        """The file at a path, ignoring case where only the case differs."""
        return path if path in self._files else self._known.get(path.as_posix().lower())

    def images_below(self, folder: PurePosixPath) -> Sequence[PurePosixPath]:
        """All images of a folder and those below it."""
        return self._below.get(folder.as_posix().lower(), ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The classes (empty where nothing names them), what names them, and the splits of each image that counts."""

    classes: tuple[str, ...]
    named_by: str
    splits: dict[PurePosixPath, frozenset[Split]]
    ignored_keys: tuple[str, ...] = ()
    described_by: str = ""


@dataclass(slots=True, kw_only=True)
class _Description:
    """What one file says: names, and places of images by split, seen from `folder`."""

    path: PurePosixPath
    classes: tuple[str, ...] = ()
    named_by: str = ""
    places: dict[Split, tuple[str, ...]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def describe(index: Index, class_names: tuple[str, ...], refusals: Refusals) -> Layout:
    """Find out what the folder says of itself; what is wrong with it is collected among the refusals."""
    description = _description(index)
    classes, named_by = class_names, GIVEN
    if class_names:
        require_distinct(class_names, of=GIVEN)
    elif description is not None and description.classes:
        classes, named_by = description.classes, description.named_by
    else:
        classes, named_by = _of_name_file(index)
    places = {} if description is None else description.places
    listings = {} if places else _listings(index)
    splits: dict[PurePosixPath, set[Split]] = defaultdict(set)
    for split, given in (places or listings).items():
        for place in given:
            with refusals.going_on():
                base = description.path if places and description is not None else PurePosixPath(place)
                for image in _images_at(index, base, place, split, refusals):
                    splits[image].add(split)
    if not places and not listings:
        for image in index.images:
            split_of_image = split_of_folder(image)
            splits[image] = set() if split_of_image is None else {split_of_image}
    return Layout(
        classes=classes,
        named_by=named_by,
        splits={image: frozenset(found) for image, found in sorted(splits.items())},
        ignored_keys=() if description is None else description.ignored,
        described_by="" if description is None else description.path.as_posix(),
    )


def is_listing(root: Path, path: PurePosixPath) -> bool:
    """Whether a text file lists images: `train.txt` may also be the label of `train.jpg`."""
    if path.name.lower() not in LISTINGS:
        return False
    first = start_of(root / path, MOST_OF_A_LINE).lstrip().split(b"\n", 1)[0].strip().lower()
    return first.endswith(tuple(suffix.encode() for suffix in IMAGE_SUFFIXES))


def is_no_label(path: PurePosixPath) -> bool:
    """Whether a text file is one of names, or one that tools add."""
    return path.name.lower() in TEXTS or path.name.lower().startswith("readme")


def described_by_yaml(index: Index) -> PurePosixPath | None:
    """The YAML file with names of classes nearest to the source's folder; None where there is none."""
    found = [
        path
        for path in index.files
        if path.suffix.lower() in YAML and NAMES_KEY.search(start_of(index.root / path, MOST_YAML_BYTES))
    ]
    return min(found, key=lambda path: (len(path.parts), path.stem.lower() not in LIKELY, path), default=None)


def _description(index: Index) -> _Description | None:
    path = described_by_yaml(index)
    if path is not None:
        found = read_foreign_yaml(index.root / path)
        return _Description(
            path=path, classes=found.classes, named_by=path.name, places=found.places, ignored=found.ignored
        )
    data_files = [each for each in index.files if each.suffix.lower() == ".data"]
    return _of_darknet(index, min(data_files, key=lambda each: len(each.parts))) if data_files else None


def _of_darknet(index: Index, path: PurePosixPath) -> _Description:
    """Darknet's `obj.data`: `key = value`, with lists of images, and a file of names."""
    described, names = _Description(path=path), None
    for number, line in enumerate(_text(index.root / path).splitlines(), start=1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key.lower() not in DARKNET_KEYS:
            if line.strip() and not line.lstrip().startswith("#"):
                described.ignored += (f"line {number}",)
            continue
        if key.lower() == "names":
            names = value
        elif key.lower() in SPLITS and value:
            described.places[SPLITS[key.lower()]] = (value,)
    if names is None:
        return described
    file = _resolve(index, path, names)
    if file is None or file not in index.files:
        raise DatasetError(f"{index.root / path}: `names = {printable(names)}` is not there", hint=NAME_THEM)
    described.classes, described.named_by = _names_in(index.root / file), file.name
    return described


def _of_name_file(index: Index) -> tuple[tuple[str, ...], str]:
    files = [path for path in index.files if path.name.lower() in NAME_FILES or path.suffix.lower() == ".names"]
    found = {path: _names_in(index.root / path) for path in sorted(files, key=lambda path: (len(path.parts), path))}
    if len(set(found.values())) > 1:
        (one, names), (other, others) = next(
            ((a, x), (b, y)) for a, x in found.items() for b, y in found.items() if x != y
        )
        raise DatasetError(
            f"{index.root / one} names {listed(names)}, {index.root / other} names {listed(others)}",
            hint=f"remove the wrong one, or {NAME_THEM}",
        )
    return next(((names, path.name) for path, names in found.items()), ((), ""))


def _names_in(path: Path) -> tuple[str, ...]:
    names = tuple(line.strip() for line in _text(path).splitlines() if line.strip())
    try:
        require_distinct(names, of=str(path))
    except InputError as error:
        raise DatasetError(error.message, hint=error.hint) from error
    return names


def _listings(index: Index) -> dict[Split, tuple[str, ...]]:
    """`train.txt` and the like beside or above the images, where nothing else says where they are."""
    found = [path for path in index.files if is_listing(index.root, path)]
    return {SPLITS[path.stem.lower()]: (path.as_posix(),) for path in found}


def _images_at(
    index: Index, described_by: PurePosixPath, place: str, split: Split, refusals: Refusals
) -> Iterable[PurePosixPath]:
    found = _resolve(index, described_by, place)
    where = f"{index.root / described_by}: `{split}: {printable(place)}`"
    if found is None:
        raise DatasetError(
            f"{where} is not in the source",
            hint="add the folder or the list of images; or remove data.yaml's line: then the folders say the split",
        )
    if found.suffix.lower() in IMAGE_SUFFIXES:
        return [found]
    return index.images_below(found) if found not in index.files else _images_listed(index, found, refusals)


def _images_listed(index: Index, listing: PurePosixPath, refusals: Refusals) -> list[PurePosixPath]:
    images = []
    for number, line in enumerate(_text(index.root / listing).splitlines(), start=1):
        with refusals.going_on():
            if not line.strip():
                continue
            image = _resolve(index, listing, line.strip())
            if image is None or image.suffix.lower() not in IMAGE_SUFFIXES:
                raise DatasetError(
                    f"{index.root / listing}:{number}: {printable(line.strip())} is not in the source",
                    hint="add the image, or remove the line",
                )
            images.append(image)
    return images


def _resolve(index: Index, described_by: PurePosixPath, place: str) -> PurePosixPath | None:
    """The file or folder that a path names: as written, else by its end, as paths of other machines are.

    Nothing outside of the source is looked at. A part that names a split is never left out: where `../valid/images` is
    missing, `images` is another place.
    """
    parts = reference_parts(place)
    for start in range(len(parts)):
        if any(part.lower() in SPLITS for part in parts[:start]):
            break
        end = PurePosixPath(*parts[start:])
        for candidate in (described_by.parent / end, end):
            file = index.file(candidate)
            if file is not None:
                return file
            if index.images_below(candidate):
                return candidate
    return PurePosixPath() if not parts and index.images else None


def _text(path: Path) -> str:
    return decoded(path, bytes_of(path)).removeprefix("\ufeff")
