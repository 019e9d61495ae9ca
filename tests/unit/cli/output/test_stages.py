"""Progress in stages: bars in a terminal, a quiet line now and then in a log, nothing where nothing is wanted."""

import io
import sys

import pytest

from cv_yolo.cli.output import stages as module
from cv_yolo.cli.output.stages import stages


def test_a_log_gets_a_line_with_the_remaining_time_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 4.0, 10.0, 11.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(times))
    with stages() as on_step:
        for done in range(5):
            on_step("Checking images", done, 8)
        on_step("Writing", 0, 8)
        on_step("Writing", 8, 8)
    lines = [line.split(" ", 1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "checking images: 2 of 8 (about 30 s left)",
        "checking images: 4 of 8 (about 20 s left)",
        "writing: 8 of 8 (about < 1 s left)",
    ]


def test_a_terminal_gets_a_bar_for_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with stages() as on_step:
        on_step("Reading annotations", 1, 1)
        on_step("Writing", 1, 2)
        on_step("Writing", 2, 2)
    shown = terminal.getvalue()
    assert "Reading annotations" in shown
    assert "2/2" in shown


def test_nothing_is_shown_where_nothing_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with stages(quiet=True) as on_step:
        on_step("Writing", 1, 1)
    assert capsys.readouterr() == ("", "")
