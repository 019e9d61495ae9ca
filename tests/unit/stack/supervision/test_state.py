"""The servers' state on disk: complete, current, and ignored once it is unreadable."""

import os
from pathlib import Path

import pytest

from cv_yolo_stack.supervision import state as stack_state
from cv_yolo_stack.supervision.state import Board, Status, log_line, read_state
from tests.unit.stack.small import a_service


def a_board(path: Path) -> Board:
    return Board(path, [a_service(name="store"), a_service(name="zenml")], pid=os.getpid())


def test_each_change_is_on_disk_at_once_and_in_the_log_when_it_is_news(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "state.json"
    board = a_board(path)
    board.update("store", status=Status.STARTING)
    board.update("store", pid=7)
    board.update("store", status=Status.FAILED, note="no luck")
    state = read_state(path)
    assert state is not None
    assert state.pid == os.getpid()
    assert state.of("store") == board.of("store")
    assert (board.of("store").pid, board.of("store").status) == (7, Status.FAILED)
    assert state.failed == (board.of("store"),)
    assert not state.ready
    assert state.of("mlflow") is None
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=2)[2] for line in lines] == ["store starting", "store failed: no luck"]


def test_all_are_ready_when_each_is(tmp_path: Path) -> None:
    board = a_board(tmp_path / "state.json")
    for name in ("store", "zenml"):
        board.update(name, status=Status.READY)
    state = read_state(tmp_path / "state.json")
    assert state is not None
    assert state.ready


@pytest.mark.parametrize("text", [None, "{", "[]", '{"pid": 1}', '{"pid": 1, "services": [{"a": 1}]}'])
def test_an_unreadable_state_is_ignored(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "state.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    assert read_state(path) is None


def test_a_full_disk_does_not_stop_the_supervisor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "state.json"
    board = a_board(path)
    path.unlink()
    path.mkdir()
    board.update("store", status=Status.READY)
    assert board.of("store").status is Status.READY
    assert "cannot write the state: IsADirectoryError" in capsys.readouterr().out


def test_a_log_that_cannot_be_written_does_not_stop_the_supervisor(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stack_state, "print", full, raising=False)
    log_line("lost")
