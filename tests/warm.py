"""What the commands of a test session share: processes that have imported the large libraries once, and fork.

The workers of all commands are forked from one that has PyTorch, the commands from one that has ZenML and MLflow. To
import them costs each command five seconds of processor time. What is about the process itself (signals, its end, an
installation) is tested with processes of their own.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest

from cv_yolo.container.environment import WAIT_POLICY
from cv_yolo.container.workers import WORKER_SERVER

TIMEOUT_S = 120
IMPORTED: Final = ("pytest", "cv_yolo.container", "cv_yolo.cli.commands.grid", "cv_yolo.pipelines.launch", "mlflow")
WRITTEN: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND
CAN_FORK: Final = sys.platform.startswith("linux")


def run_command(
    arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str], timeout_s: float
) -> "subprocess.CompletedProcess[str]":
    """`python -m cv_yolo` with these arguments and this environment in that folder, to its end."""
    command = [sys.executable, "-m", "cv_yolo", *arguments]
    if not CAN_FORK:
        return subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,  # each caller asserts the exit code
        )
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(list(IMPORTED))
    with tempfile.TemporaryDirectory() as said:
        out, err = Path(said) / "out", Path(said) / "err"
        child = server.Process(target=_as_command, args=(list(arguments), folder, dict(environment), out, err))
        child.start()
        child.join(timeout_s)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(command, timeout_s, out.read_text("utf-8"), err.read_text("utf-8"))
        return subprocess.CompletedProcess(command, child.exitcode, out.read_text("utf-8"), err.read_text("utf-8"))


def _as_command(arguments: list[str], folder: Path, environment: dict[str, str], out: Path, err: Path) -> None:
    """In a process just forked: become the command."""
    for number, path, flags in ((0, Path(os.devnull), os.O_RDONLY), (1, out, WRITTEN), (2, err, WRITTEN)):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    _forget_zenml_home()
    sys.path[:0] = [str(folder), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["cv_yolo", *arguments]
    try:
        runpy.run_module("cv_yolo", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()


def _forget_zenml_home() -> None:
    """ZenML found one when it was imported; the command has its own."""
    from zenml.client import Client
    from zenml.config.global_config import GlobalConfiguration

    GlobalConfiguration._reset_instance()
    Client._reset_instance()


@pytest.fixture(scope="session", autouse=True)
def warm_workers() -> Iterator[None]:
    """Commands of this session use one server, where the system can fork."""
    if not CAN_FORK:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="cv-yolo-workers-") as folder:
        address = Path(folder) / "socket"
        environment = os.environ | WAIT_POLICY | {"CV_YOLO_ROOT": folder}
        command = [sys.executable, "-m", "cv_yolo", "worker", "--listen", str(address)]
        with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL) as server:
            give_up = time.monotonic() + TIMEOUT_S
            while not address.exists():
                assert server.poll() is None, "the server of workers has exited"
                assert time.monotonic() < give_up
                time.sleep(0.05)
            os.environ[WORKER_SERVER] = str(address)
            yield
            del os.environ[WORKER_SERVER]
            server.kill()
