"""Where a result comes from: commit, machine, library versions, and what determines a result."""

import getpass
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import psutil

from cv_yolo.domain.evaluation.evaluation import EVALUATION_VERSION
from cv_yolo.domain.training.specs import TRAINING_VERSION

TRACKED_LIBRARIES: Final = ("ultralytics", "torch", "torchvision", "numpy", "pillow", "opencv-python")
OTHER_LIBRARIES: Final = ("zenml", "mlflow", "dvc")
CLOCK_DRIFT_S: Final = 60.0  # start times come from the wall clock, which is adjusted now and then


def code_version() -> str:
    """What determines a training's result besides its spec and data: our version of it, and those of the libraries."""
    return _with_libraries("training", TRAINING_VERSION)


def evaluator_version() -> str:
    """What determines an evaluation's result besides its data: our version of it, and those of the libraries."""
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
    """The current user, as `user@machine`; a user without a name, as in some containers, by number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = f"uid-{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{platform.node()}"


def driver_mark() -> str:
    """What identifies this process: machine, process id, and start time."""
    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.0f}"


def driver_is_gone(mark: str) -> bool:
    """Whether the process with that identity has exited; False where that cannot be known from this machine."""
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


PREFIX: Final = "system/"
MB: Final = 10**6
GPU_QUERY: Final = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu,memory.used,power.draw",
    "--format=csv,noheader,nounits",
)
GPU_FIGURES: Final = ("utilization_percentage", "memory_usage_megabytes", "power_usage_watts")
GPU_TIMEOUT_S: Final = 5.0


class SystemMeter:
    """Reads CPU, memory, disk and network of the machine, and its NVIDIA GPUs; rates are those since the last reading.

    Each training has its own meter: psutil remembers the last reading once for all threads. A reading
    takes milliseconds without a GPU.
    """

    def __init__(self, *, gpus: Callable[[], str] | None = None) -> None:
        self._gpus = gpus or (_ask_gpus if shutil.which(GPU_QUERY[0]) else str)
        self._cpu, self._network = psutil.cpu_times(), psutil.net_io_counters()

    def read(self) -> dict[str, float]:
        """The figures by name."""
        memory, network = psutil.virtual_memory(), psutil.net_io_counters()
        figures = {
            "cpu_utilization_percentage": self._busy(),
            "system_memory_usage_megabytes": memory.used / MB,
            "system_memory_usage_percentage": memory.percent,
            "network_receive_megabytes": (network.bytes_recv - self._network.bytes_recv) / MB,
            "network_transmit_megabytes": (network.bytes_sent - self._network.bytes_sent) / MB,
        }
        self._network = network
        return {f"{PREFIX}{name}": value for name, value in (figures | _gpu_figures(self._gpus())).items()}

    def _busy(self) -> float:
        before, now = self._cpu, psutil.cpu_times()
        self._cpu = now
        passed = sum(now) - sum(before)
        idle = now.idle - before.idle + getattr(now, "iowait", 0.0) - getattr(before, "iowait", 0.0)
        return min(100.0, max(0.0, 100 * (1 - idle / passed))) if passed > 0 else 0.0


def _ask_gpus() -> str:
    with suppress(
        OSError, subprocess.SubprocessError
    ):  # without a response of the driver the metric is absent, which is not a failure
        return subprocess.run(GPU_QUERY, capture_output=True, text=True, check=True, timeout=GPU_TIMEOUT_S).stdout
    return ""


def _gpu_figures(table: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for line in table.splitlines():
        index, *values = (each.strip() for each in line.split(","))
        for name, value in zip(GPU_FIGURES, values, strict=False):
            with suppress(ValueError):  # "[N/A]": this GPU does not measure it
                figures[f"gpu_{index}_{name}"] = float(value)
    return figures
