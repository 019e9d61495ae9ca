"""The log on disk: what a killed writer leaves behind, what an edit looks like, and who may write."""

import hashlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cv_yolo.adapters.files.audit_log import AuditFile
from cv_yolo.domain.promotion.audit import Action, Entry
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import AuditLogError, LogGrewError, ServiceUnavailableError
from tests.builders import a_log

THREE = a_log(*[(Action.PROMOTED, Stage.STAGING, version) for version in "123"])


HOLD = """
import sys
from filelock import FileLock
lock = FileLock(sys.argv[1])
lock.acquire()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "cv_yolo_tiny.jsonl"


@pytest.fixture
def written(path: Path) -> Path:
    for entry in THREE:
        AuditFile(path).append(entry)
    return path


def test_the_hash_of_a_line_is_the_hash_of_its_entry(written: Path) -> None:
    lines = written.read_bytes().splitlines()
    assert [hashlib.sha256(line).hexdigest() for line in lines] == [entry.sha256 for entry in THREE]
    assert all(entry.previous in {"", *(before.sha256 for before in THREE)} for entry in THREE)


def test_reading_a_missing_log_creates_no_folder(path: Path) -> None:
    assert AuditFile(path).entries() == ()
    assert not path.parent.exists()


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_last_line_whose_writer_was_killed_is_not_part_of_the_log(written: Path, kept: int) -> None:
    line = THREE[2].canonical.encode() + b"\n"
    whole = written.read_bytes().removesuffix(line)
    written.write_bytes(whole + line[:kept])
    assert AuditFile(written).entries() == THREE[:2]
    assert AuditFile(written).damage() == ()


def test_the_next_writer_removes_what_a_killed_one_left(written: Path) -> None:
    content = written.read_bytes()
    two = content.removesuffix(THREE[2].canonical.encode() + b"\n")
    written.write_bytes(two + b'{"action":"promo')
    AuditFile(written).append(THREE[2])
    assert written.read_bytes() == content


@pytest.mark.parametrize("late", [THREE[0], THREE[2], a_log(*[(Action.PROMOTED, Stage.STAGING, "1")] * 5)[4]])
def test_an_entry_is_written_only_where_it_is_the_next_one(written: Path, late: Entry) -> None:
    content = written.read_bytes()
    with pytest.raises(LogGrewError, match=rf"entry {late.number} cannot be appended after 3 entries") as caught:
        AuditFile(written).append(late)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("nothing was moved")
    assert written.read_bytes() == content


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"version":"2"', '"version":2', "not in the form in which entries are written: it was changed"),
        ('"number":2', '"number":0', "not an entry of the log: entries are numbered from 1, not 0"),
        ("{", "", "not an entry of the log: Extra data"),
    ],
)
def test_a_line_that_is_not_an_entry_is_named_with_its_file(written: Path, old: str, new: str, reason: str) -> None:
    lines = written.read_text(encoding="utf-8").split("\n")
    assert old in lines[1]
    written.write_text("\n".join([lines[0], lines[1].replace(old, new, 1), *lines[2:]]), encoding="utf-8")
    with pytest.raises(AuditLogError) as caught:
        AuditFile(written).entries()
    assert caught.value.message.startswith(f"{written}, line 2: {reason}")
    (finding,) = AuditFile(written).damage()
    assert (finding.number, finding.sentence) == (2, caught.value.message)


def test_an_edit_that_still_reads_as_an_entry_is_left_to_the_chain(written: Path) -> None:
    written.write_bytes(written.read_bytes().replace(b'"version":"2"', b'"version":"9"'))
    assert [entry.version for entry in AuditFile(written).entries()] == ["1", "9", "3"]


def test_bytes_that_are_not_text_are_damage(written: Path) -> None:
    with written.open("ab") as file:
        file.write(b"\xff\xfe\n\n")
    assert [finding.number for finding in AuditFile(written).damage()] == [4, 5]


def test_a_log_that_cannot_be_read_is_named(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(AuditLogError, match=r"cv_yolo_tiny\.jsonl: cannot be read"):
        AuditFile(path).entries()


def test_a_log_that_cannot_be_written_is_named_with_the_entry(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(AuditLogError, match=r"cv_yolo_tiny\.jsonl: entry 1 could not be written") as caught:
        AuditFile(path).append(THREE[0])
    assert caught.value.hint == "`cv-yolo history` shows whether it was written nevertheless"


def test_a_log_in_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(AuditLogError, match="cannot be locked"):
        AuditFile(tmp_path / "audit" / "cv_yolo_tiny.jsonl").append(THREE[0])


def test_the_log_of_another_process_is_waited_for_and_not_for_ever(path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(path.with_suffix(".lock"))]
    path.parent.mkdir(parents=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ServiceUnavailableError, match=r"another process has held the log for 0\.1 s"):
            AuditFile(path, lock_timeout_s=0.1).append(THREE[0])
        started = time.monotonic()
        threading.Timer(0.3, other.kill).start()
        AuditFile(path).append(THREE[0])
    assert time.monotonic() - started > 0.2
    assert AuditFile(path).entries() == THREE[:1]


def test_two_writers_in_one_process_are_kept_apart(path: Path) -> None:
    order: list[str] = []

    def write() -> None:
        with AuditFile(path).locked():
            order.append("second")

    with AuditFile(path).locked():
        second = threading.Thread(target=write)
        second.start()
        time.sleep(0.2)
        order.append("first")
    second.join()
    assert order == ["first", "second"]
