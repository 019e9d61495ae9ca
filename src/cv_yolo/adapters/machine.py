"""Where a result comes from: commit, machine, library versions, and what determines a result."""

import getpass
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

from cv_yolo.domain.evaluation import EVALUATION_VERSION
from cv_yolo.domain.training import TRAINING_VERSION

TRACKED_LIBRARIES: Final = ("ultralytics", "torch", "torchvision", "numpy", "pillow", "opencv-python")
OTHER_LIBRARIES: Final = ("zenml", "mlflow", "dvc")
CLOCK_DRIFT_S: Final = 60.0  # when a process began is told by the wall clock, which is set right now and then


def code_version() -> str:
    """What determines a training's result beside its spec and data: our version of it, and those of the libraries."""
    return _with_libraries("training", TRAINING_VERSION)


def evaluator_version() -> str:
    """What determines an evaluation's result beside its data: our version of it, and those of the libraries."""
    return _with_libraries("evaluation", EVALUATION_VERSION)


def origin_tags(root: Path) -> dict[str, str]:
    """Commit, whether the tree was dirty, library versions and machine, as tags for a run."""
    commit = _git(root, "rev-parse", "HEAD")
    status = None if commit is None else _git(root, "status", "--porcelain")
    versions = _versions((*TRACKED_LIBRARIES, *OTHER_LIBRARIES))
    return {
        "git_commit": commit or "unknown",
        "git_dirty": "unknown" if status is None else str(bool(status)).lower(),
        "python": platform.python_version(),
        "machine": f"{platform.node()} ({platform.system()} {platform.machine()}, {os.cpu_count()} cores)",
    } | {f"version.{name}": number for name, number in versions.items()}


def actor() -> str:
    """Who is at work: `user@machine`; a user without a name, as in some containers, is told by the number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{platform.node()}"


def driver_mark() -> str:
    """What tells this process from every other one: machine, process id, and when it started."""
    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.0f}"


def driver_is_gone(mark: str) -> bool:
    """Whether the process of that mark has ended; False where that cannot be known from this machine."""
    machine, _, process = mark.rpartition(" ")[0].rpartition(" ")
    if machine != platform.node():
        return False
    try:
        started_s = psutil.Process(int(process)).create_time()
    except psutil.NoSuchProcess:
        return True
    return abs(started_s - float(mark.rpartition(" ")[2])) > CLOCK_DRIFT_S


def _with_libraries(kind: str, ours: str) -> str:
    libraries = sorted(_versions(TRACKED_LIBRARIES).items())
    return ", ".join([f"{kind} {ours}", *(f"{name} {version}" for name, version in libraries)])


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    found = {}
    for library in libraries:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
