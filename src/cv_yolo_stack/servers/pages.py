"""MLflow's and ZenML's own pages on this project's records, served on this machine only."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings

HOST: Final = "127.0.0.1"
READY_WITHIN_S: Final = 90.0
POLL_S: Final = 0.3
GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A local server: how it is started, where it answers, and where it writes."""

    name: str
    port: int
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path

    @property
    def url(self) -> str:
        """The address for a browser."""
        return f"http://{HOST}:{self.port}"


def mlflow_page(settings: Settings, port: int) -> Page:
    """MLflow's page on the embedded store: one worker, no job runner, this machine only."""
    command = (
        *(sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", settings.tracking_uri),
        *("--default-artifact-root", settings.mlflow_artifacts.as_uri()),
    )
    environment = dict(os.environ) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return Page(name="MLflow", port=port, command=command, environment=environment, log=settings.home / "mlflow.log")


def zenml_page(settings: Settings, port: int) -> Page:
    """ZenML's dashboard on the embedded store, as `zenml login --local` serves it: no log-in, this machine only."""
    zenml = settings.home / "zenml"
    environment = dict(os.environ) | {
        "ZENML_SERVER": "true",
        "ZENML_CONFIG_PATH": str(zenml / "server"),
        "ZENML_LOCAL_STORES_PATH": str(zenml / "local_stores"),
        "ZENML_STORE_URL": f"sqlite:///{(zenml / 'local_stores' / 'default_zen_store' / 'zenml.db').as_posix()}",
        "ZENML_SERVER_AUTH_SCHEME": "NO_AUTH",
        "ZENML_SERVER_DEPLOYMENT_TYPE": "local",
        "ZENML_SERVER_AUTO_ACTIVATE": "true",
        "ZENML_SERVER_ALLOW_LOCAL_FILE_ACCESS": "true",
        "ZENML_DISABLE_DATABASE_MIGRATION": "true",
        "ZENML_SERVER_DISPLAY_ANNOUNCEMENTS": "false",
        "ZENML_SERVER_DISPLAY_UPDATES": "false",
    }
    command = (
        *(sys.executable, "-m", "uvicorn", "zenml.zen_server.zen_server_api:app"),
        *("--host", HOST, "--port", str(port), "--no-server-header", "--log-level", "warning"),
    )
    return Page(name="ZenML", port=port, command=command, environment=environment, log=settings.home / "zenml.log")


def free_port(preferred: int) -> int:
    """The preferred port, or another where it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceUnavailableError(f"no free port on {HOST}")


@contextmanager
def serving(page: Page) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a page until the block ends; raises `ServiceUnavailableError` where it does not come up."""
    page.log.parent.mkdir(parents=True, exist_ok=True)
    with page.log.open("wb") as log:
        server = subprocess.Popen(
            page.command,
            env=page.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
        try:
            _wait_until_ready(page, server)
            yield server
        finally:
            server.terminate()
            try:
                server.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_ready(page: Page, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < give_up:
        if server.poll() is not None:
            raise ServiceUnavailableError(f"{page.name} exited with code {server.returncode}", hint=f"see {page.log}")
        try:
            with urllib.request.urlopen(f"{page.url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(POLL_S)
    raise ServiceUnavailableError(f"{page.name} did not respond at {page.url} in time", hint=f"see {page.log}")
