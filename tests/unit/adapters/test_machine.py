"""Where a result comes from: the code's hash, the commit, the machine, and the mark of a process."""

import getpass
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cv_yolo
from cv_yolo.adapters.machine import (
    DETECTOR_CODE,
    EVALUATION_CODE,
    _versions,
    actor,
    code_version,
    driver_is_gone,
    driver_mark,
    evaluator_version,
    origin_tags,
)

PACKAGE = Path(cv_yolo.__file__).parent
ASK = "from cv_yolo.adapters.machine import code_version, evaluator_version; print(code_version(), evaluator_version())"


@pytest.fixture
def copy_of_the_package(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "src" / "cv_yolo", ignore=ignored))


def versions_of(package: Path) -> tuple[bool, bool]:
    """Whether trainings, and whether evaluations, are those of the package here."""
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    training, evaluation = done.stdout.split()
    return training == code_version(), evaluation == evaluator_version()


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
    assert len(evaluator_version()) == 64
    assert evaluator_version() != code_version()


def test_the_codes_hashes_do_not_depend_on_the_folder(copy_of_the_package: Path) -> None:
    assert versions_of(copy_of_the_package) == (True, True)


@pytest.mark.parametrize(
    ("file", "same_training", "same_evaluation"),
    [
        ("workflows/train.py", False, True),
        ("domain/training.py", False, True),
        ("domain/metrics.py", True, False),
        ("domain/intervals.py", True, False),
        ("workflows/evaluate.py", True, False),
        ("adapters/ultralytics/weights.py", False, False),
        ("domain/dataset.py", False, False),
        ("domain/annotations.py", False, False),
        ("domain/geometry.py", False, False),
        ("adapters/yolo_folder/labels.py", False, False),
        ("adapters/yolo_folder/data_yaml.py", False, False),
        ("adapters/yolo_folder/writing.py", True, True),
        ("domain/findings.py", True, True),
        ("reports/text.py", True, True),
        ("workflows/decide.py", True, True),
    ],
)
def test_a_change_of_code_makes_stale_what_it_determines_and_nothing_else(
    copy_of_the_package: Path, file: str, same_training: bool, same_evaluation: bool
) -> None:
    with (copy_of_the_package / file).open("a", encoding="utf-8") as code:
        code.write("\n# changed\n")
    assert versions_of(copy_of_the_package) == (same_training, same_evaluation)


def test_all_code_of_the_detector_is_part_of_the_hashes() -> None:
    folder = Path(__file__).resolve().parents[3] / "src" / "cv_yolo" / "adapters" / "ultralytics"
    apart = {"__init__.py", "inspector.py"}  # neither trains nor predicts
    assert {f"adapters/ultralytics/{path.name}" for path in folder.glob("*.py") if path.name not in apart} == set(
        DETECTOR_CODE
    )


def test_all_code_that_an_evaluation_imports_from_the_domain_is_part_of_its_hash() -> None:
    ask = "import sys, cv_yolo.domain.evaluation; print(*(name for name in sys.modules if name.startswith('cv_yolo.')))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    imported = {name.removeprefix("cv_yolo.domain.") for name in done.stdout.split() if ".domain." in name}
    assert imported <= set(EVALUATION_CODE)


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


def test_a_library_that_is_not_installed_has_no_version() -> None:
    assert list(_versions(("numpy", "no-such-library"))) == ["numpy"]


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


def test_a_clock_that_was_set_right_makes_no_process_gone() -> None:
    before, _, started = driver_mark().rpartition(" ")
    assert not driver_is_gone(f"{before} {int(started) + 30}")


@pytest.mark.parametrize("mark", ["", "another-machine 1 1700000000"])
def test_what_cannot_be_known_from_here_is_not_called_gone(mark: str) -> None:
    assert not driver_is_gone(mark)


def test_who_is_at_work_is_told_by_user_and_machine() -> None:
    assert actor() == f"{getpass.getuser()}@{platform.node()}"


def test_a_user_without_a_name_is_told_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert actor() == f"uid-{os.getuid()}@{platform.node()}"
