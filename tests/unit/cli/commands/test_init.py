"""`cv-yolo init`: what it says, writes and refuses."""

import os
import sys
from pathlib import Path

import pytest

from cv_yolo.cli.commands import init as command
from cv_yolo.container import starter_files
from tests.disks import small_disk
from tests.unit.cli.world import said

Capture = pytest.CaptureFixture[str]
ALL = len(starter_files().files())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_a_project_and_the_next_step_is_given(place: Path, capsys: Capture) -> None:
    done = said(capsys, "init", "zwei Bäume")
    assert done.exit_code == 0, done.err
    assert "  added        configs/demo.yaml\n" in done.out
    assert f"zwei Bäume: {ALL} files written; without git" in done.out
    assert "  cd 'zwei Bäume'\n  cv-yolo grid --config configs/demo.yaml" in done.out
    assert {"README.md", ".dvc/config", "weights/bootstrap-yolo11n.pt"} <= written(place / "zwei Bäume")
    assert list(place.iterdir()) == [place / "zwei Bäume"], "no records are begun"


def test_the_same_again_says_unchanged(place: Path, capsys: Capture) -> None:
    said(capsys, "init", "p")
    again = said(capsys, "init", "p")
    assert (again.exit_code, again.out) == (0, "p: unchanged\n")


def test_the_current_folder_needs_no_change_of_folder(place: Path, capsys: Capture) -> None:
    (place / ".git").mkdir()
    done = said(capsys, "init", ".")
    assert f".: {ALL} files written; in the git work tree {place}" in done.out
    assert "  cd " not in done.out


def test_a_dry_run_says_what_would_be_added_and_writes_nothing(place: Path, capsys: Capture) -> None:
    done = said(capsys, "init", "p", "--dry-run")
    assert (done.exit_code, f"p: {ALL} files to be written" in done.out) == (0, True)
    assert "Next:" not in done.out
    assert "  would add    configs/demo.yaml\n" in done.out
    assert not (place / "p").exists()


def test_as_json_the_files_are_listed_by_what_becomes_of_them(place: Path, capsys: Capture) -> None:
    (place / "p").mkdir()
    (place / "p" / ".gitignore").write_text("/.venv/\n", encoding="utf-8")
    done = said(capsys, "init", "p", "--yes", "--json")
    assert (done.json["folder"], done.json["dry_run"], done.json["git"]) == (str(place / "p"), False, None)
    assert done.json["files"]["kept"] == [".gitignore"]
    assert "/.cv-yolo/" in done.json["missing_lines"][".gitignore"]
    assert len(done.json["files"]["added"]) == ALL - 1
    again = said(capsys, "init", "p", "--json").json["files"]
    assert (again["added"], len(again["unchanged"])) == ([], ALL - 1)


def test_a_folder_with_other_files_needs_a_yes(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        (place / name).touch()
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115 - no terminal
    refused = said(capsys, "init", ".")
    assert refused.exit_code == 2
    assert "  would add    README.md" in refused.out
    assert f"error: {place} has other files (a, b, c, …), and nothing was added" in refused.err
    assert "--yes" in refused.err
    assert written(place) == set("abcd")
    assert said(capsys, "init", ".", "--yes").exit_code == 0


@pytest.mark.parametrize(("answer", "exit_code"), [(True, 0), (False, 130)])
def test_at_a_terminal_the_person_is_asked(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, answer: bool, exit_code: int
) -> None:
    (place / "README.md").write_text("mine", encoding="utf-8")

    class Terminal:
        def isatty(self) -> bool:
            return True

    def confirm(question: str, **_given: object) -> None:
        assert question.endswith("Add these files to it?")
        if not answer:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.sys, "stdin", Terminal())
    monkeypatch.setattr(command.click, "confirm", confirm)
    done = said(capsys, "init", ".")
    assert done.exit_code == exit_code
    assert "  kept         README.md (it differs)" in done.out
    assert ((place / "dvc.yaml").is_file(), (place / "README.md").read_text("utf-8")) == (answer, "mine")


def test_lines_that_a_kept_gitignore_lacks_are_printed(place: Path, capsys: Capture) -> None:
    (place / ".gitignore").write_text("/.venv/\n", encoding="utf-8")
    done = said(capsys, "init", ".", "--yes")
    assert "add these lines to it: /.cv-yolo/ /.env" in done.out
    assert f".: {ALL - 1} files written, 1 kept that differ; without git" in done.out
    assert ".: unchanged, 1 kept that differ" in said(capsys, "init", ".").out


def test_a_project_inside_another_one_is_noted(place: Path, capsys: Capture) -> None:
    said(capsys, "init", "outer")
    done = said(capsys, "init", "outer/inner")
    assert done.exit_code == 0
    assert f"note: {place / 'outer' / 'inner'} is inside another DVC project, {place / 'outer'}" in done.err


def test_an_empty_name_is_refused(place: Path, capsys: Capture) -> None:
    refused = said(capsys, "init", "")
    assert (refused.exit_code, "use . for the current folder" in refused.err) == (2, True)
    assert not list(place.iterdir())


def test_a_file_is_no_folder(place: Path, capsys: Capture) -> None:
    (place / "p").touch()
    refused = said(capsys, "init", "p")
    assert (refused.exit_code, f"error: {place / 'p'}: not a folder" in refused.err) == (2, True)


def test_a_full_disk_is_named_and_leaves_no_half_file(tmp_path: Path, capsys: Capture) -> None:
    with small_disk(tmp_path / "small", 2_000_000) as place:
        refused = said(capsys, "init", str(place / "p"))
        assert refused.exit_code == 3
        assert (
            f"error: the disk is full: {place / 'p' / 'weights' / 'bootstrap-yolo11n.pt'} does not fit" in refused.err
        )
        assert "or name a folder on another disk" in refused.err
        assert not [path for path in (place / "p").rglob("*") if path.name.startswith((".boot", "boot"))]


def test_ctrl_c_leaves_whole_files_and_the_same_again_completes_them(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cv_yolo.workflows import start_project as module

    write, count = module.write_bytes_whole, iter(range(100))

    def interrupted(path: Path, content: bytes, *, mode: int) -> None:
        if next(count) == 7:
            raise KeyboardInterrupt
        write(path, content, mode=mode)

    monkeypatch.setattr(module, "write_bytes_whole", interrupted)
    assert said(capsys, "init", "p").exit_code == 130
    assert len(written(place / "p")) == 7
    monkeypatch.setattr(module, "write_bytes_whole", write)
    assert f"{ALL - 7} files written" in said(capsys, "init", "p").out
    assert said(capsys, "init", "p").out == "p: unchanged\n"
