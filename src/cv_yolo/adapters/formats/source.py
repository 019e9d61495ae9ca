"""What every reader of annotations needs of a source's folder: its images, as annotations name them, and their sizes.

Annotations name images in many ways: by their path, by a path on another machine, with backslashes, as an address, with
a prefix that a labelling tool put before the name. An image is found by its name, and by as much of the path as agrees;
what remains ambiguous is refused. Nothing outside of the source is ever looked at.
"""

import os
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Final
from urllib.parse import unquote, urlsplit

from PIL import Image

from cv_yolo.adapters.formats.outlines import XYWH
from cv_yolo.adapters.yolo.image_files import header_of
from cv_yolo.domain.data.annotated import AnnotatedDataset, ImageAnnotations
from cv_yolo.domain.data.findings import FindingKind, Findings
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.data.names import IMAGE_SUFFIXES, printable, require_usable_name
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError

NOT_LOOKED_INTO: Final = {"__MACOSX"}
MOST_NAMED: Final = 3
CORRECT: Final = "correct the annotation, or remove it"
MOST_GLANCED: Final = 200
ORIENTATION: Final = 274  # EXIF's number for how a picture was held
LYING: Final = {5, 6, 7, 8}  # its values for pictures whose width and height are exchanged
SPLITS: Final = {
    **dict.fromkeys(("train", "training"), Split.TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), Split.VAL),
    **dict.fromkeys(("test", "testing"), Split.TEST),
}
_SPLIT_FOLDER: Final = re.compile(rf"({'|'.join(SPLITS)})[-_]?(set)?[-_]?(\d{{4}})?")
_UPLOADED: Final = re.compile(r"/?data/upload/")  # Label Studio's: the folders below are numbers of projects
_LABELLING_PREFIX: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?[-_](?=.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image file of a source: its path below the source's folder, and the size of the upright picture."""

    path: str
    width_px: int
    height_px: int


class _Collecting:
    """A context for each of a million annotations, so no generator."""

    __slots__ = ("_place", "_source")

    def __init__(self, source: "SourceFolder", place: str) -> None:
        self._source, self._place = source, place

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, DatasetError):
            return False
        where = self._source.root / printable(self._place)
        self._source.refuse(DatasetError(f"{where}: {error.message}", hint=error.hint or CORRECT))
        return True


