"""DVC's command line as a child process, terminated on a stop and when a remote stops answering."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError, StoppedError

POLL_S: Final = 0.2
GRACE_S: Final = 2.0
REMOTE: Final = frozenset({"pull", "push"})  # the commands that need it


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """When to terminate a DVC command: on a stop, or if the remote does not respond for `silence_s`.

    DVC itself would ask a hung remote for minutes. `answers` is asked now and then, where the remote is a server.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    answers: Callable[[], bool] | None = None
    silence_s: float = 30.0


class DvcCommand:
    """Runs DVC in the project `root`; DVC's recipes find the Python that runs this first on their PATH."""

    def __init__(self, *, root: Path, environment: Mapping[str, str], attended: Attended) -> None:
        self._root, self._attended = root, attended
        path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
        self._environment = {**environment, "PATH": path}

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end; every caller reads the exit code."""
        command = [sys.executable, "-m", "dvc", *arguments]
        with subprocess.Popen(
            command,
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                out, err = self._attend(child, arguments[0])
            except BaseException:
                _terminate(child)
                raise
        return subprocess.CompletedProcess(command, child.returncode, out, err)

    def _attend(self, child: "subprocess.Popen[str]", command: str) -> tuple[str, str]:
        answered_at_s = asked_at_s = time.monotonic()
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.communicate(timeout=POLL_S)
            if self._attended.stop.is_set():
                raise StoppedError(f"stopped during `dvc {command}`")
            due = command in REMOTE and time.monotonic() - asked_at_s >= self._attended.silence_s / 3
            if self._attended.answers is None or not due:
                continue
            if self._attended.answers():
                answered_at_s = time.monotonic()
            asked_at_s = time.monotonic()
            if asked_at_s - answered_at_s > self._attended.silence_s:
                raise ServiceUnavailableError(
                    f"`dvc {command}`: the remote does not answer", hint="is it up? `cv-yolo status` shows it"
                )


def _terminate(child: "subprocess.Popen[str]") -> None:
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
