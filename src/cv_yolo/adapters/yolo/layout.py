"""Where images and their labels are: the places that `data.yaml` names, with symbolic links followed."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.adapters.yolo.data_yaml import NAME, Description
from cv_yolo.adapters.yolo.entries import (
    Listings,
    is_absent,
    is_file,
    is_folder,
    is_link,
    require_file,
)
from cv_yolo.domain.data.findings import FindingKind, Findings
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable, require_usable_name
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError


class Survey(Refusals):
    """Refusals and findings of one scan."""

    def __init__(self) -> None:
        super().__init__()
        self.findings = Findings()
        self.listings = Listings()


UNREMARKABLE: Final = {"thumbs.db", "desktop.ini"}
NOT_LABELS: Final = {"classes.txt"}  # LabelImg's list of class names
IMAGES: Final = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An image of a split and the place of its label file, which need not exist."""

    split: Split
    image: Path
    label: Path


def locate(root: Path, description: Description, survey: Survey) -> list[Located]:
    """All images of all splits with the places of their labels; what cannot be located is refused."""
    require_usable_name(root, root.as_posix())
    located: list[Located] = []
    for split, places in description.places.items():
        found = [
            Located(split=split, image=image, label=label)
            for place in places
            for image, label in _images_at(root, split, place, survey)
        ]
        located += found
    _require_one_split(root, located, survey)
    _require_a_label_each(located, survey)
    return located


def label_of(root: Path, image: Path) -> Path:
    """The label file as YOLO finds it: the last `images` in the path becomes `labels`, the suffix `.txt`."""
    parts = list(image.relative_to(root).parts)
    if IMAGES not in parts[:-1]:
        near = next((part for part in reversed(parts[:-1]) if part.lower() == IMAGES), None)
        meant = "" if near is None else f": did you mean `{IMAGES}` for `{near}`?"
        raise DatasetError(
            f"{image}: images must be below a folder `images`, their labels below `labels` next to it{meant}"
        )
    parts[len(parts) - 2 - parts[:-1][::-1].index(IMAGES)] = "labels"
    return root.joinpath(*parts).with_suffix(".txt")


def files_below(folder: Path, survey: Survey) -> Iterator[Path]:
    """The files of a folder and those below it, by name; links are followed, but not back into a folder above."""
    real = os.path.realpath(folder)
    yield from _below(folder, (real, *map(str, Path(real).parents)), survey)


def check_all_entries(root: Path, survey: Survey) -> None:
    """Refuse what no revision can be made of: links to nothing, pipes; count folders that DVC does not look into."""

    def refuse(error: OSError) -> None:
        with survey.going_on():
            raise _unreadable(Path(error.filename), error)

    for folder, folders, names in os.walk(root, onerror=refuse):
        for name in sorted(folders):
            path = Path(folder) / name
            if is_link(path):
                place = printable(path.relative_to(root).as_posix())
                survey.findings.add(FindingKind.LINKED_FOLDERS, place)
        for name in sorted(names):
            path = Path(folder) / name
            if is_link(path) or not is_file(path):
                with survey.going_on():
                    require_file(path)


def _below(folder: Path, above: tuple[str, ...], survey: Survey) -> Iterator[Path]:
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise _unreadable(folder, error) from error
    for name in names:
        path = folder / name
        if name.startswith("."):
            _note_hidden(path, survey)
        elif is_folder(path):
            with survey.going_on():
                require_usable_name(path, name)
                real = os.path.realpath(path)
                if real in above:
                    raise DatasetError(f"{path}: a link back to a folder above it", hint="remove the link")
                yield from _below(path, (*above, real), survey)
        else:
            yield path


def _unreadable(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f"{folder}: cannot be read: {error.strerror}", hint="are its permissions right?")


def _note_hidden(path: Path, survey: Survey) -> None:
    """Copies of macOS (`._a.jpg`) and of Jupyter (`.ipynb_checkpoints`) are no images of the data set."""
    if path.suffix.lower() in IMAGE_SUFFIXES or is_folder(path):
        survey.findings.add(FindingKind.IGNORED_FILES, printable(path), subject="hidden")


def _images_at(root: Path, split: Split, place: str, survey: Survey) -> list[tuple[Path, Path]]:
    """The images at a place that `data.yaml` names, with their labels; an empty list where that was refused."""
    with survey.going_on():
        path = _inside(root, split, place)
        if is_folder(path):
            return _images_in(root, split, place, path, survey)
        if path.suffix.lower() == ".txt" and is_file(path):
            return _images_listed(root, path, survey)
        raise _no_folder(root, split, place, survey)
    return []


