"""A server that has imported PyTorch once, and forks the workers of all commands of a test session."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.container import WORKER_SERVER
from cv_yolo.container.environment import WAIT_POLICY

TIMEOUT_S = 120


@pytest.fixture(scope="session", autouse=True)
def warm_workers() -> Iterator[None]:
    """Commands of this session use one server, where the system can fork."""
    if not sys.platform.startswith("linux"):
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