class SourceFolder(Refusals):
    """One reading of a source: its images, what is refused, and what is odd and can be used."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.root = root
        self.findings = Findings()
        self.others: list[PurePosixPath] = []  # files that are no images, below the root
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._names_of_stem: dict[str, list[str]] = defaultdict(list)
        self._folders: set[str] = set()
        self._splits: set[Split | None] = set()  # that folders of images name
        self._claims: dict[PurePosixPath, str] = {}
        for path in files_below(root):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                if path.name not in self._by_name:
                    self._names_of_stem[path.stem].append(path.name)
                self._by_name[path.name].append(path)
                self._folders.update(path.parts[:-1])
                self._splits.add(split_of_folder(path))
            else:
                self.others.append(path)

    def collecting(self, place: str) -> "_Collecting":
        """A block in which a refusal is collected as one of that place, to go on after it."""
        return _Collecting(self, place)

    def with_suffix(self, suffix: str) -> list[PurePosixPath]:
        """The files with a suffix, such as `.json`, by path."""
        return sorted(path for path in self.others if path.suffix.lower() == suffix)

    def names_of(self, stem: str) -> list[str]:
        """The names of images without regard to their suffix: `["a.jpg"]` for `a`, or for `a.jpg` itself."""
        return [stem] if stem in self._by_name else self._names_of_stem.get(stem, [])

    def find(
        self, reference: str, *, where: str, split: Split | None = None, near: PurePosixPath | None = None
    ) -> PurePosixPath:
        """The image that an annotation names; `near` is the folder of the annotation. Raises `DatasetError`.

        `where` says in which annotation; an image can be found for one annotation only.
        """
        parts = reference_parts(reference)
        name, candidates = self._of_name(parts[-1]) if parts else ("", [])
        if name and name != parts[-1]:
            self.findings.add(FindingKind.OTHER_FILE_NAMES, where)
        possible = [path for path in candidates if self._may_be_meant(path, parts)]
        found = _narrowed(possible, (*parts[:-1], name), split if split in self._splits else None, near)
        if not found:
            raise self._absent(reference, name or (parts[-1] if parts else ""), candidates)
        if len(found) > 1:
            shown = " and ".join(str(path) for path in found[:MOST_NAMED])
            raise DatasetError(
                f"{printable(reference)} may be any of {len(found)} images: {printable(shown)}",
                hint="name the image with its folder, or remove the copies",
            )
        require_usable_name(self.root / found[0], str(found[0]))
        self._claim(found[0], where)
        return found[0]

    def measured(self, path: PurePosixPath, stated: tuple[int, int] | None) -> FoundImage:
        """The image with its size; raises `DatasetError` where the annotation states another one."""
        (width_px, height_px), turned = upright_size(self.root / path)
        if stated is not None and stated != (width_px, height_px):
            why, hint = "", "were the annotations made on a resized copy? Use the images that were annotated"
            if stated == (height_px, width_px):
                why, hint = ": width and height are exchanged", "exchange them in the annotation, if its boxes fit then"
            if turned and stated == (height_px, width_px):
                why = ": its EXIF orientation turns it, and the annotations were made without"
                hint = "remove the orientation tag, so that the image lies as it was annotated"
            raise DatasetError(
                f"{printable(path)}: annotated as {stated[0]} x {stated[1]} px, "
                f"the image has {width_px} x {height_px} px{why}",
                hint=hint,
            )
        return FoundImage(path=str(path), width_px=width_px, height_px=height_px)

    def dataset(self, images: Iterable[ImageAnnotations], classes: Iterable[str] | None = None) -> AnnotatedDataset:
        """All that was read, once nothing is refused; classes that no list names are sorted by name."""
        self.conclude()
        self.note_unlisted()
        ordered = tuple(sorted(images, key=lambda image: image.path))
        used = sorted({each.category for image in ordered for each in image.objects})
        return AnnotatedDataset(
            classes=tuple(used) if classes is None else tuple(dict.fromkeys([*classes, *used])),
            images=ordered,
            findings=self.findings.all(),
        )

    def note_unlisted(self) -> None:
        """Count the images that no annotation names."""
        for paths in self._by_name.values():
            for path in paths:
                if path not in self._claims:
                    self.findings.add(FindingKind.UNLISTED_IMAGES, printable(path))

    @cached_property
    def _by_folded_name(self) -> dict[str, str]:
        return {name.lower(): name for name in self._by_name}

    def _of_name(self, name: str) -> tuple[str, list[PurePosixPath]]:
        """The images of that name; else decoded from an address, else without a labelling tool's prefix."""
        for each in dict.fromkeys((name, unquote(name), _LABELLING_PREFIX.sub("", unquote(name), count=1))):
            if each in self._by_name:
                return each, self._by_name[each]
        return name, []

    def _may_be_meant(self, path: PurePosixPath, parts: tuple[str, ...]) -> bool:
        """False for an image elsewhere, where the folder that the reference names is among those with images."""
        return len(parts) < 2 or parts[-2] in path.parts or parts[-2] not in self._folders  # noqa: PLR2004

    def _claim(self, path: PurePosixPath, where: str) -> None:
        first = self._claims.setdefault(path, where)
        if first != where:
            raise DatasetError(
                f"{printable(path)} is annotated already, in {first}",
                hint="each image is listed once: remove or merge one of the two",
            )

    def _absent(self, reference: str, name: str, candidates: Sequence[PurePosixPath]) -> DatasetError:
        what = f"the image {printable(reference)}"
        if candidates:
            return DatasetError(
                f"{what} is only in another folder: {printable(candidates[0])}",
                hint="put the image into its folder, or correct the annotation",
            )
        if not self._by_name:
            return DatasetError(f"{what} is not in {self.root}, nor any other image", hint="put the images there")
        lower = name.lower()
        near = next((each for each in self._by_name if each.lower() == lower), None)
        near = near or next(
            (each for each in self._by_name if PurePosixPath(each).stem == PurePosixPath(name).stem), None
        )
        meant = f": did you mean {printable(near)}?" if near else ""
        return DatasetError(f"{what} is not in {self.root}{meant}", hint="add the image, or remove its annotations")


def files_below(root: Path) -> Iterator[PurePosixPath]:
    """The files of a folder and those below it, by path, without hidden ones; links are followed once."""
    visited: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in NOT_LOOKED_INTO)
        below = PurePosixPath(Path(folder).relative_to(root).as_posix())
        yield from (below / name for name in sorted(names) if not name.startswith("."))


