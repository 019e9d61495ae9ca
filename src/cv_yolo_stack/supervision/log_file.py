"""The servers' logs: rotated when they grow too large, their last lines, and what is appended."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cv_yolo.errors import NotFoundError
from cv_yolo_stack.configuration.folder import StackFolder

POLL_S: Final = 0.3
LIMIT_BYTES: Final = 20_000_000


def log_of(service: str, folder: StackFolder) -> Path:
    """The log of a service; raises `NotFoundError` where none of that name wrote one."""
    log = folder.log(service)
    names = sorted(path.stem for path in folder.logs.glob("*.log"))
    if service not in names:
        raise NotFoundError(f"there is no log of a service {service}", hint=f"logs: {', '.join(names) or 'none yet'}")
    return log


def limit(log: Path) -> None:
    """Rotate a log that is too long. Its server appends to it, so it can be truncated while the server runs."""
    if log.exists() and log.stat().st_size > LIMIT_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def last_lines(log: Path, count: int) -> str:
    """The last lines of a log, or nothing where none was written."""
    if not log.is_file() or not count:
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def follow_log(log: Path) -> Iterator[str]:
    """What is written from now on, line by line, without end; a truncated log is read from its beginning."""
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(0, 2)
        while True:
            if log.stat().st_size < file.tell():
                file.seek(0)
            line = file.readline()
            if line:
                yield line
            else:
                time.sleep(POLL_S)