def _images_in(root: Path, split: Split, place: str, folder: Path, survey: Survey) -> list[tuple[Path, Path]]:
    found: list[tuple[Path, Path]] = []
    ignored: Counter[str] = Counter()
    refused: set[Path] = set()
    for path in files_below(folder, survey):
        suffix = path.suffix.lower()
        if suffix not in IMAGE_SUFFIXES:
            if path.name.lower() not in UNREMARKABLE:
                ignored[suffix or "no suffix"] += 1
                example = printable(path.relative_to(root).as_posix())
                survey.findings.add(FindingKind.IGNORED_FILES, example, subject=printable(suffix) or "no suffix")
            continue
        if path.parent in refused:  # one refusal for all images of a folder without a place for labels
            continue
        with survey.going_on():
            require_usable_name(path, path.name)
            try:
                found.append((path, label_of(root, path)))
            except DatasetError:
                refused.add(path.parent)
                raise
    if not found and not refused and (split is not Split.TEST or ignored):
        listed = ", ".join(f"{count} {printable(suffix)}" for suffix, count in sorted(ignored.items()))
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise DatasetError(
            f"{root / NAME}: `{split}: {place}` holds no image that can be read{f' (but {listed})' if listed else ''}",
            hint=f"images are files of these kinds: {kinds}",
        )
    return found


def _images_listed(root: Path, listing: Path, survey: Survey) -> list[tuple[Path, Path]]:
    """The images that a text file names, a path each line, seen from the data set's folder."""
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{listing}: cannot be read: {' '.join(str(error).split())}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        with survey.going_on():
            if line.strip():
                found.append(_listed_image(root, f"{listing}:{number}", line.strip()))
    if not found:
        raise DatasetError(f"{listing}: lists no image")
    return found


def _listed_image(root: Path, where: str, line: str) -> tuple[Path, Path]:
    image = Path(os.path.normpath(root / line))
    if not image.is_relative_to(root):
        raise DatasetError(f"{where}: {printable(line)} lies outside the data set's folder {root}")
    if image.suffix.lower() not in IMAGE_SUFFIXES or is_absent(image):
        why = "does not exist" if image.suffix.lower() in IMAGE_SUFFIXES else "is not an image format that can be read"
        raise DatasetError(
            f"{where}: {printable(line)} {why}", hint=f"paths are relative to {root}, such as images/train/a.jpg"
        )
    require_usable_name(image, image.relative_to(root).as_posix())
    return image, label_of(root, image)


def _inside(root: Path, split: Split, place: str) -> Path:
    """The place seen from the folder; Roboflow's `../train/images` means the one next to `data.yaml`."""
    if any(character in place for character in "\\\0"):
        raise DatasetError(
            f"{root / NAME}: `{split}: {printable(place)}`: a backslash in a path", hint="write `/` between folders"
        )
    path = Path(os.path.normpath(root / place))
    if path.is_relative_to(root):
        return path
    beside = Path(os.path.normpath(root / place.removeprefix("../")))
    if beside.is_relative_to(root) and is_folder(beside):
        return beside
    raise DatasetError(
        f"{root / NAME}: `{split}: {printable(place)}` lies outside the data set's folder {root}",
        hint="put the images into the folder of data.yaml, or link them there, so that data and revision belong "
        "together",
    )


def _no_folder(root: Path, split: Split, place: str, survey: Survey) -> DatasetError:
    path = _inside(root, split, place)
    near = survey.listings.same_but_case(root, path)
    if near is not None and near != path:
        meant = near.relative_to(root).as_posix()
        return DatasetError(
            f"{root / NAME}: `{split}: {printable(place)}` is not a folder in {root}: did you mean `{meant}`?",
            hint="upper and lower case must agree, and labels are found only next to a folder called `images`",
        )
    dangling = " (a link to nothing)" if near is not None and is_link(near) else ""
    return DatasetError(
        f"{root / NAME}: `{split}: {printable(place)}` is not a folder in {root}{dangling}",
        hint="give a folder of images below the folder of data.yaml, or a .txt file that lists them",
    )


def _require_one_split(root: Path, located: list[Located], survey: Survey) -> None:
    splits: dict[Path, list[Split]] = defaultdict(list)
    for each in located:
        splits[each.image].append(each.split)
    twice = {image: found for image, found in splits.items() if len(found) > 1}
    if twice:
        image, found = min(twice.items())
        where = " and ".join(dict.fromkeys(str(split) for split in found))
        with survey.going_on():
            raise DatasetError(
                f"{root / NAME}: {len(twice)} of the images are listed twice, in {where}: {image}",
                hint="each image belongs to one split: what was seen in training cannot judge the model",
            )


def _require_a_label_each(located: list[Located], survey: Survey) -> None:
    images: dict[Path, set[Path]] = defaultdict(set)
    for each in located:
        images[each.label].add(each.image)
    for label, sharing in images.items():
        if len(sharing) > 1 and not is_absent(label):
            names = " and ".join(sorted(image.name for image in sharing))
            with survey.going_on():
                raise DatasetError(
                    f"{label}: the label file of {names}: it is ambiguous",
                    hint="rename one of the images, and give it its own label file",
                )
