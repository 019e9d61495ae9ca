"""What must hold before a change is shared: `python tools/check.py`, or `make test`; all of it: `make test-all`.

`make test` needs no server: style, types, import contracts, the tests of the parts and of the whole (`tests/e2e`, which
train), and what they covered. `make test-all` adds the pages in a browser, the fast tests on every other supported
Python that is here (`interpreters`: 3.11 to 3.13, what is missing is named), and the tests with real servers
(`integration`). Each check is reported when it ends; the exit code is 1 if one fails. What pytest finds is kept for CI
in `build/tests/*.xml` too.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable, "-m")
SCRIPTS = Path(sys.executable).parent


def _pytest(name: str, *arguments: str) -> tuple[str, ...]:
    # Files go to the workers in the order of `LONG` in tests/conftest.py, not by how many tests they have.
    spread = ("--numprocesses=2", "--dist=loadfile", "--no-loadscope-reorder")
    return (*PYTHON, "pytest", *spread, "--durations=20", f"--junitxml=build/tests/{name}.xml", *arguments)


WITHOUT: Final = tuple(f"--ignore=tests/{folder}" for folder in ("browser", "integration"))
CHECKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "style": (
        (*PYTHON, "ruff", "check", "src", "tests", "tools", "benchmarks", "docker"),
        (*PYTHON, "ruff", "format", "--check", "src", "tests", "tools", "benchmarks", "docker"),
    ),
    "types": ((*PYTHON, "mypy"),),
    "contracts": ((str(SCRIPTS / "lint-imports"),),),
    "tests": (
        _pytest("tests", *WITHOUT, "--cov", "--cov-report="),
    ),
    "coverage": (
        (*PYTHON, "coverage", "report", "--fail-under=90"),
        (*PYTHON, "coverage", "report", "--fail-under=100", "--include=*/cv_yolo*/domain/*,*/cv_yolo*/workflows/*,"
         "*/cv_yolo/reports/*,*/cv_yolo/errors.py,*/cv_yolo/files.py,*/cv_yolo*/ports/*"),
    ),
    "browser": (_pytest("browser", "tests/browser"),),
    "interpreters": ((sys.executable, "tools/interpreters.py"),),
    "integration": (_pytest("integration", "tests/integration"),),
}  # fmt: skip
WITHOUT_SERVERS: Final = ("style", "types", "contracts", "tests", "coverage")


def main() -> int:
    """Run the checks; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", nargs="+", choices=list(CHECKS), default=WITHOUT_SERVERS, help="just these checks")
    which.add_argument("--all", dest="only", action="store_const", const=tuple(CHECKS), help="all checks")
    failed = [name for name in parser.parse_args().only if not _holds(name)]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall checks hold", flush=True)
    return 1 if failed else 0


def _holds(name: str) -> bool:
    started = time.monotonic()
    print(f"== {name}", flush=True)
    held = all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in CHECKS[name])
    print(f"== {name}: {'ok' if held else 'FAILED'} ({time.monotonic() - started:.0f} s)", flush=True)
    return held


if __name__ == "__main__":
    sys.exit(main())
