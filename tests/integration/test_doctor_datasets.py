"""Trying DVC in a project: its remote, and whether what is recorded lies there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.domain.stack import DATASETS_BUCKET, ObjectStoreAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.dvc import DvcProbe
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.workflows.doctor.examine import examine
from cv_yolo_stack.workflows.doctor.local import datasets_checkup
from tests.dvc_recipe import RECIPE
from tests.stores import program, store_in


def dvc(root: Path, *arguments: str) -> None:
    environment = os.environ | Settings(root=root).isolation()
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with an added data set, one that a recipe makes, and a remote folder that has neither."""
    root = tmp_path_factory.mktemp("dvc") / "project"
    (root / "data" / "added").mkdir(parents=True)
    (root / "data" / "added" / "a.txt").write_text("a", encoding="utf-8")
    (root / "dvc.yaml").write_text(RECIPE, encoding="utf-8")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    dvc(root, "init", "-q")
    dvc(root, "remote", "add", "-d", "folder", "../remote")
    dvc(root, "add", "-q", "data/added")
    dvc(root, "repro", "-q")
    return root


@pytest.fixture
def root(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "project"))


def probe_of(root: Path, *, timeout_s: float = 60, connected: bool = False) -> DvcProbe:
    environment = os.environ | Settings(root=root).isolation()
    return DvcProbe(root=root, environment=environment, timeout_s=timeout_s, connected=connected)


def findings(root: Path, *, connected: bool = False) -> dict[str, CheckResult]:
    checkup = datasets_checkup(probe_of(root, connected=connected), connected=connected)
    return {each.name: each for each in examine([checkup], deadline_s=120)}


def test_data_that_were_never_pushed_are_missing_without_a_recipe(root: Path) -> None:
    found = findings(root)
    assert found["version"].found.startswith("3.")
    assert found["remote"].found.startswith("folder, ")
    assert found["remote answers"].passed, "a remote is empty before the first push"
    assert (found["data sets"].passed, found["data sets"].found) == (False, "incomplete: data/added")


def test_pushed_data_are_complete_also_for_an_empty_clone(root: Path) -> None:
    dvc(root, "push", "-q", "data/added.dvc")
    found = findings(root)["data sets"]
    assert (found.passed, found.found) == (None, "not there yet, and a recipe makes them: data/made")
    dvc(root, "push", "-q")
    assert findings(root)["data sets"].passed
    shutil.rmtree(root / ".dvc" / "cache")
    assert findings(root)["data sets"].passed


def test_data_that_are_neither_here_nor_on_the_remote_are_missing(root: Path) -> None:
    shutil.rmtree(root / ".dvc" / "cache")
    assert probe_of(root).absent() == {"data/made": True, "data/added": False}


def test_a_project_without_remote_or_with_a_broken_configuration(root: Path) -> None:
    dvc(root, "remote", "remove", "folder")
    assert findings(root)["remote"].passed is False
    (root / ".dvc" / "config").write_text("[core", encoding="utf-8")
    found = findings(root)
    assert found["version"].passed is False
    assert "configuration" in found["version"].found
    with pytest.raises(ServiceUnavailableError, match="DVC's configuration: "):
        probe_of(root).remote()


def test_a_folder_without_dvc_is_reported(tmp_path: Path) -> None:
    assert findings(tmp_path)["project"].passed is None


def test_a_hanging_command_is_terminated(root: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"`dvc version` did not finish within 0\.01 s"):
        probe_of(root, timeout_s=0.01).version()


def test_an_unreadable_dvc_file_is_reported(root: Path) -> None:
    (root / "data" / "added.dvc").write_text("outs: [", encoding="utf-8")
    assert findings(root)["data sets"].passed is False


@pytest.mark.skipif(program("rclone") is None, reason="no rclone")
def test_a_remote_on_an_object_store_answers_or_says_why_not(root: Path, tmp_path: Path) -> None:
    with store_in(tmp_path / "store", "rclone") as address:
        assert findings(root, connected=True)["remote"].passed is None, "it was not used yet"
        use(root, address)
        found = findings(root, connected=True)
        assert found["remote"].found == f"minio, s3://{DATASETS_BUCKET}/store"
        assert found["remote answers"].passed
        dvc(root, "push", "-q", "--remote", "minio")
        assert findings(root, connected=True)["data sets"].passed
        use(root, ObjectStoreAddress(endpoint_url=address.endpoint_url, access_key="unknown", secret_key="wrong"))
        found = findings(root, connected=True)
        assert "Forbidden" in found["remote answers"].found
        assert "cv-yolo doctor store" in str(found["remote answers"].remedy)
        assert found["data sets"].passed is None


def use(root: Path, address: ObjectStoreAddress) -> None:
    DvcStore(root=root, environment=os.environ | Settings(root=root).isolation()).set_remote(address, DATASETS_BUCKET)