def some_files(root: Path, suffix: str) -> Iterator[Path]:
    """The first files with a suffix, enough of them to recognise a format."""
    found = (root / path for path in files_below(root) if path.suffix.lower() == suffix)
    return islice(found, MOST_GLANCED)


def split_of_folder(path: PurePosixPath) -> Split | None:
    """The split that the folders of a path name, as in `images/train2017/a.jpg`; None for none or several."""
    found = {split for part in path.parts[:-1] if (split := _split_named(part))}
    return found.pop() if len(found) == 1 else None


def split_of_file(path: PurePosixPath) -> Split | None:
    """The split that the name of an annotation file names, as in `instances_val2017.json`, else its folder's."""
    found = {SPLITS[word] for word in re.findall(r"[a-z]+", path.stem.lower()) if word in SPLITS}
    return found.pop() if len(found) == 1 else split_of_folder(path)


def reference_parts(reference: str) -> tuple[str, ...]:
    """The folders and the name in a reference to an image: a path of any system, an address, or a path within one."""
    if "://" in reference:
        try:
            address = urlsplit(reference)
            reference = f"{address.path}?{address.query}" if address.query.startswith("d=") else address.path
        except ValueError:  # brackets that are no IPv6 address
            reference = reference.rpartition("/")[2]
    if _UPLOADED.match(reference):
        reference = reference.rpartition("/")[2]
    elif "?d=" in reference:  # Label Studio's local files
        reference = unquote(reference.split("?d=", 1)[1])
    return tuple(part for part in reference.replace("\\", "/").split("/") if part not in {"", ".", ".."})


def upright_size(path: Path) -> tuple[tuple[int, int], bool]:
    """Width and height of an image as it is shown, and whether its EXIF orientation exchanges them, by its header."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures and odd tags: the check of the data set decodes them
            with header_of(path) as opened:
                width_px, height_px = opened.size
                turned = Image.Image.getexif(opened).get(ORIENTATION) in LYING  # PNG's own would decode the picture
    except Exception as error:  # Pillow's readers raise many kinds for damaged bytes
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{printable(path.name)}: cannot be read as an image: {reason}",
            hint="restore the file, or remove it with its annotations",
        ) from error
    return ((height_px, width_px) if turned else (width_px, height_px)), turned


def require_in_image(xywh: XYWH, image: FoundImage) -> None:
    """Raises `DatasetError` for a box of negative size, and for one that lies outside of its image altogether."""
    x, y, width, height = xywh
    written = ", ".join(f"{value:g}" for value in xywh)
    if width < 0 or height < 0:
        raise DatasetError(f"a box of negative {'width' if width < 0 else 'height'}: {written}")
    if x > image.width_px or y > image.height_px or x + width < 0 or y + height < 0:
        raise DatasetError(f"a box outside of its image ({image.width_px} x {image.height_px} px): {written}")


def _split_named(folder: str) -> Split | None:
    match = _SPLIT_FOLDER.fullmatch(folder.lower())
    return SPLITS[match[1]] if match else None


def _narrowed(
    candidates: Sequence[PurePosixPath], parts: tuple[str, ...], split: Split | None, near: PurePosixPath | None
) -> Sequence[PurePosixPath]:
    """The images of a name that a reference may mean: the one at its path, else those that agree with most of it."""
    whole = PurePosixPath(*parts)
    for exact in ([] if near is None else [near / whole]) + [whole]:
        if exact in candidates:
            return [exact]
    best = _most(candidates, lambda path: _common_start(path.parts[::-1], parts[::-1]))
    if split is not None:
        names_folder = any(path.parts[-2:] == parts[-2:] for path in best) and len(parts) > 1
        best = [path for path in best if names_folder or split_of_folder(path) in {None, split}]
        best = [path for path in best if split_of_folder(path) is split] or best
    return best if near is None else _most(best, lambda path: _common_start(path.parts, near.parts))


def _most(paths: Sequence[PurePosixPath], key: Callable[[PurePosixPath], int]) -> Sequence[PurePosixPath]:
    most = max(map(key, paths), default=0)
    return [path for path in paths if key(path) == most]


def _common_start(first: Sequence[str], second: Sequence[str]) -> int:
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (one, other) in pairs if one != other), min(len(first), len(second)))
