"""The files of a new project: its own, and those that it shares with this repository.

`starter/own` holds what is a project's own. What is shared has one source, the repository: `starter/shared.txt` names
it, and the build copies it into the package (setup.py). In a clone there is no copy, and the repository itself is read.
In the package, `dot_` at the beginning of a name stands for a dot, since build tools leave such files out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cv_yolo import __version__
from cv_yolo.errors import CvYoloError
from cv_yolo.ports.projects import StarterFile

STARTER: Final = Path(__file__).resolve().parents[2] / "starter"
VERSION_MARK: Final = b"@VERSION@"
VERSIONED: Final = "requirements.txt"


class PackagedStarter:
    """The files as this version of the package has them, below the folder `starter`."""

    def __init__(self, *, starter: Path = STARTER) -> None:
        self._starter = starter

    def files(self) -> tuple[StarterFile, ...]:
        """All of them, in the order of their paths; raises `CvYoloError` where the package lacks one."""
        found = self._shared() | dict(_packaged(self._starter / "own"))
        return tuple(_file(path, source) for path, source in sorted(found.items()))

    def _shared(self) -> dict[str, Path]:
        packaged, repository = self._starter / "shared", self._starter.parents[2]
        paths = shared_paths(self._starter)
        found = {path: packaged / in_package(path) if packaged.is_dir() else repository / path for path in paths}
        missing = [path for path, source in found.items() if not source.is_file()]
        if missing:
            raise CvYoloError(
                f"zenml-cv-yolo was installed without {', '.join(missing)}, which a new project needs",
                hint="install its wheel, or from a whole clone",
            )
        return found


def shared_paths(starter: Path = STARTER) -> tuple[str, ...]:
    """The files that a new project shares with the repository, as paths in both."""
    lines = (starter / "shared.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def in_package(path: str) -> str:
    """Where the package keeps a file of a project: no name begins with a dot."""
    return "/".join(f"dot_{part[1:]}" if part.startswith(".") else part for part in path.split("/"))


def _packaged(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        if path.is_file():
            parts = path.relative_to(folder).parts
            yield "/".join(f".{part[4:]}" if part.startswith("dot_") else part for part in parts), path


def _file(path: str, source: Path) -> StarterFile:
    content = source.read_bytes()
    if path == VERSIONED:
        content = content.replace(VERSION_MARK, __version__.encode())
    return StarterFile(path=path, content=content, executable=content.startswith(b"#!"))
