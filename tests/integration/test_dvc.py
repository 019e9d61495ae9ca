"""DVC's troubles: no project, a recipe that fails, a remote that is gone, and what was made is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.errors import DatasetError
from cv_yolo.settings import Settings

RECIPE = """
stages:
  make_it:
    cmd: >-
      python -c "from pathlib import Path; p = Path('data/made'); p.mkdir(parents=True);
      (p / 'data.yaml').write_text('names: [person]')"
    outs:
      - data/made:
          persist: true
  fail_it:
    cmd: python -c "raise SystemExit(7)"
    outs:
      - data/failed
"""


def environment_of(root: Path) -> dict[str, str]:
    return os.environ | Settings(root=root).isolation()


def store_of(root: Path) -> DvcStore:
    return DvcStore(root=root, environment=environment_of(root))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dvc") / "project"
    root.mkdir()
    dvc = (sys.executable, "-m", "dvc")
    for command in (("git", "init", "-q"), (*dvc, "init", "-q"), (*dvc, "remote", "add", "-d", "local", "../remote")):
        subprocess.run(command, cwd=root, env=environment_of(root), check=True, capture_output=True)
    (root / "dvc.yaml").write_text(RECIPE, encoding="utf-8")
    return root


@pytest.fixture
def project_root(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "project"))


def test_without_a_dvc_project_nothing_is_recorded_pulled_or_made(tmp_path: Path) -> None:
    data = tmp_path / "data" / "mine"
    data.mkdir(parents=True)
    (data / "data.yaml").write_text("names: [person]\n", encoding="utf-8")
    store = store_of(tmp_path)
    assert store.recorded_hash(data) is None
    assert not store.pull(data)
    assert not store.make(data)
    content = store.content_hash(data)
    assert content is not None
    assert content.endswith(".dir")


def test_the_hash_needs_no_project_and_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "mine"
    data.mkdir()
    (data / "a.txt").write_text("a", encoding="utf-8")
    first = store_of(tmp_path).content_hash(data)
    assert store_of(tmp_path).content_hash(data) == first
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "a.txt"]


def test_a_generated_data_set_is_pushed_and_restored_without_cache(project_root: Path) -> None:
    store, data = store_of(project_root), project_root / "data" / "made"
    assert store.make(data)
    recorded = store.recorded_hash(data)
    shutil.rmtree(data)
    shutil.rmtree(project_root / ".dvc" / "cache")
    assert store.pull(data)
    assert store.content_hash(data) == recorded


def test_a_recipe_that_fails_is_an_error_that_names_the_stage(project_root: Path) -> None:
    with pytest.raises(DatasetError, match="'fail_it'") as caught:
        store_of(project_root).make(project_root / "data" / "failed")
    assert caught.value.hint is not None
    assert "dvc repro fail_it" in caught.value.hint


def test_data_that_was_made_but_cannot_be_kept_is_an_error(project_root: Path) -> None:
    (project_root.parent / "remote").write_text("a file where the remote's folder should be", encoding="utf-8")
    with pytest.raises(DatasetError, match="created, but not pushed") as caught:
        store_of(project_root).make(project_root / "data" / "made")
    assert caught.value.hint is not None
    assert "dvc push" in caught.value.hint


def test_a_recorded_revision_that_no_longer_exists_is_not_pulled(project_root: Path) -> None:
    store, data = store_of(project_root), project_root / "data" / "made"
    assert store.make(data)
    for lost in (data, project_root / ".dvc" / "cache", project_root.parent / "remote"):
        shutil.rmtree(lost)
    assert not store.pull(data)


def test_dvc_keeps_its_own_state_under_our_home(project_root: Path) -> None:
    assert store_of(project_root).make(project_root / "data" / "made")
    assert (project_root / ".cv-yolo" / "dvc").is_dir()


@pytest.mark.parametrize("content", [b"<<<<<<< HEAD\nstages: {}\n=======\n", b"stages: [", b"\xff\xfe", b"- a list"])
@pytest.mark.parametrize("name", ["dvc.lock", "dvc.yaml"])
def test_a_damaged_file_of_dvc_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    store, data = store_of(tmp_path), tmp_path / "data" / "mine"
    with pytest.raises(DatasetError) as caught:
        store.recorded_hash(data) if name == "dvc.lock" else store.make(data)
    assert caught.value.message.startswith(f"{tmp_path / name}: ")


def test_any_other_failure_of_the_remote_shows_dvcs_message(project_root: Path) -> None:
    store, data = store_of(project_root), project_root / "data" / "made"
    assert store.make(data)
    for lost in (data, project_root / ".dvc" / "cache", project_root.parent / "remote"):
        shutil.rmtree(lost)
    (project_root.parent / "remote").write_text("a file where the remote's folder should be", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"cannot be pulled: .*Not a directory"):
        store.pull(data)


def test_a_project_without_any_remote_has_nothing_to_pull(project_root: Path) -> None:
    store, data = store_of(project_root), project_root / "data" / "made"
    assert store.make(data)
    (project_root / ".dvc" / "config").write_text("", encoding="utf-8")
    for lost in (data, project_root / ".dvc" / "cache"):
        shutil.rmtree(lost)
    assert not store.pull(data)


HOSTILE = """
stages:
  trap:
    cmd: touch {trap}
    outs:
      - {out}
