"""The folder of a backup: `content/` holds each content once, named by its hash; `backup.json` says what is whose."""

import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.disk import room_at, says_full
from cv_yolo.errors import DiskFullError, InputError, NotFoundError, ServiceUnavailableError
from cv_yolo.files import private_folder, sha256_of, write_secret
from cv_yolo_stack.domain.backup_manifest import BackupManifest, Kept, read_manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The current step, and how many items and bytes of it are done; 0 of 0 where nothing is counted."""

    what: str
    done: int = 0
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


Report = Callable[[Progress], None]


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise `InputError` where the disk of that folder, which need not be there yet, has not so many bytes free."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < needed_bytes:
        raise InputError(
            f"{folder}: {needed_bytes / 1e9:.2f} GB may be needed, and {free / 1e9:.2f} GB are free",
            hint="make room, or take a folder on another disk",
        )


MANIFEST: Final = "backup.json"
CONTENT: Final = "content"
CHUNK_BYTES: Final = 1 << 20
NAMED: Final = 3
DAMAGED_HINT: Final = "nothing was changed; use another backup, or another copy of this one"


class Contents:
    """The contents of one backup; all of them their owner's alone."""

    def __init__(self, backup: Path) -> None:
        self._backup, self._folder = backup, backup / CONTENT

    def begin(self) -> None:
        """Make the folder; from now on it is seen to be a backup that is not finished."""
        for folder in (self._backup, self._folder):
            private_folder(folder)

    def path(self, sha256: str) -> Path:
        """Where the content of that hash is."""
        return self._folder / sha256[:2] / sha256

    def keep(self, place: str, chunks: Iterable[bytes]) -> Kept:
        """Keep a content, piece by piece; size and hash are those of the stored bytes, even if the source changes."""
        scrap, digest, size = self._folder / f".{secrets.token_hex(8)}", hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(scrap, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
            path = self.path(digest.hexdigest())
            path.parent.mkdir(mode=0o700, exist_ok=True)
            scrap.replace(path)
        except BaseException:
            scrap.unlink(missing_ok=True)
            raise
        return Kept(place=place, size_bytes=size, sha256=digest.hexdigest())

    def keep_file(self, place: str, source: Path) -> Kept:
        """Keep a file's content."""
        return self.keep(place, chunks_of(source))

    def finish(self, manifest: BackupManifest) -> None:
        """Write down what is kept, once it is on the disk: from now on this is a backup."""
        if hasattr(os, "sync"):
            os.sync()
        write_secret(self._backup / MANIFEST, manifest.text)


def verified(backup: Path, report: Report) -> BackupManifest:
    """The manifest of a backup, after every byte was verified.

    Raises `NotFoundError` where there is none, or none that was finished; `InputError` where it is damaged.
    """
    try:
        text = (backup / MANIFEST).read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{backup}: {_what_it_is(backup)}", hint="`cv-yolo backup DIR` makes one") from error
    try:
        if (backup / MANIFEST).is_symlink():
            raise ValueError("it is a symbolic link")
        manifest = read_manifest(text)
    except ValueError as error:
        raise InputError(f"{backup / MANIFEST}: {error}", hint=DAMAGED_HINT) from error
    faults = list(_faults(backup, manifest, report))
    if faults:
        more = f", and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        raise InputError(f"{backup} is damaged: {', '.join(faults[:NAMED])}{more}", hint=DAMAGED_HINT)
    return manifest


def chunks_of(source: Path) -> Iterator[bytes]:
    """A file's content, piece by piece."""
    with source.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Translate errors of the disk."""
    try:
        yield
    except OSError as error:
        place, hint = error.filename or folder, "make room, or take a folder on another disk"
        if says_full(error):
            raise DiskFullError(f"{place}: the disk is full: {room_at(folder).sentence}", hint=hint) from error
        raise ServiceUnavailableError(f"{place}: {error.strerror or error}", hint=hint) from error


def _faults(backup: Path, manifest: BackupManifest, report: Report) -> Iterator[str]:
    """What differs from the manifest: each place, and how."""
    contents = Contents(backup)
    wanted = {contents.path(each.sha256): each for each in manifest.kept}
    for path in _strangers(backup, set(wanted) | {backup / MANIFEST}):
        yield f"{path.relative_to(backup)} is not part of it"
    total, done_bytes = sum(each.size_bytes for each in wanted.values()), 0
    for number, (path, each) in enumerate(sorted(wanted.items()), 1):
        fault = _fault(path, each)
        if fault is not None:
            yield f"{each.place} {fault}"
        done_bytes += each.size_bytes
        report(Progress(what="verify", done=number, total=len(wanted), done_bytes=done_bytes, total_bytes=total))


def _fault(path: Path, kept: Kept) -> str | None:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            return "is not a file"
        if found.st_size != kept.size_bytes:
            return f"has {found.st_size} bytes instead of {kept.size_bytes}"
        return None if sha256_of(path) == kept.sha256 else "was changed"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"


def _strangers(folder: Path, known: set[Path]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path not in known and (path.is_symlink() or not path.is_dir()):
            yield path


def _what_it_is(backup: Path) -> str:
    if not backup.is_dir():
        return "no such folder"
    if (backup / CONTENT).exists():
        return f"an unfinished backup: it has no {MANIFEST}"
    return f"not a backup: it has no {MANIFEST}"
