"""Folders that a person names to be written to: what is wrong with one is their input, and names the place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cv_yolo.disk import room_at, says_full
from cv_yolo.errors import ConfigError, DiskFullError


@contextmanager
def reporting(path: Path, done: str) -> Iterator[None]:
    """Raise what the file system refuses as `ConfigError`: `path` cannot be `done`; a full disk as `DiskFullError`."""
    try:
        yield
    except OSError as error:
        if says_full(error):
            raise DiskFullError(
                f"the disk is full: {path} does not fit, {room_at(path).sentence}",
                hint="make room there, or name a folder on another disk; then run the same command again",
            ) from error
        raise ConfigError(
            f"{error.filename or path}: cannot be {done}: {error.strerror}",
            hint="name a folder of your own that can be written to",
        ) from error


def require_folder(path: Path) -> None:
    """Raise `ConfigError` where something else than a folder is in the way."""
    found = next(each for each in (path, *path.parents) if is_there(each))
    if not found.is_dir():
        raise ConfigError(f"{found}: not a folder", hint="name a folder, or one that does not exist yet")


def is_there(path: Path) -> bool:
    """Whether something has that name, if only a link to nothing."""
    return path.exists() or path.is_symlink()
