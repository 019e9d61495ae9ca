"""From the built wheel in an environment of its own to a model in use, without this repository; small.

The environment has the wheel and, by reference, the libraries of the one that runs the tests.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from cv_yolo.adapters.files.starter import in_package, shared_paths
from tests.e2e.project import REPOSITORY, SMALL, Project, noise_in

pytestmark = pytest.mark.slow
SOURCES = ("src", "setup.py", "pyproject.toml", "README.md", "LICENSE", *shared_paths())
GRID = ("grid", "--config", "configs/demo.yaml", "--epochs", "1", *SMALL)
LARGEST_BYTES = 8_000_000


def uv(*arguments: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--quiet", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,  # asserted by the next line
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and the wheel that was built from it."""
    place = tmp_path_factory.mktemp("build")
    for name in SOURCES:
        source, target = REPOSITORY / name, place / "sources" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target)
    uv("build", "--no-build-isolation", "--offline", "--python", sys.executable, "--out-dir", "../dist",
       cwd=place / "sources")  # fmt: skip
    return place / "dist"


@pytest.fixture(scope="module")
def project(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An empty folder, and the wheel's Python."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place / "venv")
    python = place / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    (wheel,) = built.glob("*.whl")
    uv("pip", "install", "--offline", "--no-deps", "--python", str(python), str(wheel), cwd=place)
    paths = json.loads(
        subprocess.check_output([python, "-c", "import json, sysconfig as s; print(json.dumps(s.get_paths()))"])
    )
    (Path(paths["purelib"]) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    root = place / "a project für mich"
    root.mkdir()
    return Project(root=root, python=str(python), path=None)


def test_the_source_distribution_and_the_wheel_have_what_a_project_needs(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"cv_yolo/starter/shared/{in_package(path)}" for path in shared_paths()} <= in_wheel
    assert {"setup.py", "pyproject.toml", "LICENSE", *shared_paths()} <= in_sdist
    assert not [name for name in in_wheel | in_sdist if name.startswith(("tests/", "data/", "cv_yolo_tests"))]
    assert wheel.stat().st_size < LARGEST_BYTES


def test_the_demo_runs_from_the_wheel_in_an_empty_folder(project: Project) -> None:
    where = project._to_the_end(
        project.python, "-c", "import cv_yolo, cv_yolo_stack; print(cv_yolo.__file__, cv_yolo_stack.__file__)"
    )
    assert where.out.count(str(Path(project.python).parents[1])) == 2, where
    assert str(REPOSITORY / "src") not in where.out
    begun = project.run("init", ".")
    assert begun.exit_code == 0, begun.err
    assert "without git" in begun.out
    done = project.run(*GRID, "--json")
    assert done.exit_code == 0, done.err
    assert noise_in(done.err) == []
    assert (done.json["verdict"], done.json["provisional"]) == ("promote", True)
    assert "making it (stage draw_demo of dvc.yaml)" in done.err
    assert project.run("init", ".").out == ".: unchanged\n"


def test_the_model_is_handed_over(project: Project) -> None:
    done = project.run("get", "staging", "--out", "model")
    assert done.exit_code == 0, done.err
    card = json.loads((project.root / "model" / "model.json").read_text("utf-8"))
    assert (card["model"], card["version"], card["stage"]["name"]) == ("cv_yolo_tiny", "1", "staging")
    assert (card["classes"], card["image_size_px"], card["data"]["name"]) == (["person"], 64, "demo")
    assert card["decision"]["verdict"] == "promote"


def test_nothing_was_written_outside_the_project(project: Project) -> None:
    assert {each.name for each in project.root.parent.iterdir()} == {"venv", project.root.name}
