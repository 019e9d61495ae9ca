"""Where a result comes from: the code's hash, the commit, the machine, and the mark of a process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cv_yolo
from cv_yolo.adapters.machine import code_version, driver_is_gone, driver_mark, origin_tags

PACKAGE = Path(cv_yolo.__file__).parent
ASK = "from cv_yolo.adapters.machine import code_version; print(code_version())"


@pytest.fixture
def copy_of_the_package(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "src" / "cv_yolo", ignore=ignored))


def code_version_of(package: Path) -> str:
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "file.txt").write_text("one", encoding="utf-8")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("init", "-q"), ("add", "-A"), (*identity, "commit", "-qm", "one")):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)
    return root


def test_the_codes_hash_is_stable() -> None:
    assert code_version() == code_version()
    assert len(code_version()) == 64
    assert set(code_version()) <= set("0123456789abcdef")


def test_the_codes_hash_does_not_depend_on_the_folder(copy_of_the_package: Path) -> None:
    assert code_version_of(copy_of_the_package) == code_version()


@pytest.mark.parametrize("file", ["domain/metrics.py", "workflows/train.py", "adapters/ultralytics_backend.py"])
def test_a_change_of_code_that_determines_a_training_changes_the_hash(copy_of_the_package: Path, file: str) -> None:
    with (copy_of_the_package / file).open("a", encoding="utf-8") as code:
        code.write("\n# changed\n")
    assert code_version_of(copy_of_the_package) != code_version()


def test_a_change_of_a_report_does_not_make_trainings_stale(copy_of_the_package: Path) -> None:
    with (copy_of_the_package / "reports" / "text.py").open("a", encoding="utf-8") as code:
        code.write("\n# changed\n")
    assert code_version_of(copy_of_the_package) == code_version()


def test_a_clean_tree_is_told_by_its_commit(repository: Path) -> None:
    tags = origin_tags(repository)
    assert len(tags["git_commit"]) == 40
    assert tags["git_dirty"] == "false"


def test_a_changed_or_a_new_file_makes_the_tree_dirty(repository: Path) -> None:
    (repository / "new.txt").write_text("new", encoding="utf-8")
    assert origin_tags(repository)["git_dirty"] == "true"


def test_a_repository_without_commits_has_no_commit_to_tell(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert origin_tags(tmp_path)["git_commit"] == "unknown"


def test_outside_a_repository_the_commit_is_unknown(tmp_path: Path) -> None:
    tags = origin_tags(tmp_path)
    assert (tags["git_commit"], tags["git_dirty"]) == ("unknown", "unknown")


def test_without_git_the_commit_is_unknown(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert origin_tags(repository)["git_commit"] == "unknown"


def test_the_versions_of_the_libraries_are_told(tmp_path: Path) -> None:
    tags = origin_tags(tmp_path)
    for name in ("ultralytics", "torch", "numpy", "zenml", "mlflow", "dvc"):
        assert tags[f"version.{name}"][0].isdigit()
    assert f"{os.cpu_count()} cores" in tags["machine"]
    assert tags["python"].startswith("3.")


def test_this_process_is_not_gone() -> None:
    assert not driver_is_gone(driver_mark())


def test_a_process_that_ended_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    machine, _, rest = driver_mark().rpartition(" ")[0].rpartition(" ")
    assert rest == str(os.getpid())
    assert driver_is_gone(f"{machine} {child.pid} 1700000000")


def test_another_process_with_the_same_number_does_not_stand_for_the_one_that_ended() -> None:
    before, _, started = driver_mark().rpartition(" ")
    assert driver_is_gone(f"{before} {int(started) - 3600}")


def test_a_clock_that_was_set_right_by_a_second_makes_no_process_gone() -> None:
    before, _, started = driver_mark().rpartition(" ")
    assert not driver_is_gone(f"{before} {int(started) + 1}")


@pytest.mark.parametrize("mark", ["", "another-machine 1 1700000000"])
def test_what_cannot_be_known_from_here_is_not_called_gone(mark: str) -> None:
    assert not driver_is_gone(mark)
