"""Make the home of the version at hand: `python -m tests.homes.make FOLDER`, see README.md."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.e2e.project import Project, make_project
from tests.homes.commands import COMMANDS, MADE_BY

PLACE: Final = Path("/tmp/cv-yolo-home")
KEPT: Final = ("configs", ".dvc", ".dvcignore", "dvc.yaml", "dvc.lock", "params.yaml", "data", "reports", "backup")
REMADE: Final = ("ultralytics", "matplotlib", "tmp", "dvc/site")  # the next command makes them
SOURCES: Final = (  # ZenML's two ways to write one down
    re.compile(r'"module": ?"(?P<module>cv_yolo[.\w]*)", ?"attribute": ?"(?P<name>\w+)"'),
    re.compile(r'"attribute": ?"(?P<name>\w+)", ?"module": ?"(?P<module>cv_yolo[.\w]*)"'),
)


def main(out: Path) -> None:
    """Make the project, keep home and backup as `home.tar.xz`, and write what the commands then say."""
    out.mkdir(parents=True, exist_ok=True)
    project = make_project(PLACE)
    try:
        for arguments in MADE_BY:
            done = project.run(*arguments)
            print(done.exit_code, " ".join(arguments), done.err[-2000:] if done.exit_code else "", flush=True)
        _pack(project, out / "home.tar.xz")
        _write(out / "import_paths.json", import_paths(project.root / ".cv-yolo"))
        for kind in COMMANDS:
            _write(out / f"{kind}.json", project.run_module("tests.homes.commands", kind).json)
    finally:
        shutil.rmtree(PLACE)


def import_paths(home: Path) -> list[str]:
    """Every class and function of ours that the home names by its import path."""
    files = (path for path in home.rglob("*") if path.is_file() and path.suffix != ".pt")
    texts = (path.read_bytes().decode(errors="replace") for path in files)
    found = (match for text in texts for source in SOURCES for match in source.finditer(text))
    return sorted({f"{match['module']}.{match['name']}" for match in found})


def _pack(project: Project, archive: Path) -> None:
    home = project.root / ".cv-yolo"
    for name in REMADE:
        shutil.rmtree(home / name, ignore_errors=True)
    for training in home.glob("runs/*/*/training"):
        shutil.rmtree(training)
    names = [".cv-yolo", *(name for name in KEPT if (project.root / name).exists())]
    subprocess.run(  # with one dictionary for all of it: the same weights are in it several times
        ["tar", "--use-compress-program=xz --lzma2=preset=9e,dict=64MiB", "-cf", str(archive.resolve()), *names],
        cwd=project.root,
        check=True,
    )


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
