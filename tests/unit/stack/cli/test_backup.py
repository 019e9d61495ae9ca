"""`cv-yolo backup` and `restore` on the embedded records, and what a drill prints."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.cli.main import run
from cv_yolo_stack.backup.content_store import Progress
from cv_yolo_stack.backup.drill import Drill
from cv_yolo_stack.cli import backup as command
from cv_yolo_stack.cli.backup import showing, size_text
from cv_yolo_stack.domain.backup_manifest import manifest_of
from cv_yolo_stack.domain.snapshot import KindComparison
from tests.unit.stack.backup.records import a_project

NOTHING = manifest_of([], made_at=datetime(2026, 11, 26, tzinfo=UTC), home="/", software={"zenml": "0.98.0"})


@pytest.fixture
def kept(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    a_project(project)
    assert run(["backup", str(tmp_path / "backup")]) == 0
    capsys.readouterr()
    return tmp_path / "backup"


def test_a_backup_says_what_it_holds_and_that_it_holds_keys(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_project(project)
    assert run(["backup", str(tmp_path / "backup")]) == 0
    out, err = capsys.readouterr()
    assert "0 objects and 9 files" in out
    assert "sha256 of the manifest: " in out
    assert "It holds passwords and keys" in err
    assert "The records at http://zenml.test are not in it" in err
    assert "copy the databases" in err


def test_a_backup_for_machines(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_project(project)
    assert run(["backup", str(tmp_path / "backup"), "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["folder"] == str(tmp_path / "backup")
    assert (output["objects"], output["files"]) == (0, 9)
    assert output["sha256"] == json.loads((tmp_path / "backup" / "backup.json").read_text(encoding="utf-8"))["sha256"]


def test_a_restore_says_whence_it_is(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CV_YOLO_ROOT", str(tmp_path / "new"))
    assert run(["restore", str(kept), "--up"]) == 0, "there are no servers to start"
    out, err = capsys.readouterr()
    assert f"{tmp_path / 'new' / '.cv-yolo'}: 0 objects and 9 files" in out
    assert "Next:" not in err
    assert run(["restore", str(kept), "--json"]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_restore_for_machines_says_what_comes_next(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CV_YOLO_ROOT", str(tmp_path / "new"))
    assert run(["restore", str(kept), "--json", "--zenml-port", "9999"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert (output["home"], output["next"]) == (str(tmp_path / "new" / ".cv-yolo"), [])


@pytest.mark.parametrize("arguments", [["backup"], ["restore"], ["restore", "nowhere"], ["backup", "a", "b"]])
def test_impossible_requests_are_input_errors(project: Path, arguments: list[str]) -> None:
    assert run(arguments) == 2
    assert list(project.rglob("content")) == []


def test_a_drill_without_differences_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    drill = Drill(manifest=NOTHING, tallies=(KindComparison(kind="MLflow runs", expected=3, moving=1),), kept=None)
    assert command.print_drill(drill, 0.0, as_json=False) == 0
    out = capsys.readouterr().out
    assert "✓ MLflow runs" in out
    assert "everything was restored unchanged" in out


def test_a_drill_with_differences_names_them_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tallies = (
        KindComparison(kind="MLflow runs", expected=9, missing=("a", "b", "c", "d"), different=("e",)),
        KindComparison(kind="files", expected=1, unknown=("home/x",)),
    )
    drill = Drill(manifest=NOTHING, tallies=tallies, kept=tmp_path)
    assert command.print_drill(drill, 0.0, as_json=False) == 1
    out = capsys.readouterr().out
    assert "MLflow runs, missing: a, b, c and 1 more" in out
    assert "MLflow runs, different: e" in out
    assert "files, unexpected: home/x" in out
    assert "NOT everything was restored" in out
    assert command.print_drill(drill, 0.0, as_json=True) == 1
    output = json.loads(capsys.readouterr().out)
    assert output["passed"] is False
    assert output["folder"] == str(tmp_path)
    assert output["kinds"][0] == {
        "kind": "MLflow runs", "expected": 9, "same": 4, "missing": ["a", "b", "c", "d"], "different": ["e"],
        "unknown": [], "moving": 0,
    }  # fmt: skip


def test_a_drill_of_nothing_proves_nothing() -> None:
    assert not Drill(manifest=NOTHING, tallies=(KindComparison(kind="MLflow runs", expected=0),), kept=None).passed


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_line_for_each_step_or_one_that_changes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with showing() as report:
        report(Progress(what="verify", done=1, total=3, done_bytes=1_000_000, total_bytes=2_500_000_000))
        report(Progress(what="verify", done=2, total=3))
        report(Progress(what="move"))
    err = capsys.readouterr().err
    assert "verify: 1 of 3, 1 MB of 2.5 GB" in err
    assert "2 of 3" not in err, "not so soon"
    assert err.count("\r") == (3 if terminal else 0)


@pytest.mark.parametrize(
    ("size", "text"), [(12, "12 B"), (1_234, "1.23 kB"), (45_000_000, "45 MB"), (2 * 10**9, "2 GB")]
)
def test_sizes_have_three_significant_digits(size: int, text: str) -> None:
    assert size_text(size) == text