"""
NEEDY = """
stages:
  make_it:
    cmd: mkdir -p data/made && cp data/given/a.txt data/made/data.yaml
    deps:
      - data/given
    outs:
      - data/made
"""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """What a stage of another project would leave if it ran."""
    return tmp_path / "another-projects-stage-ran"


def test_only_the_stage_of_the_projects_own_that_makes_the_folder_is_run(project_root: Path, trap: Path) -> None:
    (project_root / "dvc.yaml").write_text(NEEDY, encoding="utf-8")
    given = project_root / "data" / "given"
    given.mkdir(parents=True)
    (given / "a.txt").write_text("names: [person]", encoding="utf-8")
    (given / "dvc.yaml").write_text(HOSTILE.format(trap=trap, out="a.txt"), encoding="utf-8")
    store = store_of(project_root)
    assert store.make(project_root / "data" / "made")
    assert (project_root / "data" / "made" / "data.yaml").is_file()
    assert not trap.exists(), "the data that the stage reads bring a stage of their own"
    assert store.recipe(given / "a.txt") is None


@pytest.mark.parametrize("mark", [".dvc", ".git"])
def test_a_nested_project_is_neither_pulled_nor_generated(project_root: Path, trap: Path, mark: str) -> None:
    foreign = project_root / "data" / "foreign"
    (foreign / mark).mkdir(parents=True)
    (foreign / "dvc.yaml").write_text(HOSTILE.format(trap=trap, out="inner"), encoding="utf-8")
    (foreign / "inner.dvc").write_text(f"outs:\n- md5: {'0' * 32}.dir\n  path: inner\n", encoding="utf-8")
    own = (project_root / "dvc.yaml").read_text(encoding="utf-8")
    (project_root / "dvc.yaml").write_text(own + "      - data/foreign/inner\n", encoding="utf-8")
    store = store_of(project_root)
    assert store.recorded_hash(foreign / "inner") is not None
    assert not store.pull(foreign / "inner")
    assert not store.make(foreign / "inner")
    assert not trap.exists()
    with pytest.raises(DatasetError, match="not a data set of this project"):
        store.push(foreign / "inner")


def test_data_outside_the_project_are_read_and_nothing_there_is_run_or_written(
    project_root: Path, trap: Path, tmp_path: Path
) -> None:
    foreign = tmp_path / "another" / "data"
    shutil.copytree(project_root / ".dvc", foreign / ".dvc")
    (foreign / ".dvc" / "config").write_text(
        f"[core]\n    site_cache_dir = {foreign}\n    remote = trap\n['remote \"trap\"']\n    url = {foreign}/trap\n"
    )
    (foreign / "data.yaml").write_text("names: [person]\n", encoding="utf-8")
    (foreign / "dvc.yaml").write_text(HOSTILE.format(trap=trap, out="."), encoding="utf-8")
    (foreign.parent / "dvc.yaml").write_text(HOSTILE.format(trap=trap, out="data"), encoding="utf-8")
    (foreign.parent / "data.dvc").write_text(f"outs:\n- md5: {'0' * 32}.dir\n  path: data\n", encoding="utf-8")
    own = (project_root / "dvc.yaml").read_text(encoding="utf-8")
    (project_root / "dvc.yaml").write_text(own + "      - ../another/data\n", encoding="utf-8")
    before = {path: path.stat().st_mtime_ns for path in foreign.parent.rglob("*")}
    store = store_of(project_root)
    assert store.content_hash(foreign) is not None
    assert store.recorded_hash(foreign) is not None
    assert not store.pull(foreign)
    assert not store.make(foreign)
    assert {path: path.stat().st_mtime_ns for path in foreign.parent.rglob("*")} == before
    assert not trap.exists()


def test_a_stage_that_works_in_another_folder_makes_what_lies_there(project_root: Path) -> None:
    (project_root / "dvc.yaml").write_text(
        "stages:\n  inner:\n    cmd: 'true'\n    wdir: data\n    outs:\n      - ./made\n", encoding="utf-8"
    )
    store = store_of(project_root)
    assert store.recipe(project_root / "data" / "made") == "inner"
    assert store.recipe(project_root / "made") is None


def test_a_dvc_stage_gets_no_key(project_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CV_YOLO_SERVER_API_KEY", "hidden-word")
    (project_root / "dvc.yaml").write_text(
        "stages:\n  spy:\n    cmd: mkdir data && env > data/spied\n    outs:\n      - data/spied\n", encoding="utf-8"
    )
    assert Container(Settings(root=project_root)).datasets.dvc.make(project_root / "data" / "spied")
    assert "hidden-word" not in (project_root / "data" / "spied").read_text(encoding="utf-8")


def test_the_commands_push_and_pull_say_what_they_did(
    project_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project_root)
    monkeypatch.setenv("CV_YOLO_ROOT", str(project_root))
    data = Path("data/made")
    assert run(["data", "push", str(data)]) == 2
    assert "DVC has recorded no revision of it" in capsys.readouterr().err
    assert store_of(project_root).make(project_root / data)
    assert run(["data", "push", str(data)]) == 0
    assert capsys.readouterr().out.startswith("data/made: nothing to do: this content is recorded, and on the remote")
    shutil.rmtree(data)
    assert run(["data", "pull", str(data)]) == 0
    assert capsys.readouterr().out.startswith("data/made: the recorded revision is here (1 file, 15 B).\n")
    assert (data / "data.yaml").is_file()
