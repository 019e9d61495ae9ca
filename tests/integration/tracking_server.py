"""A real MLflow server that can be killed, held up and started again, and a tracker of ours that uses it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import requests

from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.retry import RetryPolicy
from tests.e2e.project import wait_for


class TrackingServer:
    """MLflow's server on a free port, without authentication, with all its data in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        environment = dict(os.environ) | {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = (
            *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)),
            *("--workers", "1", "--backend-store-uri", f"sqlite:///{self._folder / 'server.db'}"),
            *("--artifacts-destination", str(self._folder / "artifacts")),
        )
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=self._folder
            )
        wait_for(self._answers, what="MLflow's server")

    def kill(self) -> None:
        """End it at once, with its worker."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def hold_up(self) -> None:
        """Let it take connections, and answer nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "server.log").read_text(encoding="utf-8")
        try:
            return requests.get(f"{self.uri}/health", timeout=2).ok
        except requests.RequestException:
            return False


def a_tracker(
    uri: str, outbox: Path, *, report: Callable[[str], None] = lambda text: None, timeout_s: float = 30
) -> DeliveringTracker:
    """The tracker of a process of its own."""
    return DeliveringTracker(
        MlflowTracker(uri=uri, experiment="delivery"),
        FolderOutbox(outbox),
        line=TrackerState(),
        retry=RetryPolicy(total_s=timeout_s, wait=wait),
        report=report,
    )


def wait(seconds: float) -> bool:
    """Wait as one of our threads does that is not stopped."""
    import threading

    return threading.Event().wait(seconds)
