"""What the supervisor needs to know about a server: how to start it, and how to check that it is usable."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cv_yolo.http import network_environment

FOREIGN: Final = ("AWS_", "COVERAGE_", "MLFLOW_", "ZENML_", "MINIO_", "RCLONE_", "MYSQL_", "MARIADB_", "CV_YOLO_")


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One server. Without a `command` it is external, and we only check that it is usable.

    `prepare` is called before each start; `use` raises `CvYoloError` until the server does what we need of it. `probe`
    does so afterwards, again and again: a use that leaves nothing behind.
    """

    name: str
    title: str
    url: str
    use: Callable[[], None]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    prepare: Callable[[], None] = nothing
    probe: Callable[[], None] | None = None
    needs: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    ready_within_s: float = 180.0
    grace_s: float = 10.0


def clean_environment() -> dict[str, str]:
    """This process's environment, without what would turn a server against its own configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # without byte code the servers need twice as long to start
    package_parent = str(Path(__file__).resolve().parents[2])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, kept.get("PYTHONPATH")]))
    return kept | network_environment() | {"PYTHONUNBUFFERED": "1", "DO_NOT_TRACK": "1"}
