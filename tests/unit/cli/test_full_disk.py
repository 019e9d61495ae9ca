"""On a full disk every command says that the disk is full, which one, and what to do; none blames a database."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.errors import ConfigError, RunFailedError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from cv_yolo.settings import Settings
from tests.disks import fill, small_disk

HOME_BYTES = 24 * 2**20
RUN = NewRun(name="e3_s320", params={"epochs": "3", "image_size_px": "320"}, tags={})


@pytest.fixture
def full(project: Path) -> Iterator[Path]:
    """A project whose home is on a disk that became full after a run was recorded."""
    with small_disk(project / ".cv-yolo", HOME_BYTES) as home:
        Container(Settings(root=project)).records.tracker().start(RUN)
        filler = fill(home)
        yield home
        filler.unlink(missing_ok=True)


def full_disk_error(capsys: pytest.CaptureFixture[str], home: Path) -> str:
    err = capsys.readouterr().err
    assert "disk is full: 0.0 MB of 25.2 MB are free" in err
    assert str(home) in err
    assert "free some space there" in err
    assert "is its database up" not in err
    assert "Traceback" not in err
    return err


def test_status(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 3
    full_disk_error(capsys, full)
    assert run(["status", "--json"]) == 3
    disk = json.loads(capsys.readouterr().out)["disk"]
    assert disk == {"mount": str(full), "free_bytes": 0, "full": True}


def test_doctor(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "machine"]) == 3
    captured = capsys.readouterr()
    assert "full: 0.0 MB free" in captured.out
    assert f"The disk is full: 0.0 MB of 25.2 MB are free on {full}." in captured.err


def test_doctor_of_another_service_says_it_too(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "dvc"]) == 3
    full_disk_error(capsys, full)


@pytest.mark.parametrize("command", ["grid", "baseline"])
def test_nothing_is_trained(full: Path, project: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    (project / "configs").mkdir()
    config = project / "configs" / f"{command}.yaml"
    config.write_text("dataset: data/demo\nmodel: m.pt\ngrid: {epochs: [1], image_size_px: [64]}\n", encoding="utf-8")
    assert run([command]) == 3
    full_disk_error(capsys, full)


def test_runs_are_listed_or_the_disk_is_named(full: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["runs"])
    captured = capsys.readouterr()
    if code == 0:
        assert "e3_s320" in captured.out  # reading needs no room
    else:
        assert code == 3
        assert "error: the disk is full" in captured.err


def test_data_that_finds_no_room(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(project / "data", 2**18) as place:
        assert run(["data", "synth", "--out", str(place / "demo"), "--size", "320"]) == 3
        err = capsys.readouterr().err
    assert f"error: the disk is full: {place / 'demo'} does not fit, " in err
    assert f"are free on {place}" in err


def test_a_backup_that_finds_no_room(full: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["backup", str(full / "backups")]) in {2, 3}
    err = capsys.readouterr().err
    assert "error: " in err
    assert "free" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ServiceUnavailableError("ZenML at http://x: /login was answered 500", hint="is its database up?"), 3),
        (ServiceUnavailableError("MLflow at http://x: 500", hint="is it up?"), 3),
        (RunFailedError("e3_s320: the child process was killed"), 1),
    ],
)
def test_an_error_of_a_server_of_this_machine_is_explained_by_its_full_disk(
    full: Path, failing: object, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    assert callable(failing)
    failing(error)
    assert run(["runs"]) == code
    assert str(error) in full_disk_error(capsys, full)


def test_an_error_of_the_person_is_not_explained_by_the_disk(
    full: Path, failing: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(failing)
    failing(ConfigError("grid.yaml: no such key", hint="remove it"))
    assert run(["runs"]) == 2
    assert capsys.readouterr().err == "error: grid.yaml: no such key\nhint: remove it\n"


def test_a_full_disk_in_a_library_prints_no_traceback(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(failing)
    failing(sqlite3.OperationalError("database or disk is full"))
    assert run(["runs"]) == 3
    assert "error: the disk is full: OperationalError: database or disk is full" in capsys.readouterr().err
