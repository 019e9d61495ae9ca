"""Make a release: `python tools/release.py 0.2.0` (see CONTRIBUTING.md, "Releases and deprecations").

Renames the `Unreleased` section of `CHANGELOG.md` to the version with today's date, sets `cv_yolo.__version__` and the
tag of the image that `compose.yaml` builds, commits all, and makes the annotated tag `v0.2.0`, whose message is the
section. Nothing is pushed.
"""

import argparse
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG: Final = "CHANGELOG.md"
VERSION_FILE: Final = "src/cv_yolo/__init__.py"
COMPOSE_FILE: Final = "compose.yaml"
BEFORE_VERSION: Final = {VERSION_FILE: '__version__ = "', COMPOSE_FILE: "image: cv-yolo/setup:"}
UNRELEASED: Final = "## Unreleased\n"
VERSION: Final = re.compile(r"\d+\.\d+\.\d+")


class ReleaseError(Exception):
    """Why no release was made."""


def release(version: str, root: Path, *, date: str) -> str:
    """Make the release in the repository at `root`; returns the name of its tag. Raises `ReleaseError`."""
    if not VERSION.fullmatch(version):
        raise ReleaseError(f"{version}: not a version; write it as 0.2.0")
    if _git(root, "status", "--porcelain"):
        raise ReleaseError("there are uncommitted changes; commit them first")
    tag = f"v{version}"
    if _git(root, "tag", "--list", tag):
        raise ReleaseError(f"{tag} exists already")
    text, notes = released((root / CHANGELOG).read_text(encoding="utf-8"), version, date)
    changed = {CHANGELOG: text} | {name: _with_version(root, name, version) for name in BEFORE_VERSION}
    for name, content in changed.items():
        (root / name).write_text(content, encoding="utf-8")
    _git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
    _git(root, "tag", "--annotate", tag, "--cleanup=verbatim", "--message", f"{tag}\n\n{notes}")
    return tag


def released(changelog: str, version: str, date: str) -> tuple[str, str]:
    """The changelog with a section for the version, and that section; `Unreleased` is empty. Raises `ReleaseError`."""
    before, found, rest = changelog.partition(UNRELEASED)
    end = rest.find("\n## ")
    notes, earlier = (rest, "") if end < 0 else (rest[: end + 1], rest[end + 1 :])
    if not found or not notes.strip():
        raise ReleaseError(f"{CHANGELOG}: nothing is listed under Unreleased")
    text = f"{before}{UNRELEASED}\n## {version} ({date})\n\n{notes.strip()}\n"
    return (f"{text}\n{earlier}" if earlier else text), notes.strip()


def _with_version(root: Path, name: str, version: str) -> str:
    """The content of a file that names the version once, with another version."""
    before = BEFORE_VERSION[name]
    content = (root / name).read_text(encoding="utf-8")
    if content.count(before) != 1:
        raise ReleaseError(f"{name}: {content.count(before)} versions found, not one")
    return re.sub(rf"{re.escape(before)}[\d.]+", before + version, content)


def _git(root: Path, *arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"git {arguments[0]}: {error.stderr.strip()}") from error


def main(arguments: list[str]) -> int:
    """Make the release that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("version", help="the new version, for example 0.2.0")
    try:
        tag = release(parser.parse_args(arguments).version, ROOT, date=f"{datetime.now(UTC):%Y-%m-%d}")
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{tag} is tagged; publish it with `git push --follow-tags`")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
