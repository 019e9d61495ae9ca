"""DVC's command line as a child process, terminated on a stop and when a remote stops answering."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

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
        with self._child(command, stdin=subprocess.DEVNULL) as child:
            out, err = self._attend(child, arguments[0])
        return subprocess.CompletedProcess(command, child.returncode, out, err)

    def transfer(
        self, request: Mapping[str, Any], on_event: Callable[[Mapping[str, Any]], None], command: str
    ) -> Mapping[str, Any]:
        """Have our own child process do what `request` says; returns its answer, and passes on its progress."""
        worker = [sys.executable, "-m", "cv_yolo.adapters.dvc.worker"]
        with self._child(worker, stdin=subprocess.PIPE) as child:
            return self._answer(child, request, on_event, command)

    @contextmanager
    def _child(self, command: Sequence[str], *, stdin: int) -> Iterator["subprocess.Popen[str]"]:
        """A process in the project, terminated if it is not waited for to its end."""
        with subprocess.Popen(
            command,
            cwd=self._root,
            env=self._environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            try:
                yield child
            except BaseException:
                _terminate(child)
                raise

    def _answer(
        self,
        child: "subprocess.Popen[str]",
        request: Mapping[str, Any],
        on_event: Callable[[Mapping[str, Any]], None],
        command: str,
    ) -> Mapping[str, Any]:
        assert child.stdin and child.stdout and child.stderr  # noqa: PT018 - they are pipes
        lines: queue.Queue[str | None] = queue.Queue()
        said: list[str | None] = []
        readers = (
            threading.Thread(target=_read_into, args=(child.stdout, lines.put), daemon=True),
            threading.Thread(target=_read_into, args=(child.stderr, said.append), daemon=True),
        )
        for reader in readers:
            reader.start()
        with suppress(BrokenPipeError):
            json.dump(request, child.stdin)
            child.stdin.close()
        for event in self._events(lines, command):
            if "stage" not in event:
                child.wait()
                return event
            on_event(event)
        child.wait()
        readers[1].join()
        text = "".join(each for each in said if each)
        return {"failed": text.strip() or f"the process ended with code {child.returncode}", "full": False}

    def _events(self, lines: "queue.Queue[str | None]", command: str) -> Iterator[Mapping[str, Any]]:
        """What the child says, until it has ended."""
        watch = _Watch(self._attended, command)
        while True:
            try:
                line = lines.get(timeout=POLL_S)
            except queue.Empty:
                watch.require()
                continue
            watch.require()
            if line is None:
                return
            with suppress(ValueError):  # what a library prints
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event

    def _attend(self, child: "subprocess.Popen[str]", command: str) -> tuple[str, str]:
        watch = _Watch(self._attended, command)
        while True:
            with suppress(subprocess.TimeoutExpired):
                return child.communicate(timeout=POLL_S)
            watch.require()


class _Watch:
    """Watches while a command runs whether it is to be stopped, and whether the remote answers."""

    def __init__(self, attended: Attended, command: str) -> None:
        self._attended, self._command = attended, command
        self._answered_at_s = self._asked_at_s = time.monotonic()

    def require(self) -> None:
        """Raise `StoppedError` on a stop, `ServiceUnavailableError` where the remote has not answered for long."""
        attended, now_s = self._attended, time.monotonic()
        if attended.stop.is_set():
            raise StoppedError(f"stopped during `dvc {self._command}`")
        due = self._command in REMOTE and now_s - self._asked_at_s >= attended.silence_s / 3
        if attended.answers is None or not due:
            return
        if attended.answers():
            self._answered_at_s = time.monotonic()
        self._asked_at_s = time.monotonic()
        if self._asked_at_s - self._answered_at_s > attended.silence_s:
            raise ServiceUnavailableError(
                f"`dvc {self._command}`: the remote does not answer", hint="is it up? `cv-yolo status` shows it"
            )


def _read_into(stream: IO[str], take: Callable[[str | None], object]) -> None:
    """Pass on the lines of a stream, then None."""
    for line in stream:
        take(line)
    take(None)


def _terminate(child: "subprocess.Popen[str]") -> None:
    child.terminate()
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
