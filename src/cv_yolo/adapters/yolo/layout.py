"""Where images and their labels are: the places that `data.yaml` names, with symbolic links followed."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from cv_yolo.adapters.yolo.data_yaml import NAME, Description
from cv_yolo.adapters.yolo.entries import (
    Listings,
    is_absent,
    is_file,
    is_folder,
    is_link,
    is_linked_to_folder,
    leads_to_folder,
    require_file,
)
from cv_yolo.domain.data.findings import FindingKind, Findings
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, is_usable_name, printable, require_usable_name
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
LABELS: Final = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An image of a split and the place of its label file, which need not exist.

    Both are paths relative to the data set's folder, with forward slashes.
    """

    split: Split
    image: str
    label: str


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
    _require_a_label_each(root, located, survey)
    return located


def label_of(root: Path, image: str) -> str:
    """The label file as YOLO finds it: the last `images` in the path becomes `labels`, the suffix `.txt`."""
    folder, _, base = image.rpartition("/")
    parts = folder.split("/")
    if IMAGES not in parts:
        near = next((part for part in reversed(parts) if part.lower() == IMAGES), None)
        meant = "" if near is None else f": did you mean `{IMAGES}` for `{near}`?"
        raise DatasetError(
            f"{root / image}: images must be below a folder `images`, their labels below `labels` next to it{meant}"
        )
    parts[len(parts) - 1 - parts[::-1].index(IMAGES)] = LABELS
    return "/".join((*parts, f"{base.rpartition('.')[0]}.txt"))


def suffix_of(name: str) -> str:
    """The suffix of a path in lower case."""
    base = name.rpartition("/")[2]
    place = base.rfind(".")
    return base[place:].lower() if 0 < place < len(base) - 1 else ""


def files_below(root: Path, folder: str, survey: Survey) -> Iterator[str]:
    """The files of a folder and those below it, by name; links are followed, but not back into a folder above.

    The folder and the files are paths relative to `root`.
    """
    real = os.path.realpath(root / folder)
    yield from _below(root, folder, (real, *map(str, Path(real).parents)), survey)


