"""Small things that everybody does with files: content hashes, writing in whole or not at all, keeping secrets."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from cv_yolo.errors import WeightsError

LARGEST_WEIGHTS_BYTES: Final = 2_000_000_000  # more than protobuf, and with it ONNX, can hold


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


def write_bytes_whole(path: Path, content: bytes, *, mode: int = 0o666) -> None:
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
