"""What a training costs the machine, under the names by which MLflow's pages show it."""

import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import psutil

PREFIX: Final = "system/"
MB: Final = 10**6
GPU_QUERY: Final = (
    "nvidia-smi",
    "--query-gpu=index,utilization.gpu,memory.used,power.draw",
    "--format=csv,noheader,nounits",
)
GPU_FIGURES: Final = ("utilization_percentage", "memory_usage_megabytes", "power_usage_watts")
GPU_PATIENCE_S: Final = 5.0


class SystemMeter:
    """Reads CPU, memory, disk and network of the machine, and its NVIDIA GPUs; rates are those since the last reading.

    Each training has a meter of its own: psutil's own memory of the last reading is one for all threads. A reading
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
    with suppress(OSError, subprocess.SubprocessError):  # a driver that does not answer is no figure, and no failure
        return subprocess.run(GPU_QUERY, capture_output=True, text=True, check=True, timeout=GPU_PATIENCE_S).stdout
    return ""


def _gpu_figures(table: str) -> dict[str, float]:
    figures: dict[str, float] = {}
    for line in table.splitlines():
        index, *values = (each.strip() for each in line.split(","))
        for name, value in zip(GPU_FIGURES, values, strict=False):
            with suppress(ValueError):  # "[N/A]": this GPU does not measure it
                figures[f"gpu_{index}_{name}"] = float(value)
    return figures
