"""What a person names as the source of an import, as a safe local folder: a folder, a zip archive or an address.

An archive is untrusted. Its list of entries is checked as a whole, and all that is wrong with it is refused, before the
first byte is written: names that lead out of the folder, links, encrypted entries, names that are one file on some
systems, and archives that unpack to far more than they hold. Links of a folder that lead out of it are refused unless
they are asked for.
"""

import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from cv_yolo.adapters.formats.downloading import CHUNK_BYTES, MOST_BYTES, downloaded, require_room
from cv_yolo.disk import in_words
from cv_yolo.domain.data.names import is_one_line, printable
from cv_yolo.domain.data.refusals import Refusals
from cv_yolo.errors import DatasetError

MOST_ENTRIES: Final = 2_000_000
MOST_TIMES: Final = 200  # an entry or an archive that unpacks to more is a bomb: pictures are compressed already
SMALL_BYTES: Final = 20_000_000  # what is no larger may be empty text or a white picture
JUNK: Final = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
LAYOUT: Final = {"images", "labels", "train", "val", "valid", "test", "annotations"}  # folders that mean something
UNPACK: Final = "unpack it, look at what is in it, and import the folder"
DRIVE: Final = re.compile(r"[A-Za-z]:")
ARCHIVES: Final = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


@contextmanager
def opened(
    source: str, *, scratch: Path, follow_links: bool = False, report: Callable[[str], None] = lambda text: None
) -> Iterator[Path]:
    """The folder of a source; what had to be unpacked lies below `scratch`, and is removed at the end."""
    if "://" not in source and Path(source).is_dir():
        root = Path(source).absolute()
        if not follow_links:
            _require_no_links_out(root)
        yield root
        return
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="import-", dir=scratch) as made:
        if "://" in source:
            archive = _packed(downloaded(source, Path(made), report), source)
            shown = urlsplit(source).path.rpartition("/")[2] or "archive"
        else:
            archive, shown = _existing(source), Path(source).name
        folder = Path(made) / "source"
        _unpack(archive, folder, shown, report)
        yield _without_wrapping(folder)


def _existing(source: str) -> Path:
    path = Path(source)
    if not path.exists():
        raise DatasetError(
            f"{printable(source)}: no such folder or file", hint="give a folder, a .zip, or an https address"
        )
    if not path.is_file() or not zipfile.is_zipfile(path):
        known = path.suffix.lower() in ARCHIVES
        hint = "unpack it, and give the folder" if known else "give the folder that has the images and the annotations"
        raise DatasetError(f"{printable(source)}: neither a folder nor a zip archive", hint=hint)
    return path


def _packed(archive: Path, address: str) -> Path:
    if not zipfile.is_zipfile(archive):
        raise DatasetError(
            f"{printable(address.partition('?')[0])}: not a zip archive",
            hint="is it a page that asks for a login? Download it, and give the file",
        )
    return archive


def _unpack(archive: Path, folder: Path, shown: str, report: Callable[[str], None]) -> None:
    try:
        with zipfile.ZipFile(archive) as opened_archive:
            entries = _checked(opened_archive, archive, shown)
            total = sum(entry.file_size for entry, _ in entries)
            require_room(folder.parent, total, shown)
            report(f"unpacking {shown}: {len(entries)} files, {in_words(total)}")
            for entry, path in entries:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened_archive.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, CHUNK_BYTES)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:  # what zipfile raises for damage
        raise DatasetError(
            f"{shown}: damaged: {' '.join(str(error).split())}", hint="download or export it once more"
        ) from error
    folder.mkdir(exist_ok=True)


