"""Label files: found, decoded, checked against the manifest, and reported where they are missing."""

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cv_yolo.adapters.yolo.entries import bytes_of, is_absent, is_file, is_folder
from cv_yolo.adapters.yolo.layout import IMAGES, LABELS, NOT_LABELS, Located, Survey, files_below, suffix_of
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.label_text import LabelText, parse_label_text
from cv_yolo.domain.data.manifest import ImageRecord, Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable
from cv_yolo.errors import DatasetError

NO_LABEL: Final = ""  # hash of a label file that does not exist: an image without objects
CHANGED: Final = "the data changed during the run: run the command again"
UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
OTHER_ANNOTATIONS: Final = (".xml", ".json")  # Pascal VOC, LabelMe
CONVERT: Final = "convert them: a text file for each image, with a line `class x y width height` for each object"
MOVE: Final = "move the label files to where they are read: the path of the image with `labels` for `images`"
ADD: Final = (
    "an image without objects needs no label file, but a split without any has lost them: put them there, or empty ones"
)


def label_bytes(label: Path) -> bytes | None:
    """The content of a label file, or None: an image without objects."""
    return None if is_absent(label) else bytes_of(label)


def recorded_bytes(root: Path, record: ImageRecord) -> bytes | None:
    """The label that the manifest recorded, and no other: raises `DatasetError` where the file changed since."""
    label = root / record.label
    data = label_bytes(label)
    found = NO_LABEL if data is None else hashlib.sha256(data).hexdigest()
    if found != record.label_sha256:
        what = "missing" if data is None else "new" if record.label_sha256 == NO_LABEL else "another content"
        raise DatasetError(
            f"{label}: not as the manifest recorded it: {what}",
            hint=CHANGED,
        )
    return data


def read_label(label: Path, data: bytes | None, *, class_count: int, size_px: tuple[int, int]) -> LabelText:
    """The boxes of a label file's content for an image of that width and height."""
    if data is None:
        return LabelText(boxes=())
    text = decoded(label, data)
    return parse_label_text(text, source=str(label), class_count=class_count, width_px=size_px[0], height_px=size_px[1])


def decoded(label: Path, data: bytes) -> str:
    """The text of a label file; raises `DatasetError` where it is not UTF-8."""
    if data.startswith(UTF_16):
        raise DatasetError(f"{label}: not a text file of UTF-8, but of UTF-16", hint="save it with the encoding UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{label}: not a text file: {error}") from error


def check_presence(root: Path, located: Sequence[Located], survey: Survey) -> None:
    """Count images without a label file; refuse a split that has none at all, and labels that are nearly in place."""
    by_split: dict[Split, list[Located]] = defaultdict(list)
    for each in located:
        by_split[each.split].append(each)
    for split, images in by_split.items():
        missing = [each for each in images if survey.listings.lacks(root, each.label)]
        with survey.going_on():
            if len(missing) == len(images):
                raise _no_labels(root, split, images, survey)
        if len(missing) < len(images):
            for each in missing:
                _note_missing(root, each, survey)


def note_orphans(root: Path, located: Sequence[Located], survey: Survey) -> None:
    """Count label files to which no image belongs."""
    known = {each.label for each in located}
    seen: set[str] = set()
    folders = {label.rpartition("/")[0] for label in known}
    for folder in sorted({_labels_folder(each) for each in folders}):
        if not is_folder(root / folder):
            continue
        with survey.going_on():
            for name in files_below(root, folder, survey):
                is_label = suffix_of(name) == ".txt" and name.rpartition("/")[2] not in NOT_LABELS
                if is_label and name not in known and name not in seen and not _has_image(root, name):
                    survey.findings.add(FindingKind.ORPHANED_LABELS, printable(name))
                seen.add(name)


def _note_missing(root: Path, each: Located, survey: Survey) -> None:
    near = _near(root, each, survey)
    if near is None:
        survey.findings.add(FindingKind.UNLABELED_IMAGES, each.image)
        return
    with survey.going_on():
        raise DatasetError(
            f"{near}: did you mean {each.label}? {each.image} has no label file",
            hint="rename or move the label file to the place where it is read",
        )


def _no_labels(root: Path, split: Split, images: Sequence[Located], survey: Survey) -> DatasetError:
    """The refusal of a split in which every image would count as one without objects."""
    first = images[0]
    expected, image = first.label, first.image
    near = _near(root, first, survey) or _anywhere(root, root / image)
    many = "the image" if len(images) == 1 else f"any of the {len(images)} images"
    said = f"{root}: no label file for {many} of {split}: {expected} belongs to {image}"
    if near is None:
        return DatasetError(said, hint=ADD)
    found = near.relative_to(root).as_posix()
    if near.suffix.lower() in OTHER_ANNOTATIONS:
        return DatasetError(f"{said}, and there is {found}", hint=CONVERT)
    return DatasetError(f"{said}: did you mean {found}?", hint=_renamed_folder(found, expected) or MOVE)


def _renamed_folder(found: str, expected: str) -> str | None:
    """`rename Labels to labels`, where two paths differ in the case of one name only."""
    pairs = list(zip(found.split("/"), expected.split("/"), strict=False))
    different = [(one, other) for one, other in pairs if one != other]
    if found.lower() != expected.lower() or len(different) != 1:
        return None
    return f"rename `{different[0][0]}` to `{different[0][1]}`"


def _near(root: Path, located: Located, survey: Survey) -> Path | None:
    """A label file that is almost where it belongs: other case, next to its image, or `a.jpg.txt` for `a.jpg`."""
    image, label = root / located.image, root / located.label
    candidates = (label, label.with_name(f"{image.name}.txt"), image.with_suffix(".txt"))
    for candidate in candidates:
        found = survey.listings.same_but_case(root, candidate)
        if found is not None and is_file(found) and (candidate == label or found.stat().st_size):
            return found
    return None


def _anywhere(root: Path, image: Path) -> Path | None:
    """An annotation of that image's name somewhere else in the data set's folder, label text first."""
    found: dict[str, Path] = {}
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder) / name
            if path.stem == image.stem:
                found.setdefault(path.suffix.lower(), path)
    return next((found[suffix] for suffix in (".txt", *OTHER_ANNOTATIONS) if suffix in found), None)


def _labels_folder(folder: str) -> str:
    """The folder `labels` that mirrors a folder `images`, for a folder in it or itself."""
    parts = folder.split("/")
    return "/".join(parts[: len(parts) - parts[::-1].index(LABELS)])


def _has_image(root: Path, label: str) -> bool:
    """Whether an image that is not listed lies where this label's image belongs."""
    folder = _labels_folder(label.rpartition("/")[0])
    image = (root / folder).with_name(IMAGES) / label.removeprefix(f"{folder}/")
    return any(is_file(image.with_suffix(suffix)) for suffix in IMAGE_SUFFIXES)
