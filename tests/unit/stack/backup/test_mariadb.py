"""Dumps by MariaDB's programs (small scripts here): what they are asked, and what is made of how they end."""

import os
from pathlib import Path

import pytest

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo_stack.backup import mariadb
from cv_yolo_stack.backup.mariadb import dump, load

PASSWORD = 'with "quotes" and \\ and #'
ADDRESS = DatabaseAddress(host="127.0.0.1", port=3307, database="zenml", user="cv_yolo", password=PASSWORD)
SCRIPT = """#!/bin/sh
echo "$@" > {folder}/arguments
file=$(echo "$1" | sed 's/--defaults-file=//')
cp "$file" {folder}/login
ls -l "$file" > {folder}/mode
env > {folder}/environment
cat > {folder}/input
{more}
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the PATH, for scripts under the programs' names."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def script(programs: Path, name: str, more: str) -> None:
    program = programs / name
    program.write_text(SCRIPT.format(folder=programs, more=more), encoding="utf-8")
    program.chmod(0o700)


def reported(programs: Path, name: str) -> str:
    return (programs / name).read_text(encoding="utf-8")


def test_a_dump_is_consistent_and_does_not_expose_the_password(programs: Path, tmp_path: Path) -> None:
    script(programs, "mariadb-dump", "echo CREATE; echo '-- Dump completed on 2026'")
    dump(ADDRESS, ("zenml", "mlflow"), tmp_path / "dump.sql")
    assert (tmp_path / "dump.sql").read_text(encoding="utf-8").startswith("CREATE")
    arguments = reported(programs, "arguments")
    assert "--single-transaction" in arguments
    assert "--databases zenml mlflow" in arguments
    assert PASSWORD not in arguments + reported(programs, "environment")
    assert reported(programs, "mode").startswith("-rw-------")
    assert r'password="with \"quotes\" and \\ and #"' in reported(programs, "login")
    assert not Path(arguments.split()[0].removeprefix("--defaults-file=")).exists()


@pytest.mark.parametrize("more", ["echo half", "echo '-- Dump completed'; echo 'no such table' >&2; exit 2"])
def test_an_incomplete_dump_is_an_error(programs: Path, tmp_path: Path, more: str) -> None:
    script(programs, "mariadb-dump", more)
    with pytest.raises(ServiceUnavailableError, match=r"cannot be dumped: (the dump is incomplete|no such table)"):
        dump(ADDRESS, ("zenml",), tmp_path / "dump.sql")


def test_a_dump_is_loaded_from_its_file(programs: Path, tmp_path: Path) -> None:
    script(programs, "mariadb", "exit 0")
    (tmp_path / "dump.sql").write_text("CREATE TABLE", encoding="utf-8")
    load(ADDRESS, tmp_path / "dump.sql")
    assert reported(programs, "input") == "CREATE TABLE"


def test_a_rejected_dump_is_reported_with_the_reason(programs: Path, tmp_path: Path) -> None:
    script(programs, "mariadb", "echo 'ERROR 1064 at line 3' >&2; exit 1")
    (tmp_path / "dump.sql").touch()
    with pytest.raises(ServiceUnavailableError, match="rejected the dump: ERROR 1064 at line 3"):
        load(ADDRESS, tmp_path / "dump.sql")


def test_a_program_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(mariadb, "find", lambda _: None)
    with pytest.raises(NotFoundError, match="mariadb-dump is not installed"):
        dump(ADDRESS, ("zenml",), tmp_path / "dump.sql")
    with pytest.raises(NotFoundError, match="mariadb is not installed"):
        load(ADDRESS, tmp_path / "dump.sql")
