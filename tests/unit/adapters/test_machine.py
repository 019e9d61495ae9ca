"""Where a result comes from: the versions of code and libraries, the commit, the machine, and the mark of a process."""

import getpass
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cv_yolo.adapters.machine import (
    _versions,
    actor,
    code_version,
    driver_is_gone,
    driver_mark,
    evaluator_version,
    origin_tags,
)
from cv_yolo.domain.evaluation.evaluation import EVALUATION_VERSION
from cv_yolo.domain.training.specs import TRAINING_VERSION


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "file.txt").write_text("one", encoding="utf-8")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "one")):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    return root


def test_what_determines_a_result_is_our_version_and_those_of_the_libraries() -> None:
    libraries = f", torch {version('torch')}, torchvision {version('torchvision')}, "
    assert code_version().startswith(f"training {TRAINING_VERSION}, numpy {version('numpy')}, ")
    assert evaluator_version().startswith(f"evaluation {EVALUATION_VERSION}, numpy {version('numpy')}, ")
    assert libraries in code_version()
    assert libraries in evaluator_version()


def test_a_clean_working_tree_is_identified_by_its_commit(repository: Path) -> None:
    tags = origin_tags(repository)
    assert len(tags["git_commit"]) == 40
    assert tags["git_dirty"] == "false"


def test_a_changed_or_a_new_file_makes_the_tree_dirty(repository: Path) -> None:
    (repository / "new.txt").write_text("new", encoding="utf-8")
    assert origin_tags(repository)["git_dirty"] == "true"


def test_a_repository_without_commits_has_no_commit(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert origin_tags(tmp_path)["git_commit"] == "unknown"


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    tags = origin_tags(tmp_path)
    assert (tags["git_commit"], tags["git_dirty"]) == ("unknown", "unknown")


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert origin_tags(repository)["git_commit"] == "unknown"


def test_the_versions_of_the_libraries_are_recorded(tmp_path: Path) -> None:
    tags = origin_tags(tmp_path)
    for name in ("ultralytics", "torch", "numpy", "zenml", "mlflow", "dvc"):
        assert tags[f"version.{name}"][0].isdigit()
    assert f"{os.cpu_count()} cores" in tags["machine"]
    assert tags["python"].startswith("3.")


def test_a_library_that_is_not_installed_has_no_version() -> None:
    assert list(_versions(("numpy", "no-such-library"))) == ["numpy"]


def test_this_process_is_not_gone() -> None:
    assert not driver_is_gone(driver_mark())


def test_an_exited_process_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    machine, _, rest = driver_mark().rpartition(" ")[0].rpartition(" ")
    assert rest == str(os.getpid())
    assert driver_is_gone(f"{machine} {child.pid} 1700000000")


def test_a_reused_process_id_is_not_the_former_process() -> None:
    before, _, started = driver_mark().rpartition(" ")
    assert driver_is_gone(f"{before} {int(started) - 3600}")


def test_a_clock_that_was_set_right_makes_no_process_gone() -> None:
    before, _, started = driver_mark().rpartition(" ")
    assert not driver_is_gone(f"{before} {int(started) + 30}")


@pytest.mark.parametrize("mark", ["", "another-machine 1 1700000000"])
def test_a_process_on_another_machine_is_not_reported_as_gone(mark: str) -> None:
    assert not driver_is_gone(mark)


def test_the_actor_is_user_and_machine() -> None:
    assert actor() == f"{getpass.getuser()}@{platform.node()}"


def test_a_user_without_a_name_is_shown_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert actor() == f"uid-{os.getuid()}@{platform.node()}"
