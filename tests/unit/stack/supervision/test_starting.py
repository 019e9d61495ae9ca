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
Output = Callable[[], tuple[str, str]]


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
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    def read() -> tuple[str, str]:
        out, err = capsys.readouterr()
        return out, err

    return read


def password(project: Path) -> str:
    stack = read_stack(Settings(root=project))
    assert stack is not None
    return stack.credentials.zenml_password


def test_the_first_start_shows_the_password_and_what_to_do_next_and_the_second_finds_what_runs(
    services: Path, project: Path, output: Output
) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    out, err = output()
    assert password(project) in err
    assert password(project) not in out
    assert str(services / "credentials.json") in out
    assert "cv-yolo stack register" in err
    before = read_state(services / "state.json")
    assert run(["up", "--json"]) == 0
    out, err = output()
    assert "already running" in err
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
    services: Path, project: Path, output: Output
) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    assert run(["down"]) == 0
    output()
    assert run(["restart"]) == 0
    out, err = output()
    assert "No server is running." in out
    assert password(project) not in out + err


def test_running_servers_cannot_be_moved_to_other_addresses(services: Path, output: Output) -> None:
    assert run(["up", "--database", "sqlite"]) == 0
    assert run(["up", "--mlflow-port", "5999"]) == 2
    assert "stop them first" in output()[1]


def test_listening_on_the_network_prints_a_warning(services: Path, output: Output) -> None:
    assert run(["up", "--database", "sqlite", "--host", "0.0.0.0"]) == 0
    assert "listen on 0.0.0.0, unencrypted" in output()[1]


def test_a_server_that_was_given_up_is_tried_again_by_the_next_up(
    services: Path, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SUPERVISE", (*control.SUPERVISE[:-1], "door"))
    door = services / "door"
    services.mkdir(parents=True)
    door.touch()
    assert run(["up", "--database", "sqlite"]) == 0
    door.unlink()
    assert run(["restart", "second"]) == 3
    assert "Second did not come up" in output()[1]
    door.touch()
    assert run(["up"]) == 0
    assert "Second had failed; starting it again." in output()[1]
    state = read_state(services / "state.json")
    assert state is not None
    assert state.ready


def test_up_waits_for_another_up_with_a_time_limit(
    services: Path, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "OTHER_UP_WITHIN_S", 0.2)
    folder = folder_of(Settings())
    folder.make()
    with FileLock(folder.lock):
        assert run(["up"]) == 3
    err = output()[1]
    assert "Another `cv-yolo up` is running here" in err
    assert "has been running for 0.2 s" in err
