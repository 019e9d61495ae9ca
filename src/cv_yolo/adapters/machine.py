"""Where a result comes from: commit, machine, library versions, and the hash of the code that trains."""

import getpass
import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

TRACKED_LIBRARIES: Final = ("ultralytics", "torch", "torchvision", "numpy", "pillow", "opencv-python")
OTHER_LIBRARIES: Final = ("zenml", "mlflow", "dvc")
DETECTOR_CODE: Final = tuple(
    f"adapters/ultralytics/{name}.py"
    for name in ("checkpoint", "examples", "library", "predictor", "trainer", "training_data", "weights")
)
FOLDER_CODE: Final = (  # from a data set's folder to boxes in pixels
    *(f"adapters/yolo_folder/{name}.py" for name in ("data_yaml", "folder", "labels", "layout", "pictures")),
    "domain/geometry.py",
)
TRAINING_CODE: Final = (
    "domain/annotations.py",
    "domain/dataset.py",
    "domain/training.py",
    "workflows/train.py",
    *DETECTOR_CODE,
    *FOLDER_CODE,
)
EVALUATION_CODE: Final = (
    *(
        "annotations",
        "calibration",
        "class_names",
        "confusion",
        "dataset",
        "error_types",
        "evaluation",
        "expansion",
        "figures",
    ),
    *("geometry", "intervals", "matching", "metrics", "operating_point", "split_boxes"),
)
CLOCK_DRIFT_S: Final = 60.0  # when a process began is told by the wall clock, which is set right now and then


def code_version() -> str:
    """Hash of the code that determines a training's result, and of the versions of the libraries it uses."""
    return _hash_of(TRAINING_CODE)


def evaluator_version() -> str:
    """Hash of the code that determines an evaluation, and of the versions of the libraries it uses."""
    domain = (f"domain/{name}.py" for name in EVALUATION_CODE)
    return _hash_of((*domain, *DETECTOR_CODE, "workflows/class_names.py", "workflows/evaluate.py", *FOLDER_CODE))


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


def _hash_of(code: Iterable[str]) -> str:
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for name in sorted(code):
        digest.update(name.encode() + b"\0" + (package / name).read_bytes() + b"\0")
    digest.update(repr(sorted(_versions(TRACKED_LIBRARIES).items())).encode())
    return digest.hexdigest()


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
