"""A small project in a folder of its own, as a clone would be, and its commands as a person calls them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cv_yolo.container.workers import WORKER_SERVER
from tests.warm import run_command

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("configs", "dvc.yaml", "dvc.lock", "params.yaml", ".dvc/config", ".dvcignore", "tools", "weights", "src")
SMALL = ("--image-size", "64", "--set", "training.batch_size=4", "--set", "resources.threads_per_run=1")
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    exit_code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project's folder, and the Python that runs `cv-yolo` in it; `path` is where that finds more modules."""

    root: Path
    python: str = sys.executable
    path: Path | None = REPOSITORY

    def run(self, *arguments: str) -> Done:
        """`cv-yolo` with these arguments, to its end."""
        if self.path != REPOSITORY:
            return self.run_module("cv_yolo", *arguments)
        done = run_command(arguments, folder=self.root, environment=self.environment(), timeout_s=600)
        return Done(exit_code=done.returncode, out=done.stdout, err=done.stderr)

    def run_module(self, module: str, *arguments: str) -> Done:
        """`python -m MODULE` from the project's folder."""
        return self._to_the_end(self.python, "-m", module, *arguments)

    def run_script(self, script: str, *arguments: str) -> Done:
        """`python SCRIPT` from the project's folder."""
        return self._to_the_end(self.python, script, *arguments)

    def dvc(self, *arguments: str) -> Done:
        """`dvc` as a person in the activated environment would call it."""
        return self.run_module("dvc", *arguments)

    @contextmanager
    def running(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """`cv-yolo` at work in the background; ended with the block."""
        child = subprocess.Popen(
            [self.python, "-m", "cv_yolo", *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            child.communicate(timeout=TIMEOUT_S)

    def journals(self) -> dict[str, str]:
        """The journals of all pipeline runs, by the run's name."""
        found = (self.root / ".cv-yolo" / "runs").glob("*/journal.jsonl")
        return {path.parent.name: path.read_text(encoding="utf-8") for path in found}

    def environment(self) -> dict[str, str]:
        foreign = ("CV_YOLO_", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV", "ZENML_", "MLFLOW_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        path = os.pathsep.join([str(Path(self.python).parent), os.environ["PATH"]])
        return kept | {"PATH": path} | ({} if self.path is None else self._of_repository(self.path))

    def _of_repository(self, path: Path) -> dict[str, str]:
        """What only commands that run the repository's code may have: it, and the workers of all tests."""
        shared = {name: value for name, value in os.environ.items() if name == WORKER_SERVER}
        return shared | {"PYTHONPATH": str(path)}

    def _to_the_end(self, *command: str) -> Done:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,  # each test asserts the exit code: some commands must fail
        )
        return Done(exit_code=done.returncode, out=done.stdout, err=done.stderr)


def noise_in(err: str) -> list[str]:
    """Lines of standard error that no person should see: of tracebacks, of finalisers, of warnings."""
    return [line for line in err.splitlines() if re.search(r"Traceback|Exception ignored|Warning: |^\w*Error\b", line)]


def make_project(root: Path) -> Project:
    """A clone of the repository's working files, committed, without data and records."""
    root.mkdir(parents=True)
    for name in COPIED:
        source, target = REPOSITORY / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    (root / ".gitignore").write_text(".cv-yolo/\ndata/\nreports/\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
        subprocess.run(["git", *identity, *command], cwd=root, check=True, capture_output=True)
    return Project(root=root)


def wait_for(condition: Any, *, what: str) -> Any:
    """What `condition` returns once it is true; fails the test after a while."""
    give_up = time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {TIMEOUT_S} s in vain for {what}")


def workers_of(root: Path) -> dict[int, str]:
    """The child processes at work in a project, by process id, with their folders: those of their logs (Linux).

    The server that forks them prints to the log of the first one, and has no standard input.
    """
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            standard_input, log = ((entry / "fd" / number).readlink() for number in "01")
        except OSError:
            continue
        if log.name == "output.log" and log.is_relative_to(root) and standard_input != Path(os.devnull):
            found[int(entry.name)] = str(log.parent)
    return found
