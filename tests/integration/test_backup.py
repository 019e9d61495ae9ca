"""A backup of real servers while runs go on, proved by its drill; and the way back into another project."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cv_yolo_stack.supervision.processes import processes_of
from tests.integration.backup_child import FILLED
from tests.servers import CLI, TIMEOUT_S, RunningStack, cv_yolo, environment_of, free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
FILL = (sys.executable, "-m", "tests.integration.backup_child")
RUNS = 2
SAME = ("MLflow runs", "MLflow model versions", "ZenML model versions", "ZenML artifact versions", "audit entries")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="`cv-yolo up` needs Linux or macOS")


@pytest.fixture(scope="module")
def writer(local_stack: RunningStack) -> Iterator["subprocess.Popen[str]"]:
    """A process that has logged some runs, two versions and two entries of the audit log, and goes on with runs."""
    root = local_stack.settings.root
    cv_yolo(root, "stack", "register")
    with subprocess.Popen(
        [*FILL, str(RUNS), "forever"], cwd=REPOSITORY, env=environment_of(root), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert FILLED in (line.strip() for line in child.stdout), "it did not come so far"
        yield child
        child.kill()


@pytest.fixture(scope="module")
def filled(local_stack: RunningStack, writer: "subprocess.Popen[str]") -> RunningStack:
    """The servers with what the writer has logged."""
    assert writer.args
    return local_stack


@pytest.fixture(scope="module")
def drilled(
    filled: RunningStack, writer: "subprocess.Popen[str]", tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    """A backup that was made while the writer wrote, and what its drill found."""
    folder = tmp_path_factory.mktemp("backups") / "one"
    done = cv_yolo(filled.settings.root, "backup", str(folder), "--drill", "--json", code=None)
    assert writer.poll() is None, "it was at work until the end"
    writer.kill()
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, json.loads(done.stdout)


@pytest.fixture
def damaged(drilled: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of the backup, to be damaged."""
    return Path(shutil.copytree(drilled[0], tmp_path / "copy"))


def test_everything_that_did_not_change_meanwhile_is_restored_unchanged(drilled: tuple[Path, dict[str, Any]]) -> None:
    _, reported = drilled
    assert reported["passed"]
    kinds = {each["kind"]: each for each in reported["kinds"]}
    assert all(each["same"] == each["expected"] for each in kinds.values())
    assert all(kinds[kind]["expected"] for kind in SAME)
    assert kinds["MLflow runs"]["expected"] >= RUNS
    assert kinds["MLflow runs"]["moving"], "the writer was writing"
    assert kinds["artifacts of runs"]["expected"] >= 2 * RUNS
    assert kinds["audit entries"]["expected"] >= 2
    assert kinds["audit logs that verify"]["same"] >= 1


def test_nothing_is_left_of_the_drill(filled: RunningStack, drilled: tuple[Path, dict[str, Any]]) -> None:
    scratch = filled.settings.home / "drill"
    assert not scratch.exists()
    assert processes_of(scratch / "project" / ".cv-yolo" / "services") == []


def test_a_backup_is_private_and_no_file_name_reveals_a_secret(drilled: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = drilled
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def test_a_folder_that_is_not_empty_is_refused(filled: RunningStack, drilled: tuple[Path, dict[str, Any]]) -> None:
    done = cv_yolo(filled.settings.root, "backup", str(drilled[0]), code=2)
    assert "is not an empty folder" in done.stderr


def test_a_project_with_records_is_not_overwritten(filled: RunningStack, drilled: tuple[Path, dict[str, Any]]) -> None:
    done = cv_yolo(filled.settings.root, "restore", str(drilled[0]), code=2)
    assert "the servers of this project are up" in done.stderr


@pytest.mark.parametrize("damage", ["flipped", "truncated", "removed", "added", "manifest"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(damaged: Path, tmp_path: Path, damage: str) -> None:
    contents = sorted(path for path in (damaged / "content").rglob("*") if path.is_file())
    victim = max(contents, key=lambda path: path.stat().st_size)
    match damage:
        case "flipped":
            content = bytearray(victim.read_bytes())
            content[len(content) // 2] ^= 1
            victim.write_bytes(content)
        case "truncated":
            os.truncate(victim, victim.stat().st_size - 1)
        case "removed":
            victim.unlink()
        case "added":
            (damaged / "content" / "stranger").write_text("not mine", encoding="utf-8")
        case "manifest":
            (damaged / "backup.json").unlink()
    root = tmp_path / "project"
    root.mkdir()
    cv_yolo(root, "restore", str(damaged), code=2)
    assert list(root.rglob("*")) == [] or not (root / ".cv-yolo" / "services").exists()


def test_a_backup_is_restored_into_another_project_once(drilled: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, root = drilled[0], tmp_path / "project"
    root.mkdir()
    ports = free_ports()
    output = json.loads(cv_yolo(root, "restore", str(folder), "--json", *ports).stdout)
    assert output["next"] == ["cv-yolo up", "cv-yolo stack register"]
    assert processes_of(root / ".cv-yolo" / "services") == [], "nothing runs unless it is asked for"
    home = root / ".cv-yolo"
    assert not (home / "restoring").exists()
    for name in ("services/credentials.json", "connection.json"):
        assert (home / name).stat().st_mode & 0o777 == 0o600
    again = cv_yolo(root, "restore", str(folder), code=2)
    assert "is not empty" in again.stderr
    assert "MLflow runs" in again.stderr


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_an_interrupted_backup_is_invalid(filled: RunningStack, tmp_path: Path) -> None:
    folder, root = tmp_path / "interrupted", filled.settings.root
    done = interrupted(root, "copy the databases", "backup", str(folder))
    assert done == 130
    assert not (folder / "backup.json").exists()
    project = tmp_path / "project"
    project.mkdir()
    assert "unfinished backup" in cv_yolo(project, "restore", str(folder), code=2).stderr
    assert "unfinished backup" in cv_yolo(root, "backup", str(folder), code=2).stderr


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_a_drill_that_is_interrupted_leaves_no_server(
    filled: RunningStack, drilled: tuple[Path, dict[str, Any]]
) -> None:
    scratch = filled.settings.home / "drill"
    assert interrupted(filled.settings.root, "load the databases", "backup", "--drill", str(drilled[0])) == 130
    assert not scratch.exists()
    for services in (scratch / "project/.cv-yolo/services", scratch / "project/.cv-yolo/restoring/home/services"):
        assert processes_of(services) == []


def interrupted(root: Path, at: str, *arguments: str) -> int:
    """Send Ctrl-C to a command once it reports that step; its exit code."""
    with subprocess.Popen(
        [*CLI, *arguments], cwd=root, env=environment_of(root), stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if at in line:
                child.send_signal(signal.SIGINT)
        return child.wait(TIMEOUT_S)
