"""What a person sees while a grid is at work: lines in a log file, bars in a terminal."""

import io
import sys
import time
from pathlib import Path

import pytest

from cv_yolo.adapters.files.journal import Journal
from cv_yolo.cli.output.progress import QUIET_S, BarDisplay, LineDisplay, following
from cv_yolo.domain.training.progress import Event, EventKind

PATIENCE_S = 20


def event(kind: EventKind, epoch: int = 0, text: str = "", run: str = "e3_s320") -> Event:
    return Event(kind=kind, run=run, epoch=epoch, epochs=3, text=text)


STORY = (
    Event(kind=EventKind.NOTE, text="4 runs [two at a time]"),
    event(EventKind.PLANNED),
    event(EventKind.TRAINING),
    event(EventKind.EPOCH, 2, "mAP50 0.512"),
    event(EventKind.EVALUATING, 3),
    event(EventKind.FINISHED, 3, "mAP50 0.61"),
    event(EventKind.FAILED, 1, "out of [memory]", run="e3_s416"),
)


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_each_event_is_a_line_with_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay()
    for each in STORY:
        display.show(each)
    display.close()
    lines = capsys.readouterr().err.splitlines()
    assert all(line[2] == line[5] == ":" for line in lines)
    assert [line[9:] for line in lines] == [
        "4 runs [two at a time]",
        "e3_s320: waiting",
        "e3_s320: training",
        "e3_s320: training epoch 2/3: mAP50 0.512",
        "e3_s320: evaluating",
        "e3_s320: done: mAP50 0.61",
        "e3_s416: failed: out of [memory]",
    ]


def test_bars_show_each_run_how_far_it_is_and_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    display = BarDisplay()
    for each in STORY:
        display.show(each)
    display.close()
    text = capsys.readouterr().err
    assert "4 runs [two at a time]" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "2/2" in lines["grid"]
    assert "3/3" in lines["e3_s320"]
    assert "done mAP50 0.61" in lines["e3_s320"]
    assert "1/3" in lines["e3_s416"]
    assert "failed out of [memory]" in lines["e3_s416"]


def test_following_shows_the_last_events_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with following(journal):
        for each in STORY:
            journal.write(each)
    assert len(capsys.readouterr().err.splitlines()) == len(STORY)


def test_following_shows_the_last_events_of_a_grid_that_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(KeyboardInterrupt), following(journal):  # noqa: PT012 - the block is what is tested
        journal.write(STORY[-1])
        raise KeyboardInterrupt
    assert "e3_s416: failed" in capsys.readouterr().err


def test_each_event_is_shown_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = io.StringIO()  # what `capsys` reads while another thread writes gets lost now and then
    monkeypatch.setattr(sys, "stderr", reported)
    journal, give_up = Journal(tmp_path / "journal.jsonl"), time.monotonic() + PATIENCE_S
    with following(journal):
        journal.write(STORY[1])
        while "waiting" not in reported.getvalue():
            assert time.monotonic() < give_up
            time.sleep(0.01)
        journal.write(STORY[2])
    assert [line[9:] for line in reported.getvalue().splitlines()] == ["e3_s320: waiting", "e3_s320: training"]


def test_a_log_that_shows_nothing_for_a_while_says_what_is_at_work(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay()
    display.show(event(EventKind.PLANNED))
    for at_s in (0.0, 100.0):
        display.tick(at_s)
    assert len(capsys.readouterr().err.splitlines()) == 1, "nothing is at work"
    display.show(event(EventKind.TRAINING))
    for at_s in (100.0, 100.0 + QUIET_S - 1, 100.0 + QUIET_S, 100.0 + QUIET_S + 1):
        display.tick(at_s, "about 2 min 00 s left")
    (_, line) = capsys.readouterr().err.splitlines()
    assert line[9:] == "still working: e3_s320: training (about 2 min 00 s left)"


def test_the_remaining_time_is_shown_from_the_first_epoch_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(Event(kind=EventKind.PLANNED, run="e3_s320", epochs=3, cost=7))
    with following(journal):
        journal.write(event(EventKind.TRAINING))
        time.sleep(0.5)
        journal.write(event(EventKind.EPOCH, 1))
    assert capsys.readouterr().err.splitlines()[-1].endswith(" left)")


def test_bars_show_the_remaining_time(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    display = BarDisplay()
    display.tick(1.0, "about 41 s left")
    display.close()
    assert "about 41 s left" in capsys.readouterr().err


def test_in_a_terminal_there_are_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    journal = Journal(tmp_path / "journal.jsonl")
    with following(journal):
        journal.write(STORY[5])
    assert isinstance(sys.stderr, Terminal)
    assert "━" in sys.stderr.getvalue()
