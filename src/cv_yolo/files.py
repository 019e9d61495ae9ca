"""File helpers: content hashes, atomic writes, private files and folders."""

import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError, WeightsError

LARGEST_WEIGHTS_BYTES: Final = 2_000_000_000  # more than protobuf, and with it ONNX, can hold
PRIVATE: Final = 0o700
OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
ELSEWHERE: Final = "use your own folder on a file system with permissions: CV_YOLO_HOME=…"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_weights(path: Path, sha256: str) -> bytes:
    """The content of a weights file, read once: the bytes that are checked are the bytes that are used.

    Raises `WeightsError` for a file that is missing, too large, or not the one of that hash.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    if path.stat().st_size > LARGEST_WEIGHTS_BYTES:
        raise WeightsError(f"{path}: larger than {LARGEST_WEIGHTS_BYTES / 1e9:.0f} GB, the most that is read")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise WeightsError(f"{path}: the file is not the one that was recorded (its sha256 differs)")
    return content


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the former content or the new one, never a part."""
    write_bytes_whole(path, text.encode("utf-8"))


def write_secret(path: Path, text: str) -> None:
    """Write a text file that only its owner can read (mode 0600), in whole or not at all."""
    write_bytes_whole(path, text.encode("utf-8"), mode=0o600)


def write_bytes_whole(path: Path, content: bytes | memoryview, *, mode: int = 0o666) -> None:
    """Write a file so that a reader sees the former content or the new one, never a part; the umask narrows `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scrap = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(scrap, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        scrap.replace(path)
    except BaseException as error:
        scrap.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:  # a full disk does not say what it is too small for
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def private_folder(folder: Path) -> int:
    """Create a folder that only its owner can enter, whatever the umask, or make it so; returns its former mode.

    Raises `ConfigError` where it is a link or folder of another user, or on a file system without permissions.
    """
    me = getattr(os, "geteuid", None)
    if me is None:  # Windows: a user's folders are closed to others by their access lists
        folder.mkdir(parents=True, exist_ok=True)
        return PRIVATE
    trusted = {0, me()}
    if folder.is_symlink() and folder.lstat().st_uid not in trusted:
        raise ConfigError(f"{folder}: a link that belongs to {owner_of(folder.lstat().st_uid)}", hint=ELSEWHERE)
    real = folder.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    try:
        real.mkdir(mode=PRIVATE)
    except FileExistsError:
        if not real.is_dir():
            raise ConfigError(f"{folder}: not a folder", hint="move it away") from None
    owner = real.lstat().st_uid
    if owner != me():
        who = "this process runs as root" if me() == 0 else "it would be open to that user"
        raise ConfigError(f"{folder}: belongs to {owner_of(owner)}, and {who}", hint=ELSEWHERE)
    return _closed(real)


def owner_of(user_id: int) -> str:
    """The name of a user, for messages; its number where the machine knows no name."""
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return f"the user with number {user_id}"


def _closed(folder: Path) -> int:
    """Take all rights from others; by descriptor, so that it happens to the folder that was looked at."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        former = stat.S_IMODE(os.fstat(handle).st_mode)
        if former != PRIVATE:
            os.fchmod(handle, PRIVATE)
        left = stat.S_IMODE(os.fstat(handle).st_mode)
    except PermissionError:
        left = OTHERS  # file systems without permissions differ: some refuse, some ignore
    finally:
        os.close(handle)
    if left & OTHERS:
        raise ConfigError(f"{folder}: its file system cannot keep other users out", hint=ELSEWHERE)
    return former