def _checked(archive: zipfile.ZipFile, path: Path, shown: str) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files to unpack with their safe paths; raises one `DatasetError` with all that is refused."""
    refusals, found, entries = Refusals(), [], archive.infolist()
    with refusals.going_on():
        _require_no_bomb(entries, path.stat().st_size, shown)
    for entry in entries:
        with refusals.going_on():
            place = _safe_path(entry, shown)
            if not JUNK.intersection(place.parts) and not entry.is_dir() and not entry.filename.endswith("\\"):
                _require_plain(entry, shown)
                found.append((entry, place))
    _refuse_collisions([place for _, place in found], shown, refusals)
    refusals.conclude()
    return found


def _require_no_bomb(entries: Sequence[zipfile.ZipInfo], size: int, shown: str) -> None:
    total, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if len(entries) > MOST_ENTRIES:
        raise DatasetError(f"{shown}: {len(entries)} entries, more than {MOST_ENTRIES}", hint=UNPACK)
    if packed > size:
        raise DatasetError(f"{shown}: its entries overlap: a decompression bomb", hint=UNPACK)
    if total > MOST_BYTES:
        raise DatasetError(f"{shown}: unpacks to {in_words(total)}, more than {in_words(MOST_BYTES)}", hint=UNPACK)
    worst = max(entries, key=lambda entry: entry.file_size / max(1, entry.compress_size), default=None)
    for what, unpacked, held in (
        (shown, total, size),
        *([] if worst is None else [(f"{shown}: {printable(worst.filename)}", worst.file_size, worst.compress_size)]),
    ):
        if unpacked > SMALL_BYTES and unpacked > MOST_TIMES * max(1, held):
            raise DatasetError(
                f"{what}: unpacks to {in_words(unpacked)}, {unpacked // max(1, held)} times what it holds: a "
                "decompression bomb",
                hint=UNPACK,
            )


def _safe_path(entry: zipfile.ZipInfo, shown: str) -> PurePosixPath:
    name = entry.orig_filename
    where = f"{shown}: {printable(name)}"
    if not is_one_line(name):
        raise DatasetError(f"{where}: a control character in the name", hint=UNPACK)
    parts = name.replace("\\", "/").rstrip("/").split("/")
    if parts[0] == "" or DRIVE.match(parts[0]):
        raise DatasetError(f"{where}: an absolute path", hint=UNPACK)
    if ".." in parts:
        raise DatasetError(f"{where}: leads out of the folder (`..`)", hint=UNPACK)
    kept = [part for part in parts if part not in {"", "."}]
    if not kept:
        raise DatasetError(f"{where}: no name", hint=UNPACK)
    return PurePosixPath(*kept)


def _require_plain(entry: zipfile.ZipInfo, shown: str) -> None:
    where, mode = f"{shown}: {printable(entry.filename)}", entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise DatasetError(f"{where}: a link", hint="pack the file itself: links of archives are not followed")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise DatasetError(f"{where}: a pipe, a socket or a device", hint=UNPACK)
    if entry.flag_bits & 0x1:
        raise DatasetError(f"{where}: encrypted", hint="unpack it with its password, and import the folder")


def _refuse_collisions(paths: Sequence[PurePosixPath], shown: str, refusals: Refusals) -> None:
    """Refuse names that are one file where case or the form of accents is ignored, and files that are folders too."""
    seen: dict[str, PurePosixPath] = {}
    for path in paths:
        first = seen.setdefault(_key(path), path)
        if first is not path:
            same = "is there twice" if first == path else f"is the same file as {printable(first)} on some systems"
            refusals.refuse(DatasetError(f"{shown}: {printable(path)} {same}", hint="rename one of the two"))
    for path in paths:
        for parent in path.parents:
            if _key(parent) in seen and parent.parts:
                refusals.refuse(DatasetError(f"{shown}: {printable(parent)} is a file and a folder", hint=UNPACK))


def _key(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFC", path.as_posix()).casefold())


def _require_no_links_out(root: Path) -> None:
    real, refusals = Path(os.path.realpath(root)), Refusals()
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = Path(folder) / name
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real):
                refusals.refuse(
                    DatasetError(
                        f"{printable(path)}: a link out of the folder, to {printable(path.readlink())}",
                        hint="if these links are yours: --follow-links",
                    )
                )
    refusals.conclude()


def _without_wrapping(folder: Path) -> Path:
    """The folder itself, or the one that wraps all of an archive."""
    while True:
        inside = list(folder.iterdir())
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.lower() in LAYOUT:
            return folder
        folder = inside[0]
