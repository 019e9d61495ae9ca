"""DVC behind the port `DatasetProbe`: its command line, and its configuration."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from cv_yolo.errors import ServiceUnavailableError

NOT_YET: Final = "does not exist"  # the remote's folder, before the first push
ABSENT: Final = {"new", "missing"}
LOST: Final = re.compile(r"md5: ([0-9a-f]{32}(?:\.dir)?)")


class DvcProbe:
    """Tries DVC in the project at `root`; a command that hangs is killed after `timeout_s`.

    With a server, `connected`, the remote is the one that the home says, else the project's own.
    """

    def __init__(
        self, *, root: Path, environment: Mapping[str, str], timeout_s: float, connected: bool = False
    ) -> None:
        self._root, self._environment, self._timeout_s = root, dict(environment), timeout_s
        self._connected = connected

    def is_project(self) -> bool:
        """Whether the folder keeps data revisions."""
        return (self._root / ".dvc").is_dir()

    def version(self) -> str:
        """The version that `dvc version` prints first."""
        output = self._done("version").stdout
        return output.partition("\n")[0].removeprefix("DVC version: ")

    def remote(self) -> tuple[str, str] | None:
        """The remote that runs here use, its name and address."""
        from dvc.config import Config, ConfigError

        try:
            if self._connected:
                home = Path(self._environment["DVC_GLOBAL_CONFIG_DIR"], Config.CONFIG)
                config = Config.load_file(str(home)) if home.is_file() else {}
            else:
                config = Config(str(self._root / ".dvc"))
        except ConfigError as error:
            raise ServiceUnavailableError(f"DVC's configuration: {' '.join(str(error).split())}") from error
        name = config.get("core", {}).get("remote")
        known = config.get("remote", {}).get(name)
        return None if known is None else (str(name), str(known["url"]))

    def list_remote(self) -> None:
        """List what is at the top of the remote."""
        remote = self.remote()
        listed = self._dvc("list-url", f"remote://{remote[0] if remote else ''}/")
        if listed.returncode != 0 and NOT_YET not in listed.stderr:
            raise _failed(listed)

    def absent(self) -> Mapping[str, bool]:
        """The recorded data sets that are not complete on the remote, and whether a stage makes them."""
        remote = self.remote()
        status = self._done("status", "--cloud", "--json", *(("--remote", remote[0]) if remote else ()))
        try:
            states = json.loads(status.stdout)
        except ValueError as error:
            raise ServiceUnavailableError(
                f"`dvc status --cloud --json` printed no JSON: {status.stdout[:120]}"
            ) from error
        lost = set(LOST.findall(status.stderr))  # a folder without its list of files is only a warning
        here = [path for path, state in states.items() if state in ABSENT]
        return {
            path: recipe
            for path, md5, recipe in self._recorded()
            if md5 in lost or any(each == path or each.startswith(f"{path}/") for each in here)
        }

    def _recorded(self) -> Iterator[tuple[str, str, bool]]:
        for stage in _read(self._root / "dvc.lock").get("stages", {}).values():
            yield from ((each["path"], each.get("md5", ""), True) for each in stage.get("outs", ()))
        for pointer in _pointers(self._root):
            folder = pointer.parent.relative_to(self._root)
            for each in _read(pointer).get("outs", ()):
                yield (folder / each["path"]).as_posix(), each.get("md5", ""), False

    def _done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        finished = self._dvc(*arguments)
        if finished.returncode != 0:
            raise _failed(finished)
        return finished

    def _dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), self._environment.get("PATH", "")])
        try:
            return subprocess.run(
                [sys.executable, "-m", "dvc", *arguments],
                cwd=self._root,
                env=self._environment | {"PATH": path},
                capture_output=True,
                text=True,
                timeout=self._timeout_s,
                check=False,  # `_done` raises for it; an empty remote, which DVC calls missing, is not a failure
            )
        except subprocess.TimeoutExpired as error:
            raise ServiceUnavailableError(
                f"`dvc {arguments[0]}` did not finish within {self._timeout_s:g} s"
            ) from error


def _pointers(root: Path) -> Iterator[Path]:
    """The `.dvc` files of a project; hidden folders hold environments and caches."""
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if name.endswith(".dvc"))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ServiceUnavailableError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    return content if isinstance(content, dict) else {}


def _failed(finished: subprocess.CompletedProcess[str]) -> ServiceUnavailableError:
    lines = [line.removeprefix("ERROR: ") for line in finished.stderr.splitlines() if line.startswith("ERROR: ")]
    reason = lines[0].removeprefix("unexpected error - ") if lines else f"exit code {finished.returncode}"
    return ServiceUnavailableError(f"`dvc {finished.args[3]}`: {reason}")
