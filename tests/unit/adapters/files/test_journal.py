"""The journal: whole events only, from many threads, for any reader."""

import threading
from pathlib import Path

import pytest

from cv_yolo.adapters.files.journal import Journal
from cv_yolo.domain.training.progress import Event, EventKind
from tests.disks import files_up_to


def event(number: int, *, run: str = "e3_s320") -> Event:
    return Event(kind=EventKind.EPOCH, run=run, epoch=number, epochs=100, text="mAP50 0.5 · é")


def test_a_missing_journal_is_empty(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none" / "journal.jsonl").events() == ()


def test_events_are_read_in_order_from_any_start(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "journal.jsonl"
    for number in (1, 2, 3):
        Journal(path).write(event(number))
    assert Journal(path).events() == (event(1), event(2), event(3))
    assert Journal(path).events(2) == (event(3),)
    assert Journal(path).events(3) == ()


def test_a_text_of_several_lines_is_one_event(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    note = Event(kind=EventKind.NOTE, text="first\nsecond\u2028third")
    journal.write(note)
    assert journal.events() == (note,)


def test_a_line_that_is_still_being_written_is_not_an_event_yet(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write(event(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-5])
    assert journal.events() == (event(1),)
    path.write_bytes(whole + whole)
    assert journal.events() == (event(1), event(1))


def test_an_event_for_which_there_is_no_room_leaves_no_half_line_behind(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write(event(1))
    whole = path.read_bytes()
    for room in (10, 0):
        with files_up_to(len(whole) + room), pytest.raises(OSError, match=str(path)):
            journal.write(event(2))
        assert path.read_bytes() == whole
    journal.write(event(3))
    assert journal.events() == (event(1), event(3))


def test_events_of_concurrent_threads_are_not_interleaved(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")

    def write(run: str) -> None:
        for number in range(50):
            journal.write(event(number, run=run))

    threads = [threading.Thread(target=write, args=(f"run-{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = journal.events()
    for index in range(4):
        assert [each.epoch for each in found if each.run == f"run-{index}"] == list(range(50))
