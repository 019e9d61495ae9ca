"""What git knows of the records of data sets: commits, and files as they were in them. Nothing is changed."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cv_yolo.errors import DatasetError

TIMEOUT_S: Final = 120.0
FIELD: Final = "\x1f"
FORMAT: Final = FIELD.join(("%H", "%P", "%aI", "%an", "%s"))
NO_REPOSITORY: Final = "not a git repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit; `parent` is the first one, None for the first commit of all or where a shallow clone ends."""

    name: str
    parent: str | None
    at: datetime
    author: str
    subject: str


class GitRepository:
    """The repository that a project belongs to, if any; paths are relative to the project."""

    def __init__(self, project: Path) -> None:
        self._project = project

    def problem(self) -> str | None:
        """Why no history can be read; None where one can."""
        try:
            found = self._run("rev-parse", "--is-inside-work-tree")
        except DatasetError as error:
            return error.message
        if found.returncode != 0:
            said = _said(found)
            if NO_REPOSITORY in said:
                return f"{self._project} is not in a git repository: what was recorded before is not known (`git init`)"
            return f"git cannot read {self._project}: {said}"
        if self._run("rev-parse", "--verify", "--quiet", "HEAD^{commit}").returncode != 0:
            return "git has no commits yet: `git commit` the .dvc file, so that its revisions are kept"
        return None

    def is_shallow(self) -> bool:
        """Whether older commits were not cloned."""
        return self._text("rev-parse", "--is-shallow-repository").strip() == "true"

    def commit(self, name: str) -> Commit | None:
        """The commit of a name (a hash, a branch, a tag, `HEAD~1`); None where there is none."""
        found = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if name.startswith("-") or found.returncode != 0:
            return None
        return next(self._commits("log", "-1", found.stdout.decode().strip()))

    def commits(self, paths: Sequence[str], *, everywhere: bool) -> tuple[Commit, ...]:
        """The commits that changed one of these files, newest first: of this branch, or of all branches and tags."""
        scope = ("--all",) if everywhere else ("HEAD",)
        return tuple(self._commits("log", "--topo-order", *scope, after=("--", *paths)))

    def files(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """All files whose names match, in any commit of any branch, as paths in the project."""
        prefix = self._prefix()
        listed = self._text("log", "--all", "--format=", "--name-only", "-z", "--", *patterns)
        names = {name.strip("\n") for name in listed.split("\0")} - {""}
        return tuple(sorted(name.removeprefix(prefix) for name in names if name.startswith(prefix)))

    def contents(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
        """The files (commit, path); those that a commit does not have are absent."""
        wanted, prefix = [place for place in places if "\n" not in place[1]], self._prefix()
        lines = "".join(f"{commit}:{prefix}{path}\n" for commit, path in wanted)
        out = self._run("cat-file", "--batch", given=lines.encode()).stdout
        found = {}
        start = 0
        for place in wanted:
            end = out.index(b"\n", start)
            words = out[start:end].split(b" ")
            start = end + 1
            if words[-1] in {b"missing", b"ambiguous"}:
                continue
            size = int(words[-1])
            if words[-2] == b"blob":
                found[place] = out[start : start + size]
            start += size + 1
        return found

    def _commits(self, *command: str, after: Sequence[str] = ()) -> Iterator[Commit]:
        for line in self._text(*command, "-z", f"--format={FORMAT}", *after).split("\0"):
            if line:
                name, parents, at, author, subject = line.split(FIELD, 4)
                yield Commit(
                    name=name,
                    parent=parents.partition(" ")[0] or None,
                    at=datetime.fromisoformat(at),
                    author=author,
                    subject=subject,
                )

    def _prefix(self) -> str:
        """The project's folder in the repository, with a slash at its end; empty for the repository itself."""
        return self._text("rev-parse", "--show-prefix").strip("\n")

    def _text(self, *arguments: str) -> str:
        done = self._run(*arguments)
        if done.returncode != 0:
            raise DatasetError(f"git {arguments[0]} failed: {_said(done)}", hint="does `git fsck` find something?")
        return done.stdout.decode(errors="replace")

    def _run(self, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run git to its end, without its pager, prompts or hooks; every caller reads the exit code."""
        command = ["git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", *arguments]
        environment = os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
        try:
            return subprocess.run(  # noqa: PLW1510 - the callers read the exit code
                command, cwd=self._project, env=environment, input=given, capture_output=True, timeout=TIMEOUT_S
            )
        except FileNotFoundError as error:
            raise DatasetError("git is not installed: what was recorded before is not known") from error
        except subprocess.TimeoutExpired as error:
            raise DatasetError(f"`git {arguments[0]}` did not end within {TIMEOUT_S:.0f} s") from error


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    text = " ".join(done.stderr.decode(errors="replace").split())
    return text.removeprefix("fatal: ") or f"exit code {done.returncode}"
