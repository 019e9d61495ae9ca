"""Logs: the end of one, what comes after it, and one that was emptied meanwhile."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.errors import NotFoundError
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.supervision import log_file
from cv_yolo_stack.supervision.log_file import follow_log, last_lines, limit, log_of


def test_the_last_lines_are_given_as_many_as_there_are(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert last_lines(log, 5) == ""
    log.write_bytes(b"one\ntwo \xff\nthree\n")
    assert last_lines(log, 2) == "two �\nthree"
    assert last_lines(log, 9).splitlines() == ["one", "two �", "three"]
    assert last_lines(log, 0) == ""


def test_a_missing_log_is_reported_with_the_existing_ones(tmp_path: Path) -> None:
    folder = StackFolder(root=tmp_path)
    with pytest.raises(NotFoundError) as caught:
        log_of("zenml", folder)
    assert caught.value.hint == "logs: none yet"
    folder.log("zenml").parent.mkdir()
    folder.log("zenml").touch()
    assert log_of("zenml", folder) == folder.log("zenml")
    with pytest.raises(NotFoundError) as caught:
        log_of("../credentials", folder)
    assert caught.value.hint == "logs: zenml"


def test_new_lines_are_followed_also_after_the_log_was_truncated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n", encoding="utf-8")
    writes: Iterator[tuple[str, str]] = iter([("a", "after\n"), ("w", "new\n")])

    def write_instead_of_sleeping(_: float) -> None:
        mode, text = next(writes)
        with log.open(mode, encoding="utf-8") as file:
            file.write(text)

    monkeypatch.setattr(log_file.time, "sleep", write_instead_of_sleeping)
    lines = follow_log(log)
    assert [next(lines), next(lines)] == ["after\n", "new\n"]


def test_one_that_grows_too_long_is_put_aside_under_the_server_that_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "a.log"
    limit(log)
    monkeypatch.setattr(log_file, "LIMIT_BYTES", 1000)
    with log.open("a", encoding="utf-8") as server:
        server.write("x" * 1000)
        server.flush()
        limit(log)
        assert log.stat().st_size == 1000
        server.write("x")
        server.flush()
        limit(log)
        server.write("more")
    assert log.read_text(encoding="utf-8") == "more"
    assert (tmp_path / "a.log.1").stat().st_size == 1001
