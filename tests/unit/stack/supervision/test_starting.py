"""`cv-yolo up` with small servers: started once, found afterwards, tried again where one was given up."""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from cv_yolo.cli.main import run
from cv_yolo.settings import Settings
from cv_yolo_stack.configuration.folder import folder_of
from cv_yolo_stack.configuration.local_stack import read_stack
from cv_yolo_stack.supervision import control, starting
from cv_yolo_stack.supervision.processes import processes_of
from cv_yolo_stack.supervision.state import read_state
from tests.unit.stack.small import a_service

REPOSITORY = Path(__file__).resolve().parents[4]
Told = Callable[[], tuple[str, str]]


@pytest.fixture
def services(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project whose servers are two small ones."""
    folder = Settings(root=project).services
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")]))
    command = (sys.executable, "-m", "tests.unit.stack.small", str(folder), "sleep")
    monkeypatch.setattr(control, "SUPERVISE", command)
    monkeypatch.setattr(starting, "servers_of", lambda *_: (a_service(name="first"), a_service(name="second")))
    yield folder
    run(["down"])
    assert processes_of(folder) == []


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def read() -> tuple[str, str]:
        out, err = capsys.readouterr()
        return out, err

    return read


def password(project: Path) -> str:
    stack = read_stack(Settings(root=project))
    assert stack is not None
    return stack.credentials.zenml_password


def test_the_first_start_shows_the_password_and_what_to_do_next_and_the_second_finds_what_runs(
    services: Path, project: Path, told: Told
) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    out, err = told()
    assert password(project) in err
    assert password(project) not in out
    assert str(services / "credentials.json") in out
    assert "cv-yolo stack register" in err
    before = read_state(services / "state.json")
    assert run(["up", "--json"]) == 0
    out, err = told()
    assert "up already" in err
    assert password(project) not in out + err
    assert [each["name"] for each in json.loads(out)["services"]] == ["first", "second"]
    assert read_state(services / "state.json") == before


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often this process has read each file of its configuration, and the environment."""
    counted: Counter[str] = Counter()
    genuine_text, genuine_settings = Path.read_text, Settings.__init__

    def read_text(path: Path, **how: Any) -> str:
        counted[path.name] += 1
        return genuine_text(path, **how)

    def settings(made: Settings, **values: Any) -> None:
        counted["environment"] += 1
        genuine_settings(made, **values)

    monkeypatch.setattr(Path, "read_text", read_text)
    monkeypatch.setattr(Settings, "__init__", settings)
    return counted


@pytest.mark.parametrize("start", ["first", "next", "again"])
def test_an_up_reads_its_configuration_once(services: Path, read: Counter[str], start: str) -> None:
    if start != "first":
        assert run(["up", "--database", "sqlite"]) == 0
    if start == "next":
        assert run(["down"]) == 0
    read.clear()
    assert run(["up", "--database", "sqlite"]) == 0
    once = ("environment", "connection.json", "stack.json", "credentials.json")
    assert {name: read[name] for name in once} == dict.fromkeys(once, 1) | (
        {"credentials.json": 0} if start == "first" else {}  # it is seen not to be there
    )


def test_a_stack_that_was_down_starts_without_showing_the_password_again(
    services: Path, project: Path, told: Told
) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    assert run(["down"]) == 0
    told()
    assert run(["restart"]) == 0
    out, err = told()
    assert "No server is running." in out
    assert password(project) not in out + err


def test_servers_that_run_cannot_be_wished_elsewhere(services: Path, told: Told) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    assert run(["up", "--mlflow-port", "5999"]) == 2
    assert "`cv-yolo down` first" in told()[1]


def test_who_listens_to_the_network_is_warned(services: Path, told: Told) -> None:
    assert run(["up", "--database", "sqlite", "--host", "0.0.0.0"]) == 0
    assert "listen on 0.0.0.0, unencrypted" in told()[1]


def test_a_server_that_was_given_up_is_tried_again_by_the_next_up(
    services: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SUPERVISE", (*control.SUPERVISE[:-1], "door"))
    door = services / "door"
    services.mkdir(parents=True)
    door.touch()
    assert run(["up", "--database", "sqlite"]) == 0
    door.unlink()
    assert run(["restart", "second"]) == 3
    assert "Second did not come up" in told()[1]
    door.touch()
    assert run(["up"]) == 0
    assert "Second had been given up; starting it again." in told()[1]
    state = read_state(services / "state.json")
    assert state is not None
    assert state.ready


def test_another_up_at_work_is_waited_for_but_not_for_ever(
    services: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "OTHER_UP_WITHIN_S", 0.2)
    folder = folder_of(Settings())
    folder.make()
    with FileLock(folder.lock):
        assert run(["up"]) == 3
    err = told()[1]
    assert "Another `cv-yolo up` is at work here" in err
    assert "has been at work for 0.2 s" in err
