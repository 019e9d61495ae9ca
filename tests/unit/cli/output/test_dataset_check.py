"""Progress while images are read: a bar in a terminal, else a line now and then."""

import pytest

from cv_yolo.cli.output import dataset_check
from cv_yolo.cli.output.dataset_check import print_fixes, reading
from cv_yolo.domain.data.fixes import Fix


def test_without_a_terminal_a_line_now_and_then_says_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 5.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr(dataset_check.time, "monotonic", lambda: next(now))
    with reading(quiet=True) as on_image:
        for done in (100, 400, 500, 1000):
            on_image(done, 1000)
    assert capsys.readouterr().err == "read 400 of 1000 images, about 30 s left\n"


def test_in_a_terminal_a_bar_moves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with reading(quiet=False) as on_image:
        on_image(1, 2)
        on_image(2, 2)
    assert "Reading" in capsys.readouterr().err


def test_many_fixes_are_counted(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    fixes = [Fix(path=f"labels/{number}.txt", what="removed") for number in range(14)]
    print_fixes(fixes, tmp_path, tmp_path / "mine")
    text = capsys.readouterr().out
    assert text.count("fixed: ") == 10
    assert f"… and 4 more: {tmp_path / 'fixes.json'}" in text