def check_all_entries(root: Path, survey: Survey) -> None:
    """Refuse what no revision can be made of: links to nothing, pipes; count folders that DVC does not look into."""
    folders = [str(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif not entry.is_file(follow_symlinks=False):
                        _check_odd_entry(root, entry, survey)
        except OSError as error:
            survey.refuse(_unreadable(Path(error.filename), error))


def _check_odd_entry(root: Path, entry: "os.DirEntry[str]", survey: Survey) -> None:
    path = Path(entry.path)
    if is_linked_to_folder(entry):
        survey.findings.add(FindingKind.LINKED_FOLDERS, printable(path.relative_to(root).as_posix()))
        return
    with survey.going_on():
        require_file(path)


def _below(root: Path, folder: str, above: tuple[str, ...], survey: Survey) -> Iterator[str]:
    try:
        with os.scandir(root / folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise _unreadable(root / folder, error) from error
    before = f"{folder}/" if folder else ""
    for entry in entries:
        if entry.name.startswith("."):
            _note_hidden(root / folder / entry.name, survey)
        elif leads_to_folder(entry):
            with survey.going_on():
                path = root / folder / entry.name
                require_usable_name(path, entry.name)
                real = os.path.realpath(path)
                if real in above:
                    raise DatasetError(f"{path}: a link back to a folder above it", hint="remove the link")
                yield from _below(root, before + entry.name, (*above, real), survey)
        else:
            yield before + entry.name


def _unreadable(folder: Path, error: OSError) -> DatasetError:
    return DatasetError(f"{folder}: cannot be read: {error.strerror}", hint="are its permissions right?")


def _note_hidden(path: Path, survey: Survey) -> None:
    """Copies of macOS (`._a.jpg`) and of Jupyter (`.ipynb_checkpoints`) are no images of the data set."""
    if path.suffix.lower() in IMAGE_SUFFIXES or is_folder(path):
        survey.findings.add(FindingKind.IGNORED_FILES, printable(path), subject="hidden")


def _images_at(root: Path, split: Split, place: str, survey: Survey) -> list[tuple[str, str]]:
    """The images at a place that `data.yaml` names, with their labels; an empty list where that was refused."""
    with survey.going_on():
        path = _inside(root, split, place)
        if is_folder(path):
            return _images_in(root, split, place, path, survey)
        if path.suffix.lower() == ".txt" and is_file(path):
            return _images_listed(root, path, survey)
        raise _no_folder(root, split, place, survey)
    return []


def _images_in(root: Path, split: Split, place: str, folder: Path, survey: Survey) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    ignored: Counter[str] = Counter()
    refused: set[str] = set()
    for name in files_below(root, _relative(root, folder), survey):
        inside, _, base = name.rpartition("/")
        suffix = suffix_of(base)
        if suffix not in IMAGE_SUFFIXES:
            if base.lower() not in UNREMARKABLE:
                ignored[suffix or "no suffix"] += 1
                survey.findings.add(
                    FindingKind.IGNORED_FILES, printable(name), subject=printable(suffix) or "no suffix"
                )
            continue
        if inside in refused:  # one refusal for all images of a folder without a place for labels
            continue
        with survey.going_on():
            if not is_usable_name(base):
                require_usable_name(root / name, base)
            try:
                found.append((name, label_of(root, name)))
            except DatasetError:
                refused.add(inside)
                raise
    if not found and not refused and (split is not Split.TEST or ignored):
        listed = ", ".join(f"{count} {printable(suffix)}" for suffix, count in sorted(ignored.items()))
        kinds = " ".join(sorted(IMAGE_SUFFIXES))
        raise DatasetError(
            f"{root / NAME}: `{split}: {place}` holds no image that can be read{f' (but {listed})' if listed else ''}",
            hint=f"images are files of these kinds: {kinds}",
        )
    return found


def _images_listed(root: Path, listing: Path, survey: Survey) -> list[tuple[str, str]]:
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


def _listed_image(root: Path, where: str, line: str) -> tuple[str, str]:
    image = Path(os.path.normpath(root / line))
    if not image.is_relative_to(root):
        raise DatasetError(f"{where}: {printable(line)} lies outside the data set's folder {root}")
    if image.suffix.lower() not in IMAGE_SUFFIXES or is_absent(image):
        why = "does not exist" if image.suffix.lower() in IMAGE_SUFFIXES else "is not an image format that can be read"
        raise DatasetError(
            f"{where}: {printable(line)} {why}", hint=f"paths are relative to {root}, such as images/train/a.jpg"
        )
    name = _relative(root, image)
    require_usable_name(image, name)
    return name, label_of(root, name)


def _relative(root: Path, path: Path) -> str:
    return "" if path == root else path.relative_to(root).as_posix()


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
    counts = Counter(each.image for each in located)
    twice = {image for image, count in counts.items() if count > 1}
    if twice:
        image = min(twice, key=PurePosixPath)
        where = " and ".join(dict.fromkeys(str(each.split) for each in located if each.image == image))
        with survey.going_on():
            raise DatasetError(
                f"{root / NAME}: {len(twice)} of the images are listed twice, in {where}: {root / image}",
                hint="each image belongs to one split: what was seen in training cannot judge the model",
            )


def _require_a_label_each(root: Path, located: list[Located], survey: Survey) -> None:
    counts = Counter(each.label for each in located)
    images: dict[str, set[str]] = defaultdict(set)
    for each in located:
        if counts[each.label] > 1:
            images[each.label].add(each.image)
    for label, sharing in images.items():
        if len(sharing) > 1 and not survey.listings.lacks(root, label):
            names = " and ".join(sorted(PurePosixPath(image).name for image in sharing))
            with survey.going_on():
                raise DatasetError(
                    f"{root / label}: the label file of {names}: it is ambiguous",
                    hint="rename one of the images, and give it its own label file",
                )
