"""Names and contents of untrusted files: read whole, or refused by name."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from cv_yolo.domain.data.names import printable
from cv_yolo.errors import DatasetError


def bytes_of(path: Path) -> bytes:
    """The content of a file, through links; raises `DatasetError` for anything but a readable file."""
    return _read(path, Path.read_bytes)


def start_of(path: Path, most: int) -> bytes:
    """The first bytes of a file, as `bytes_of` reads all of it."""

    def read(path: Path) -> bytes:
        with path.open("rb") as file:
            return file.read(most)

    return _read(path, read)


def _read(path: Path, read: Callable[[Path], bytes]) -> bytes:
    require_file(path)
    try:
        return read(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror}", hint="are its permissions right?") from error


def require_file(path: Path) -> None:
    """Raises `DatasetError` for a dangling link, a folder and anything else but a file; links are followed."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return
    except OSError as error:
        if is_link(path):
            where = f"a link to {printable(path.readlink())}, where no file can be read"
            raise DatasetError(f"{path}: {where}", hint="restore the file it leads to, or remove the link") from error
        raise DatasetError(f"{path}: cannot be read: {error.strerror}", hint="are its permissions right?") from error
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
    raise DatasetError(f"{path}: {kind}, not a file", hint="rename or remove it")


def is_folder(path: Path) -> bool:
    """Whether it is a folder, through links; False if it cannot be read."""
    return _is(stat.S_ISDIR, path)


def is_file(path: Path) -> bool:
    """Whether it is a file, through links; False if it cannot be read."""
    return _is(stat.S_ISREG, path)


def is_link(path: Path) -> bool:
    """Whether a link is there, wherever it leads."""
    return _is(stat.S_ISLNK, path, follow=False)


def is_absent(path: Path) -> bool:
    """Whether nothing is there at all: what is there and cannot be looked at is not absent."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def is_linked_to_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether a link is there that leads to a folder."""
    return entry.is_symlink() and leads_to_folder(entry)


def leads_to_folder(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a folder, through links; False if it cannot be read."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is(kind: Callable[[int], bool], path: Path, *, follow: bool = True) -> bool:
    try:
        return kind(path.stat(follow_symlinks=follow).st_mode)
    except OSError:
        return False


class Listings:
    """The names in folders, each folder read once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, str]] = {}
        self._exact: dict[str, frozenset[str]] = {}

    def lacks(self, root: Path, name: str) -> bool:
        """Whether nothing is there at all; the name is a path in the folder `root`."""
        folder, _, base = name.rpartition("/")
        if folder not in self._exact:
            self._exact[folder] = frozenset(_names_in(root / folder))
        return base not in self._exact[folder] and is_absent(root / name)

    def same_but_case(self, root: Path, path: Path) -> Path | None:
        """The entries at this path, ignoring case; the exact name first."""
        found = root
        for part in path.relative_to(root).parts:
            names = self._of(found)
            name = names.get(part) or names.get(part.lower())
            if name is None:
                return None
            found /= name
        return found

    def _of(self, folder: Path) -> dict[str, str]:
        if folder not in self._names:
            names = sorted(_names_in(folder), reverse=True)
            self._names[folder] = {name.lower(): name for name in names} | {name: name for name in names}
        return self._names[folder]


def _names_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except OSError:  # no folder, or none that can be read: nothing is found in it
        return []
