"""The outbox as a folder: what a kill, a full disk or another process can do to it."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.domain.training.tracking_events import RunDetails, RunFiles, TrackingEvent
from cv_yolo.errors import ServiceUnavailableError

NOON = datetime(2025, 3, 4, 12, tzinfo=UTC)
RUN = "a" * 31 + "1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def outbox(folder: Path) -> FolderOutbox:
    return FolderOutbox(folder)


def a_fact(note: str) -> TrackingEvent:
    return RunDetails(run_id=RUN, at=NOON, tags={"note": note})


def some_files(folder: Path, *contents: bytes) -> RunFiles:
    paths = []
    for number, content in enumerate(contents):
        paths.append(folder / f"{number}.bin")
        paths[-1].write_bytes(content)
    return RunFiles(run_id=RUN, at=NOON, paths=tuple(paths), folder="weights")


def add(outbox: FolderOutbox, *events: TrackingEvent) -> None:
    with outbox.opened(RUN) as kept:
        for event in events:
            kept.add(event)


def waiting(outbox: FolderOutbox) -> tuple[TrackingEvent, ...]:
    with outbox.opened(RUN) as events:
        return events.waiting()


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix != ".lock")


def test_another_process_finds_what_this_one_kept(outbox: FolderOutbox, folder: Path) -> None:
    add(outbox, a_fact("a"))
    assert waiting(FolderOutbox(folder)) == (a_fact("a"),)


def test_a_line_that_was_being_written_when_its_process_was_killed_was_never_kept(
    outbox: FolderOutbox, folder: Path
) -> None:
    add(outbox, a_fact("a"))
    with (folder / f"{RUN}.jsonl").open("ab") as file:
        file.write(b'{"run_id": "aaa')
    assert waiting(outbox) == (a_fact("a"),)
    add(outbox, a_fact("b"))
    assert waiting(outbox) == (a_fact("a"), a_fact("b"))


def test_a_delivery_that_was_not_noted_is_done_again(outbox: FolderOutbox, folder: Path) -> None:
    add(outbox, a_fact("a"), a_fact("b"), a_fact("c"))
    with outbox.opened(RUN) as events:
        events.delivered()
    with (folder / f"{RUN}.jsonl").open("ab") as file:
        file.write(b'{"delivered"')
    assert waiting(outbox) == (a_fact("b"), a_fact("c"))


def test_files_of_delivered_events_are_removed_until_nothing_is_left(
    outbox: FolderOutbox, folder: Path, tmp_path: Path
) -> None:
    add(outbox, some_files(tmp_path, b"1", b"2"), some_files(tmp_path, b"3"))
    assert (folder / RUN / "0" / "1" / "1.bin").read_bytes() == b"2"
    with outbox.opened(RUN) as events:
        events.delivered()
        assert not (folder / RUN / "0").exists()
        assert (folder / RUN / "1" / "0" / "0.bin").read_bytes() == b"3"
        events.delivered()
    assert files_in(folder) == []


def test_files_left_by_a_kill_between_the_last_delivery_and_tidying_up_are_removed(
    outbox: FolderOutbox, folder: Path, tmp_path: Path
) -> None:
    add(outbox, some_files(tmp_path, b"1"))
    (folder / f"{RUN}.jsonl").unlink()
    assert waiting(outbox) == ()
    assert files_in(folder) == []


def test_files_left_by_a_kill_before_the_event_was_written_are_replaced(
    outbox: FolderOutbox, folder: Path, tmp_path: Path
) -> None:
    add(outbox, a_fact("a"))
    (folder / RUN / "1" / "0").mkdir(parents=True)
    (folder / RUN / "1" / "0" / "0.bin").write_bytes(b"half")
    add(outbox, some_files(tmp_path, b"whole"))
    kept = waiting(outbox)[1]
    assert isinstance(kept, RunFiles)
    assert kept.paths[0].read_bytes() == b"whole"


def test_refused_events_are_kept_with_their_reason_and_files(
    outbox: FolderOutbox, folder: Path, tmp_path: Path
) -> None:
    add(outbox, some_files(tmp_path, b"weights"), a_fact("b"))
    with outbox.opened(RUN) as events:
        events.set_aside("RunFailedError: refused")
        events.set_aside("NotFoundError: deleted")
    lines = [json.loads(line) for line in (folder / f"{RUN}.refused.jsonl").read_text("utf-8").splitlines()]
    assert [line["reason"] for line in lines] == ["RunFailedError: refused", "NotFoundError: deleted"]
    assert lines[1]["letter"]["tags"] == {"note": "b"}
    assert [path.read_bytes() for path in (folder / f"{RUN}.refused").rglob("*.bin")] == [b"weights"]
    assert outbox.runs() == ()


def test_an_outbox_that_cannot_be_written_says_so(folder: Path) -> None:
    folder.write_bytes(b"a file where the folder should be")
    with pytest.raises(ServiceUnavailableError, match="cannot be read or written") as raised:
        add(FolderOutbox(folder), a_fact("a"))
    assert raised.value.hint is not None


def test_a_file_that_is_gone_cannot_be_kept(outbox: FolderOutbox, tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"gone\.pt"):
        add(outbox, RunFiles(run_id=RUN, at=NOON, paths=(tmp_path / "gone.pt",), folder=""))
    assert waiting(outbox) == ()


@pytest.mark.parametrize("damage", [b"no json\n", b'{"run_id": "a", "what": 1}\n'])
def test_a_damaged_line_is_named_and_nothing_behind_it_is_delivered(
    outbox: FolderOutbox, folder: Path, damage: bytes
) -> None:
    add(outbox, a_fact("a"))
    with (folder / f"{RUN}.jsonl").open("ab") as file:
        file.write(damage)
    with pytest.raises(ServiceUnavailableError, match=RUN):
        waiting(outbox)


def test_another_thread_waits_for_the_lock(outbox: FolderOutbox, folder: Path) -> None:
    entered, order = threading.Event(), []

    def other() -> None:
        entered.set()
        add(FolderOutbox(folder), a_fact("second"))
        order.append("second")

    with outbox.opened(RUN) as events:
        thread = threading.Thread(target=other)
        thread.start()
        assert entered.wait(10)
        events.add(a_fact("first"))
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert waiting(outbox) == (a_fact("first"), a_fact("second"))


def test_an_outbox_that_is_held_for_too_long_is_an_unavailable_service(outbox: FolderOutbox, folder: Path) -> None:
    with outbox.opened(RUN), pytest.raises(ServiceUnavailableError, match="has held the outbox for 0 s"):
        waiting(FolderOutbox(folder, lock_timeout_s=0))


KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.domain.training.tracking_events import RunDetails
with FolderOutbox(Path(sys.argv[1])).opened(sys.argv[2]) as events:
    events.add(RunDetails(run_id=sys.argv[2], at=datetime(2025, 3, 4, 12, tzinfo=UTC), tags={"note": "a"}))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_process_leaves_its_events_and_no_lock(outbox: FolderOutbox, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder), RUN], env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    assert waiting(outbox) == (a_fact("a"),)
