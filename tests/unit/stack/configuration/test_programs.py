"""Programs of others: where they are, and what to do where they are not."""

from pathlib import Path

import pytest

from cv_yolo.errors import NotFoundError
from cv_yolo_stack.configuration import programs
from cv_yolo_stack.configuration.programs import find, find_mariadb, find_minio, find_rclone, required


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has no programs but those in `bin`."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(programs, "SYSTEM", ())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GOBIN", "GOPATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def a_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_rclone_comes_with_its_package() -> None:
    assert find_rclone() is not None


@pytest.mark.parametrize("place", ["bin/minio", "built/minio", "go/bin/minio"])
def test_minio_is_found_on_the_path_where_make_puts_it_and_where_go_does(machine: Path, place: str) -> None:
    assert find_minio(machine / "built") is None
    program = a_program(machine / place)
    assert find_minio(machine / "built") == program


@pytest.mark.parametrize(("name", "place"), [("GOBIN", "there/minio"), ("GOPATH", "there/bin/minio")])
def test_minio_is_found_in_gobin(machine: Path, monkeypatch: pytest.MonkeyPatch, name: str, place: str) -> None:
    program = a_program(machine / place)
    monkeypatch.setenv(name, str(machine / "there"))
    assert find_minio(machine / "built") == program


def test_mariadb_needs_its_server_and_what_makes_its_tables(machine: Path) -> None:
    assert find_mariadb() is None
    server = a_program(machine / "bin" / "mariadbd")
    assert find_mariadb() is None
    a_program(machine / "bin" / "mariadb-install-db")
    assert find_mariadb() == server


def test_servers_are_found_off_the_path_too(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "SYSTEM", (str(machine / "sbin"),))
    assert find("mariadbd") is None
    program = a_program(machine / "sbin" / "mariadbd")
    assert find("mariadbd") == program


def test_a_missing_program_is_reported_with_how_to_install_it() -> None:
    with pytest.raises(NotFoundError, match="minio is not installed") as caught:
        required(None, "minio", "make minio")
    assert caught.value.hint == "make minio"
    assert required(Path("/bin/sh"), "sh", "") == Path("/bin/sh")
