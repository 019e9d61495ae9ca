"""A scratch project for a drill, inside the home; what is left of one that was killed goes before the next begins."""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.services.processes import end, processes_of
from cv_yolo.services.stack_folder import StackFolder, folder_of
from cv_yolo.settings import Settings

GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The folders of one drill."""

    folder: Path

    @property
    def backup(self) -> Path:
        """A backup that nobody asked to keep."""
        return self.folder / "backup"

    @property
    def pages(self) -> StackFolder:
        """Servers on the project's own embedded records."""
        return StackFolder(root=self.folder / "pages")

    @property
    def settings(self) -> Settings:
        """The scratch project; the environment, which names the real one, has no say."""
        root = self.folder / "project"
        values: dict[str, Any] = {"root": root, "CV_YOLO_HOME": root / ".cv-yolo"}
        return Settings(**values, server_url=None, server_api_key=None)


@contextmanager
def scratch_project(home: Path) -> Iterator[Scratch]:
    """A scratch project that is gone when the block ends, however it ends; one at a time."""
    scratch = Scratch(folder=home / "drill")
    home.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(home / "drill.lock", blocking=False)
        lock.acquire()
    except Timeout as error:
        raise ServiceUnavailableError(f"{home}: another drill is at work here", hint="wait for its end") from error
    try:
        _clear(scratch)
        scratch.folder.mkdir(mode=0o700)
        yield scratch
    finally:
        with _undisturbed():
            _clear(scratch)
            lock.release()


def _clear(scratch: Scratch) -> None:
    for folder in (folder_of(scratch.settings), scratch.pages):
        end(processes_of(folder.root), grace_s=GRACE_S)
    if scratch.folder.exists():
        shutil.rmtree(scratch.folder)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C or termination signal must not end the cleaning up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
