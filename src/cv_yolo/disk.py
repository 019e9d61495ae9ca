"""Whether a disk is full: the one place that decides it, with which one, what is free, and what takes the space."""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.errors import DiskFullError

FULL_ERRORS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
LITTLE_ROOM_BYTES: Final = 20_000_000  # a file of weights, twice or thrice
MOST_ENTRIES: Final = 100_000  # of a folder whose size is asked for: a message must not take minutes
LARGEST: Final = 3
SAID: Final = re.compile(
    r"no space left on device|disk quota exceeded|database or disk is full|\bdisk is full|\bdisk full\b|StorageFull"
    r"|\bgot error 28\b|\berr(no|code):? ?28\b|\(1021,",  # MySQL and MariaDB
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The file system mounted at `mount`, and what is free on it; `out_of_files` where it takes no file more."""

    mount: Path
    free_bytes: int
    total_bytes: int
    out_of_files: bool = False

    @property
    def full(self) -> bool:
        """Whether next to nothing can be written there."""
        return self.out_of_files or self.free_bytes < LITTLE_ROOM_BYTES

    @property
    def sentence(self) -> str:
        """What there is to say of it: `0.3 MB of 8.0 MB are free on /mnt/small`."""
        if self.out_of_files:
            return f"no more files fit on {self.mount}, though {in_words(self.free_bytes)} are free"
        return f"{in_words(self.free_bytes)} of {in_words(self.total_bytes)} are free on {self.mount}"


def room_at(place: Path) -> Room:
    """The file system of a file or folder, which need not be there yet."""
    there = next(each for each in (place.absolute(), *place.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    return Room(
        mount=next(each for each in (there, *there.parents) if os.path.ismount(each)),
        free_bytes=usage.free,
        total_bytes=usage.total,
        out_of_files=_out_of_files(there),
    )


def full_among(places: Iterable[Path]) -> Room | None:
    """The first full file system that holds one of these places, or the temporary files."""
    rooms = (room_at(place) for place in (*places, Path(tempfile.gettempdir())))
    return next((room for room in rooms if room.full), None)


def says_full(error: BaseException) -> bool:
    """Whether an error, or one that led to it, comes of a full disk: here, or on the server that returned the error."""
    return any(
        (isinstance(each, OSError) and each.errno in FULL_ERRORS) or SAID.search(str(each)) is not None
        for each in _chain(error)
    )


def require_room(place: Path, *, home: Path) -> None:
    """Raise `DiskFullError` where next to nothing can be written, before something is begun there."""
    room = room_at(place)
    if room.full:
        raise DiskFullError(f"the disk is full: {room.sentence}", hint=what_to_free(home))


@contextmanager
def filling(place: Path, *, home: Path) -> Iterator[None]:
    """Name the disk of `place` where something does not fit; what was written of it may be removed by then."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL_ERRORS:
            raise
        message = f"the disk is full: {place} does not fit, {room_at(place).sentence}"
        raise DiskFullError(message, hint=what_to_free(home)) from error


def explained(error: BaseException, *, places: Iterable[Path], home: Path) -> DiskFullError | None:
    """The full disk that led to an error; None where no disk is full, as far as can be seen from here.

    A local server that returns another error, or has exited, does not say that its disk is full: then the disks that
    hold our own files are checked.
    """
    room = full_among(places)
    if room is None and not says_full(error):
        return None
    reason = " ".join(str(error).split())
    if room is None:  # a quota, the disk of another machine, or room that has been made meanwhile
        return DiskFullError(f"the disk is full: {reason}", hint=what_to_free(home))
    return DiskFullError(f"the disk is full: {room.sentence}; {reason}", hint=what_to_free(home))


def what_to_free(home: Path) -> str:
    """What takes the most space, and what can be removed."""
    sizes = sorted(((_size(each), each.name) for each in _folders(home)), reverse=True)[:LARGEST]
    most = ", ".join(f"{name} {in_words(size)}" for size, name in sizes if size)
    taken = f"{home} holds {most}; " if most else ""
    return (
        f"free some space there: {taken}finished pipeline runs can be removed from {home / 'runs'}; "
        "then run the same command again: finished trainings are not repeated"
    )


def in_words(size: int) -> str:
    """A size as people read it: `3.2 GB`, `0.4 MB`."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004 - a gigabyte


def _out_of_files(place: Path) -> bool:
    stats = os.statvfs(place)
    return stats.f_files > 0 and stats.f_favail == 0


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _folders(home: Path) -> list[Path]:
    try:
        return [each for each in home.iterdir() if each.is_dir() and not each.is_symlink()]
    except OSError:  # missing or unreadable: then we have nothing to free there
        return []


def _size(folder: Path) -> int:
    """The size of the files of a folder, or of as many as can be looked at in a moment."""
    size, entries = 0, 0
    for path, _, names in os.walk(folder):
        for name in names:
            entries += 1
            if entries > MOST_ENTRIES:
                return size
            try:
                size += os.lstat(os.path.join(path, name)).st_size  # noqa: PTH118 - pathlib takes twice as long
            except OSError:  # removed meanwhile
                continue
    return size
