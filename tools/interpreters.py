"""The fast tests of the core on every other supported Python that is here: `python tools/interpreters.py`.

Looks for `python3.11` to `python3.13` on the PATH and in pyenv's versions. Each has its own environment,
`.venv-3.12` next to `.venv`, made once from the same `requirements.lock`. A missing one is named, and is no failure.
The tests of adapters and of commands take ten minutes more for each; CI runs them too (`make unit`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from setup_environment import ROOT, SUPPORTED, python_in

PROBE = "import ensurepip, sqlite3, ssl, sys, venv; print(sys.implementation.name, *sys.version_info[:2])"
ROOM_BYTES = 10e9  # an environment takes 7 GB, less where uv can link what it has
CORE = (
    *(f"tests/unit/{part}" for part in ("domain", "workflows", "reports", "pipelines")),
    *(
        f"tests/unit/stack/{part}"
        for part in ("domain", "workflows", "configuration", "servers", "supervision", "backup")
    ),
    *("tests/golden", "-m", "not slow"),
)


def main() -> int:
    """Test on each interpreter; returns the exit code."""
    (major, first), (_, last) = SUPPORTED
    others = [f"{major}.{minor}" for minor in range(first, last + 1) if (major, minor) != sys.version_info[:2]]
    outcomes = {version: _tested(version) for version in others}
    print(f"Python {major}.{sys.version_info.minor}: the one that runs this", flush=True)
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}", flush=True)
    return 1 if any(outcome.startswith("FAILED") for outcome in outcomes.values()) else 0


def _tested(version: str) -> str:
    """How the fast tests went on that version."""
    python = find(version)
    if python is None:
        return "not tried: none that works is on the PATH or in pyenv's versions"
    environment = ROOT / f".venv-{version}"
    free = shutil.disk_usage(ROOT).free
    if free < ROOM_BYTES and not python_in(environment).is_file():
        return f"not tried: {free / 1e9:.1f} GB are free, and an environment takes up to 7 GB"
    print(f"Python {version}: {python}, in {environment.name}", flush=True)
    if subprocess.run((python, "tools/setup_environment.py", environment.name), cwd=ROOT, check=False).returncode:
        return f"FAILED: {environment.name} could not be made"
    options = ("-q", "--numprocesses=2", "--dist=loadfile", f"--junitxml=build/tests/python{version}.xml")
    command = (str(python_in(environment)), "-m", "pytest", *options, *CORE)
    return "FAILED" if subprocess.run(command, cwd=ROOT, check=False).returncode else "passed"


def find(version: str) -> Path | None:
    """A CPython of that version that can make an environment: the first on the PATH, or pyenv's newest."""
    return next((python for python in _candidates(version) if _works(python, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), key=_patch, reverse=True)


def _patch(python: Path) -> int:
    patch = python.parent.parent.name.rpartition(".")[2]
    return int(patch) if patch.isdigit() else -1  # 3.13.0rc1 comes last


def _works(python: Path, version: str) -> bool:
    """Whether it runs that version: pyenv's shim of an inactive version does not."""
    try:
        done = subprocess.run((python, "-c", PROBE), capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.split() == ["cpython", *version.split(".")]


if __name__ == "__main__":
    sys.exit(main())
