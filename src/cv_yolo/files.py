"""Small things that everybody does with files: content hashes, and writing in whole or not at all."""

import hashlib
import secrets
from pathlib import Path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader sees the former content or the new one, never a part."""
    write_bytes_whole(path, text.encode("utf-8"))


def write_bytes_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the former content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scrap = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with scrap.open("xb") as file:  # readable for those whom the umask allows, as `tempfile`'s files are not
            file.write(content)
        scrap.replace(path)
    except BaseException:
        scrap.unlink(missing_ok=True)
        raise
