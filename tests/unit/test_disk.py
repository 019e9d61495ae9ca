"""A full disk is named as one, whatever library noticed it, with which one, what is free and what takes the room."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cv_yolo import disk
from cv_yolo.disk import Room, explained, filling, full_among, require_room, room_at, says_full, what_to_free
from cv_yolo.errors import DiskFullError, RunFailedError, ServiceUnavailableError
from tests.disks import fill, small_disk

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/home/anna/.cv-yolo/journal.jsonl")


def caused(message: str, cause: BaseException) -> ServiceUnavailableError:
    error = ServiceUnavailableError(message)
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        sqlite3.OperationalError("database or disk is full"),
        ServiceUnavailableError("database zenml at 127.0.0.1:3307: Disk full (/tmp/#sql); waiting for someone to free"),
        ServiceUnavailableError('database: Got error 28 "No space left on device" from storage engine Aria'),
        ServiceUnavailableError("(pymysql.err.OperationalError) (1021, 'Disk got filled')"),
        ServiceUnavailableError("database: Error writing file (Errcode: 28)"),
        ServiceUnavailableError("object store at http://s3: put: XMinioStorageFull"),
        ServiceUnavailableError("`dvc push`: [Errno 28] No space left on device: '/x'"),
        RunFailedError("e3_s320: OSError: [Errno 122] Disk quota exceeded"),
        caused("the outbox cannot be written", FULL),
        caused("MLflow", caused("its database", sqlite3.OperationalError("database or disk is full"))),
    ],
    ids=repr,
)
def test_errors_that_come_of_a_full_disk_are_recognised(error: BaseException) -> None:
    assert says_full(error)
    assert "disk is full" in explained(error, places=(), home=Path("nowhere")).message


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        ServiceUnavailableError("ZenML at http://x: /login was answered 500"),
        RunFailedError("28 errors"),
        ServiceUnavailableError("database: (1045, 'Access denied')"),
    ],
    ids=repr,
)
def test_other_errors_are_not_blamed_on_the_disk(error: BaseException) -> None:
    assert not says_full(error)
    assert explained(error, places=(), home=Path("nowhere")) is None


def test_an_error_that_leads_back_to_itself_is_read_once() -> None:
    error = ServiceUnavailableError("round")
    error.__cause__ = caused("and round", error)
    assert not says_full(error)


def test_a_place_that_is_not_there_yet_is_looked_for_where_it_will_be(tmp_path: Path) -> None:
    room = room_at(tmp_path / "not" / "yet")
    assert room.total_bytes == shutil.disk_usage(tmp_path).total
    assert room.mount.is_mount()
    assert not room.full


def test_a_disk_with_room_is_not_full(tmp_path: Path) -> None:
    assert full_among([tmp_path]) is None
    require_room(tmp_path, home=tmp_path)


def test_a_full_disk_is_named_with_what_is_free_on_it(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 2**21) as place:
        fill(place)
        room = room_at(place / "runs")
        assert (room.mount, room.free_bytes, room.full) == (place, 0, True)
        assert room.sentence == f"0.0 MB of 2.1 MB are free on {place}"
        assert full_among([tmp_path, place]) == room
        with pytest.raises(DiskFullError, match=r"the disk is full: 0\.0 MB of 2\.1 MB") as raised:
            require_room(place, home=place)
        assert raised.value.exit_code == 3
        reported = explained(
            ServiceUnavailableError("ZenML: 500", hint="is its database up?"), places=[place], home=place
        )
        assert reported.message == f"the disk is full: {room.sentence}; ZenML: 500"
        assert "database" not in str(reported.hint)


def test_a_disk_that_takes_no_more_files_is_full_too(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 2**26, "nr_inodes=2") as place:
        (place / "last").touch()
        room = room_at(place)
        assert (room.out_of_files, room.full) == (True, True)
        assert room.sentence == f"no more files fit on {place}, though 67.1 MB are free"


def test_the_largest_folders_are_named_with_what_can_be_removed(tmp_path: Path) -> None:
    for name, size in (("runs", 3_000_000), ("mlflow", 2_000_000), ("dvc", 1_000_000), ("audit", 10), ("empty", 0)):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_bytes(b"0" * size)
    hint = what_to_free(tmp_path)
    assert f"{tmp_path} holds runs 3.0 MB, mlflow 2.0 MB, dvc 1.0 MB; " in hint
    assert f"removed from {tmp_path / 'runs'}" in hint
    assert Room(mount=Path("/"), free_bytes=2_500_000_000, total_bytes=3 * 10**9).sentence == (
        "2.5 GB of 3.0 GB are free on /"
    )


def test_a_home_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert " holds " not in what_to_free(tmp_path / "none")


def test_a_size_that_takes_too_long_to_compute_is_partial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    for number in range(5):
        (tmp_path / "runs" / str(number)).write_bytes(b"0" * 1_000_000)
    monkeypatch.setattr(disk, "MOST_ENTRIES", 2)
    assert "runs 2.0 MB" in what_to_free(tmp_path)


def test_a_file_that_is_removed_meanwhile_has_no_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(disk.os, "walk", lambda folder: [(folder, [], ["gone"])])
    assert " holds " not in what_to_free(tmp_path)


def test_a_full_sqlite_database_says_so(tmp_path: Path) -> None:
    def write_for_ever(file: sqlite3.Connection) -> None:
        file.execute("CREATE TABLE t (x BLOB)")
        while True:
            file.execute("INSERT INTO t VALUES (zeroblob(100000))")
            file.commit()

    with small_disk(tmp_path / "small", 2**20) as place, closing(sqlite3.connect(place / "a.db")) as file:
        with pytest.raises(sqlite3.OperationalError) as raised:
            write_for_ever(file)
        assert says_full(raised.value)


def test_a_full_disk_is_named_and_other_errors_are_raised_unchanged(tmp_path: Path) -> None:
    def write(error: OSError) -> None:
        with filling(tmp_path, home=tmp_path):
            raise error

    with pytest.raises(DiskFullError, match=f"{tmp_path} does not fit, .* are free on /"):
        write(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(PermissionError):
        write(PermissionError(errno.EACCES, "denied"))
