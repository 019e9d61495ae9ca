"""Make the project's virtual environment: `python tools/setup_environment.py`; done already, it ends at once.

Needs nothing but Python 3.11 to 3.13 and the package index. Installs exactly `requirements.lock` into `.venv`, or into
another folder of the project that is named, and the project itself in development mode. Works the same on Linux, macOS
and Windows.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = "uv==0.13.9"  # installs in parallel what pip installs one by one
SUPPORTED = ((3, 11), (3, 13))


def main() -> int:
    """Update the environment; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", nargs="?", default=".venv", help="its name in the project's folder")
    environment = ROOT / parser.parse_args().folder
    wanted, done = _fingerprint(), environment / ".installed"
    if done.is_file() and done.read_text(encoding="utf-8") == wanted:
        return 0
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        sys.exit(f"error: Python {sys.version.split()[0]}: this project needs 3.11, 3.12 or 3.13")
    done.unlink(missing_ok=True)
    print(f"Installing into {environment.name} (once; a few minutes on a slow connection) …", flush=True)
    if not python_in(environment).is_file():
        venv.create(environment, with_pip=True)
    try:
        _call(environment, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV)
        _call(environment, "-m", "uv", "pip", "install", "--quiet", "--compile-bytecode", "-r", "requirements.lock")
        _call(environment, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--editable", ".")
    except subprocess.CalledProcessError as error:
        print(f"error: {' '.join(error.cmd[1:])} failed: is the package index reachable?", file=sys.stderr)
        return 1
    done.write_text(wanted, encoding="utf-8")
    print("Installed.", flush=True)
    return 0


def _fingerprint() -> str:
    """What the environment is made from: if it changes, the environment is recreated."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("requirements.lock", "pyproject.toml", "tools/setup_environment.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def python_in(environment: Path) -> Path:
    """The environment's interpreter."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _call(environment: Path, *arguments: str) -> None:
    variables = dict(os.environ) | {"VIRTUAL_ENV": str(environment)}
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([str(python_in(environment)), *arguments], cwd=ROOT, env=variables, check=True)


if __name__ == "__main__":
    sys.exit(main())
