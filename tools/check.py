"""Everything that must hold before a change is shared: `python tools/check.py`, or `make test`.

Runs style, types, import contracts, the tests of the parts, asks what they covered, runs the fast ones on every other
supported Python that is here (`interpreters`: 3.11 to 3.13, what is missing is named), then those of the whole (`e2e`)
and those with real servers (`integration`); tells each as it ends, and fails if one does. What pytest finds is kept
for CI in `build/tests/*.xml` too.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable, "-m")
SCRIPTS = Path(sys.executable).parent


def _pytest(name: str, *arguments: str) -> tuple[str, ...]:
    options = ("--numprocesses=2", "--dist=loadfile", "--durations=10", f"--junitxml=build/tests/{name}.xml")
    return (*PYTHON, "pytest", *options, *arguments)


CHECKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "style": (
        (*PYTHON, "ruff", "check", "src", "tests", "tools", "benchmarks", "docker"),
        (*PYTHON, "ruff", "format", "--check", "src", "tests", "tools", "benchmarks", "docker"),
    ),
    "types": ((*PYTHON, "mypy"),),
    "contracts": ((str(SCRIPTS / "lint-imports"),),),
    "tests": (
        _pytest("tests", "--ignore=tests/e2e", "--ignore=tests/integration", "--cov", "--cov-report="),
    ),
    "coverage": (
        (*PYTHON, "coverage", "report", "--fail-under=90"),
        (*PYTHON, "coverage", "report", "--fail-under=100", "--include=*/cv_yolo*/domain/*,*/cv_yolo*/workflows/*,"
         "*/cv_yolo/reports/*,*/cv_yolo/errors.py,*/cv_yolo/files.py,*/cv_yolo*/ports/*"),
    ),
    "interpreters": ((sys.executable, "tools/interpreters.py"),),
    "e2e": (_pytest("e2e", "tests/e2e"),),
    "integration": (_pytest("integration", "tests/integration"),),
}  # fmt: skip


def main() -> int:
    """Run the checks; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS), help="just these checks")
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
