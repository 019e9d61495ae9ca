"""Make a project of a folder: write what is missing, and leave what is there as it is."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError
from cv_yolo.files import write_bytes_whole
from cv_yolo.ports.projects import StarterFile
from cv_yolo.workflows.user_folder import is_there, reporting, require_folder

DVC_CONFIG: Final = ".dvc/config"
CORE: Final = b"[core]\n"
WITHOUT_GIT: Final = b"[core]\n    no_scm = true\n"
IGNORED: Final = ".gitignore"
OF_TOOLS: Final = frozenset({".git", ".venv", ".cv-yolo", ".DS_Store"})


class FileState(StrEnum):
    """What becomes of a file: `UPDATED` was written by us for a folder without git; `KEPT` differs, and is left."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"


WRITTEN: Final = (FileState.ADDED, FileState.UPDATED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """A file of the project, and what becomes of it; `missing_lines` are those that a kept .gitignore lacks."""

    file: StarterFile
    state: FileState
    missing_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPlan:
    """What making a project of the folder `root` would do.

    `git` is the work tree that the folder is in, `outer` another project that it is in, `foreign` what is in the folder
    and was not written by us.
    """

    root: Path
    files: tuple[PlannedFile, ...]
    git: Path | None
    outer: Path | None
    foreign: tuple[str, ...]

    def paths(self, *states: FileState) -> tuple[str, ...]:
        """The files in one of these states."""
        return tuple(each.file.path for each in self.files if each.state in states)

    @property
    def asks_first(self) -> bool:
        """Whether a person should agree: the folder is no project yet, and has files that are not ours."""
        begun = self.paths(FileState.UNCHANGED, FileState.UPDATED)
        return bool(self.foreign and self.paths(FileState.ADDED) and not begun)


def plan_project(root: Path, files: Sequence[StarterFile]) -> ProjectPlan:
    """What is there and what is missing; changes nothing.

    Raises `ConfigError` for a folder in which the files have no place.
    """
    with reporting(root, "read"):
        git = next((each for each in (root, *root.parents) if (each / ".git").exists()), None)
        _require_place(root, files)
        planned = tuple(_planned(each, root, git=git is not None) for each in files)
        return ProjectPlan(
            root=root,
            files=planned,
            git=git,
            outer=next((each for each in root.parents if (each / DVC_CONFIG).is_file()), None),
            foreign=tuple(_foreign(root, planned)),
        )


def start_project(plan: ProjectPlan, on_file: Callable[[PlannedFile], None] = lambda _: None) -> None:
    """Write what the plan adds, each file whole or not at all; after a stop, the same once more writes the rest."""
    for each in plan.files:
        if each.state in WRITTEN:
            path = plan.root / each.file.path
            with reporting(path, "written"):
                write_bytes_whole(path, each.file.content, mode=0o777 if each.file.executable else 0o666)
            on_file(each)


def _require_place(root: Path, files: Sequence[StarterFile]) -> None:
    require_folder(root)
    folders = {parent for file in files for parent in Path(file.path).parents}
    blocked = [str(each) for each in folders if is_there(root / each) and not (root / each).is_dir()]
    blocked += [each.path for each in files if (root / each.path).is_dir()]
    if blocked:
        raise ConfigError(
            f"{root}: {', '.join(sorted(blocked))}: a file where a folder should be, or the other way round",
            hint="move it away, or name another folder",
        )


def _planned(file: StarterFile, root: Path, *, git: bool) -> PlannedFile:
    without_git = replace(file, content=file.content.replace(CORE, WITHOUT_GIT, 1))
    wanted = without_git if file.path == DVC_CONFIG and not git else file
    path = root / file.path
    if not is_there(path):
        return PlannedFile(file=wanted, state=FileState.ADDED)
    present = path.read_bytes() if path.exists() else b""  # a link to nothing is somebody's, too
    if present == wanted.content:
        return PlannedFile(file=wanted, state=FileState.UNCHANGED)
    if file.path == DVC_CONFIG and present == without_git.content:
        return PlannedFile(file=wanted, state=FileState.UPDATED)
    missing = _missing_lines(wanted.content, present) if file.path == IGNORED else ()
    return PlannedFile(file=wanted, state=FileState.KEPT, missing_lines=missing)


def _missing_lines(wanted: bytes, present: bytes) -> tuple[str, ...]:
    there = {line.strip() for line in present.splitlines()}
    return tuple(
        line.decode() for line in wanted.splitlines() if not line.startswith(b"#") and line.strip() not in there
    )


def _foreign(root: Path, planned: Sequence[PlannedFile]) -> Iterator[str]:
    ours = {Path(each.file.path).parts[0] for each in planned} | OF_TOOLS
    yield from sorted(each.name for each in (root.iterdir() if root.is_dir() else ()) if each.name not in ours)
    yield from (each.file.path for each in planned if each.state is FileState.KEPT)
