"""Whether a disk has room for what is to come, asked before anything is written."""

import shutil
from pathlib import Path

from cv_yolo.errors import InputError


def require_room(folder: Path, needed_bytes: int) -> None:
    """Raise `InputError` where the disk of that folder, which need not be there yet, has not so many bytes free."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    if free < needed_bytes:
        raise InputError(
            f"{folder}: {needed_bytes / 1e9:.2f} GB may be needed, and {free / 1e9:.2f} GB are free",
            hint="make room, or take a folder on another disk",
        )
