"""Which processes belong to a local stack, by a mark in their environment, never by name; and how they are stopped."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psutil

MARK: Final = "CV_YOLO_SERVICES_OF"
POLL_S: Final = 0.05


def mark(folder: Path) -> dict[str, str]:
    """The variable that every process of this folder's stack carries, and hands on to its children."""
    return {MARK: str(folder)}


def processes_of(folder: Path) -> list[psutil.Process]:
    """All living processes of this folder's stack, but the one that asks."""
    found = (process for process in psutil.process_iter() if process.pid != os.getpid())
    return [process for process in found if is_alive(process) and _mark_of(process) == str(folder)]


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def process_of(folder: Path, pid: int) -> psutil.Process | None:
    """The living process with that id, if it belongs to this folder's stack: ids are reused.

    Its start time would not do: it comes from the wall clock, which is adjusted now and then.
    """
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None
    return process if _mark_of(process) == str(folder) and is_alive(process) else None


def group(leader: int) -> list[psutil.Process]:
    """The living members of a process group."""
    return [process for process in psutil.process_iter() if _group_of(process) == leader and is_alive(process)]


def end(processes: Sequence[psutil.Process], *, grace_s: float) -> None:
    """Terminate them, and kill those that still run after `grace_s`."""
    for process in processes:
        _signal(process, kill=False)
    give_up = time.monotonic() + grace_s
    while any(map(is_alive, processes)) and time.monotonic() < give_up:
        time.sleep(POLL_S)
    for process in filter(is_alive, processes):
        _signal(process, kill=True)


def memory_bytes(leader: int) -> int:
    """The memory of a process group; shared pages count once for each process."""
    total = 0
    for process in group(leader):
        try:
            total += process.memory_info().rss
        except psutil.Error:  # ended just now
            continue
    return total


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        (process.kill if kill else process.terminate)()
    except psutil.NoSuchProcess:
        return


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):  # another user's, or just exited
        return None


def _group_of(process: psutil.Process) -> int | None:
    try:
        return os.getpgid(process.pid)
    except OSError:
        return None
