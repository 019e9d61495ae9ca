"""The real servers, started by the real command in a home of their own, on free ports; ended with the session."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cv_yolo.container.workers import WORKER_SERVER
from cv_yolo.domain.stack import DatabaseAddress, StackAddresses
from cv_yolo.settings import Settings
from cv_yolo_stack.configuration.local_stack import read_addresses, read_database
from cv_yolo_stack.servers.pages import free_port
from tests.warm import run_command

CLI = (sys.executable, "-m", "cv_yolo")
PORTS = ("zenml", "mlflow", "store", "console", "database")
FOREIGN = ("CV_YOLO_", "AWS_", "ZENML_", "MLFLOW_")
TIMEOUT_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStack:
    """Servers that are up. `environment` is for processes that work in their home."""

    settings: Settings
    addresses: StackAddresses
    database: DatabaseAddress | None
    environment: dict[str, str] = field(repr=False)


def environment_of(root: Path) -> dict[str, str]:
    """An environment for our own commands in a project of that folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN) or name == WORKER_SERVER}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {"CV_YOLO_ROOT": str(root)}


def cv_yolo(root: Path, *arguments: str, code: int | None = 0, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run one of our commands there; `code` is the exit code that it must have, None for any."""
    done = run_command(arguments, folder=root, environment=environment_of(root) | more, timeout_s=TIMEOUT_S)
    assert code in {None, done.returncode}, f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done


def free_ports() -> list[str]:
    """Options that give every server a port that is free now."""
    return [word for name in PORTS for word in (f"--{name}-port", str(free_port(0)))]


@contextmanager
def stack_in(root: Path, *options: str) -> Iterator[RunningStack]:
    """Servers in a project of that folder until the block ends."""
    root.mkdir(parents=True, exist_ok=True)
    try:
        cv_yolo(root, "up", *options, *free_ports())
        yield running_stack(root)
    finally:
        cv_yolo(root, "down", code=None)


def running_stack(root: Path) -> RunningStack:
    """The servers that are up in that folder."""
    settings = Settings(root=root)
    addresses = read_addresses(settings)
    assert addresses is not None
    return RunningStack(
        settings=settings, addresses=addresses, database=read_database(settings), environment=environment_of(root)
    )


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Object store (rclone), database (MariaDB where it is installed, else SQLite), ZenML and MLflow."""
    with stack_in(tmp_path_factory.mktemp("stack") / "project") as stack:
        yield stack
