"""Looking at this machine: room, rights, packages, and the embedded stores."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.machine import LocalProbe
from cv_yolo_stack.adapters.sql.sqlite_files import stored_in_file


def a_probe(home: Path, **stores: Path) -> LocalProbe:
    return LocalProbe(home=home, stores=stores, timeout_s=0.1)


@pytest.fixture
def record(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute('CREATE TABLE secret (id CHAR(32), "values" TEXT)')
        file.executemany("INSERT INTO secret VALUES (?, ?)", [(f"{number:032}", "x" * 500) for number in range(50)])
        file.commit()
    return path


def test_a_home_that_is_not_made_yet_is_looked_at_where_it_will_be(tmp_path: Path) -> None:
    probe = a_probe(tmp_path / "project" / ".cv-yolo")
    assert probe.free_bytes() == shutil.disk_usage(tmp_path).free
    assert probe.write() == str(tmp_path / "project" / ".cv-yolo")
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_home_is_reported() -> None:
    with pytest.raises(ServiceUnavailableError, match=r"^/proc: "):
        a_probe(Path("/proc/home")).write()


def test_packages_are_looked_for_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv_yolo_stack.adapters.machine.PACKAGES", ("json", "no_such_package"))
    assert a_probe(tmp_path).missing_packages() == ("no_such_package",)


def test_only_stores_that_were_made_are_looked_at(tmp_path: Path, record: Path) -> None:
    assert a_probe(tmp_path, there=record, absent=tmp_path / "other.db").records() == {"there": record}


def test_a_healthy_store_is_left_unchanged(tmp_path: Path, record: Path) -> None:
    before = record.read_bytes()
    a_probe(tmp_path).use_record(record)
    assert record.read_bytes() == before


def test_a_locked_store_is_reported(tmp_path: Path, record: Path) -> None:
    with closing(sqlite3.connect(record)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ServiceUnavailableError, match="locked"):
            a_probe(tmp_path).use_record(record)


def test_a_damaged_store_is_reported(tmp_path: Path, record: Path) -> None:
    content = bytearray(record.read_bytes())
    content[4096:6000] = b"\xff" * (6000 - 4096)
    record.write_bytes(content)
    with pytest.raises(ServiceUnavailableError, match=r"records\.db: (damaged|database disk image is malformed)"):
        a_probe(tmp_path).use_record(record)


def test_a_server_that_is_not_a_store_is_reported(tmp_path: Path) -> None:
    odd = tmp_path / "odd.db"
    odd.write_text("hello " * 1000, encoding="utf-8")
    with pytest.raises(ServiceUnavailableError, match="file is not a database"):
        a_probe(tmp_path).use_record(odd)


def test_a_secret_is_looked_for_in_the_file_by_its_id(record: Path) -> None:
    stored = stored_in_file(record)
    assert stored(f"{7:032}") == b"x" * 500
    assert stored("unknown") == b""


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ServiceUnavailableError, match="unable to open"):
        stored_in_file(tmp_path / "gone.db")("id")
