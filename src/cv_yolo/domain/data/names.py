"""Names of files in data sets: which ones are images, which can be used, and how odd ones are printed."""

import unicodedata
from pathlib import PurePath
from typing import Final

from cv_yolo.errors import DatasetError

IMAGE_SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
NOT_IN_NAMES: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, half characters, ends of lines


def printable(text: str | PurePath) -> str:
    """A name for messages: a line break or whatever else cannot be shown in a line is written as an escape."""
    return "".join(
        character.encode("unicode_escape").decode() if _is_odd(character) else character for character in str(text)
    )


def is_one_line(text: str) -> bool:
    """Whether a text is one line of characters that every system can store."""
    return text.isprintable() or not any(_is_odd(character) for character in text)


def is_usable_name(name: str) -> bool:
    """Whether it is one line of text everywhere: names go through lists of files, tables and other systems."""
    return "\\" not in name and is_one_line(name)


def require_usable_name(path: PurePath, name: str) -> None:
    """Raises `DatasetError` for a name that cannot be used; the path says where it is."""
    if not is_usable_name(name):
        why = "a backslash" if "\\" in name else "a line break, a control character or bytes that are not UTF-8"
        raise DatasetError(f"{printable(path)}: {why} in the name", hint="rename the file, and its label with it")


def _is_odd(character: str) -> bool:
    return unicodedata.category(character) in NOT_IN_NAMES
