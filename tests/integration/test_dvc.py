"""DVC's troubles: no project, a recipe that fails, a remote that is gone, and what was made is kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc_store import DvcStore
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


def test_a_data_set_that_was_made_is_in_the_remote_and_comes_back_without_cache(project_root: Path) -> None:
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
    with pytest.raises(DatasetError, match="made, but not kept") as caught:
        store_of(project_root).make(project_root / "data" / "made")
    assert caught.value.hint is not None
    assert "dvc push" in caught.value.hint


def test_a_recorded_revision_that_nobody_has_any_more_is_not_pulled(project_root: Path) -> None:
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
