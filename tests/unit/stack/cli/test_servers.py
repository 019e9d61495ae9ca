"""`cv-yolo up` and its kin at the door: wishes that cannot be had, how servers fare, logs without secrets."""

import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cv_yolo.cli.main import run
from cv_yolo.files import private_folder
from cv_yolo.settings import Settings
from cv_yolo_stack.cli import server_output as server_progress
from cv_yolo_stack.cli.server_output import clock_text, figures_of, servers_table, showing
from cv_yolo_stack.configuration.choice import DatabaseKind, Wish
from cv_yolo_stack.configuration.folder import folder_of
from cv_yolo_stack.configuration.local_stack import LocalStack, read_files, read_stack
from cv_yolo_stack.domain.liveness import Health
from cv_yolo_stack.supervision.processes import mark
from cv_yolo_stack.supervision.starting import keep, planned
from cv_yolo_stack.supervision.state import Board, ServiceState, StackState, Status
from tests.loopback import Reply, loopback
from tests.unit.stack.small import SLEEP, a_service

SINCE = "2026-03-04T12:00:05+00:00"
STORE = ServiceState(name="store", title="object store (rclone)", url="http://127.0.0.1:9000")
ZENML = ServiceState(name="zenml", title="ZenML", url="http://127.0.0.1:8080")


def a_state(*services: ServiceState) -> StackState:
    return StackState(pid=os.getpid(), services=services)


def ready(service: ServiceState, pid: int | None = None) -> ServiceState:
    return replace(service, status=Status.READY, pid=pid, starts=1, ready_after_s=1.5)


@pytest.fixture
def stack(project: Path) -> LocalStack:
    """A stack that was chosen, in a private home."""
    settings = Settings(root=project)
    private_folder(settings.home)
    files = read_files(folder_of(settings))
    made = planned(files, Wish(database=DatabaseKind.SQLITE))
    keep(made, files)
    return made


@pytest.fixture
def at_work(stack: LocalStack) -> Iterator[int]:
    """A process that passes for each of that stack's."""
    child = subprocess.Popen([sys.executable, "-c", SLEEP], env={**os.environ, **mark(stack.folder.root)})
    yield child.pid
    child.kill()
    child.wait()


def a_board(stack: LocalStack, pid: int, url: str, **statuses: Status) -> None:
    services = [replace(a_service(name=name), url=url) for name in statuses]
    board = Board(stack.folder.state, services, pid=pid)
    for name, status in statuses.items():
        board.update(name, status=status, pid=pid)


def output_of(stack: LocalStack, capsys: pytest.CaptureFixture[str], code: int, **changes: object) -> tuple[str, str]:
    """What `status` says of a store of which that is known, on standard output and error."""
    board = Board(stack.folder.state, [replace(a_service(name="store"), url="Amazon S3")], pid=int(str(changes["pid"])))
    board.update("store", **({"status": Status.READY} | changes))
    assert run(["status"]) == code
    out, err = capsys.readouterr()
    return " ".join(out.split()), err


def test_a_busy_server_is_reported_and_usable(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = {"health": Health.BUSY, "health_since": SINCE, "note": "not usable within 10 s"}
    out, err = output_of(stack, capsys, 0, pid=at_work, **busy)
    assert f"ready (busy since {clock_text(SINCE)}: not usable within 10 s)" in out
    assert err == ""


def test_a_server_that_responds_with_errors_is_reported_and_not_usable(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = {"health": Health.FAILING, "health_since": SINCE, "note": "answered 500"}
    out, err = output_of(stack, capsys, 3, pid=at_work, **failing)
    assert f"ready (failing since {clock_text(SINCE)}: answered 500)" in out
    assert "`cv-yolo doctor store` shows more" in err


def test_a_hung_server_is_reported_with_its_planned_restart(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = output_of(stack, capsys, 3, pid=at_work, health=Health.HUNG, health_since=SINCE)
    assert "ready (does not answer)" in out
    assert f"store is hung since {clock_text(SINCE)}, and is restarted if it stays so" in err


def test_a_failed_server_is_shown_with_its_next_attempt(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given_up = {"status": Status.FAILED, "note": "hung for 40 s", "next_attempt_at": SINCE}
    out, err = output_of(stack, capsys, 3, pid=at_work, **given_up)
    assert "failed (hung for 40 s)" in out
    assert f"the next attempt is at {clock_text(SINCE)}, or now with `cv-yolo restart store`" in err


def test_machine_output_is_the_same(stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]) -> None:
    board = Board(stack.folder.state, [replace(a_service(name="store"), url="Amazon S3")], pid=at_work)
    board.update("store", status=Status.READY, pid=at_work, health=Health.HUNG, health_since=SINCE)
    capsys.readouterr()  # the supervisor's log
    assert run(["status", "--json"]) == 3
    (output,) = json.loads(capsys.readouterr().out)["services"]
    assert (output["health"], output["health_since"], output["hung"]) == ("hung", SINCE, True)
    assert output["next_attempt_at"] is None


def written(table: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(table)
    return out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--store-url", "http://me:secret@s3.example"], "every user of this machine could read"),
        (["--store", "rclone", "--store-url", "http://s3.example"], "for an external store"),
        (["--database", "sqlite", "--database-url", "mysql://db.example"], "needs its address"),
        (["--database", "external"], "needs its address"),
        (["--store", "rclone", "--minio", "/bin/sh"], "needs --store minio"),
        (["--minio", "/no/such/minio"], "does not exist"),
        (["--mlflow-port", "70000"], "not in the range"),
        (["--store", "floppy"], "is not one of"),
        (["--store-url", "http://s3.example"], "no credentials for the store"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_written(
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert run(["up", *arguments]) == 2
    output = capsys.readouterr().err
    assert message in output
    assert "secret@" not in output
    assert read_stack(Settings(root=project)) is None


def test_a_port_in_use_from_the_environment_is_reported(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("CV_YOLO_STORE_PORT", str(port))
        assert run(["up", "--database", "sqlite"]) == 3
    assert f"port {port} for object store (rclone) is in use by process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_before_the_first_start_each_command_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status"]) == 3
    assert "not running. Start them with `cv-yolo up`" in capsys.readouterr().out
    assert run(["status", "--json"]) == 3
    shown = json.loads(capsys.readouterr().out)
    assert (shown["up"], shown["services"]) == (False, [])
    assert run(["down"]) == 0
    output = capsys.readouterr().out
    assert "No server is running." in output
    assert run(["logs", "zenml"]) == 2
    assert run(["restart", "zenml"]) == 3
    assert run(["supervise"]) == 2
    assert "start them with `cv-yolo up`" in capsys.readouterr().err


COMMANDS = (["status"], ["logs", "mlflow"], ["down"], ["restart", "mlflow"])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_open_home_is_closed_before_anything_in_it_is_read(
    command: list[str], stack: LocalStack, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Settings(root=project).home
    home.chmod(0o777)
    run(command)
    assert home.stat().st_mode & 0o777 == 0o700
    said = capsys.readouterr().err
    assert said.count(f"{home} was open to other users of this machine (mode 0777); it is now private.") == 1, said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_missing_home_is_not_created(command: list[str], project: Path) -> None:
    run(command)
    assert not Settings(root=project).home.exists()


def test_status_shows_each_service_and_whether_all_are_usable(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with loopback(lambda _: Reply(status=403)) as url:
        a_board(stack, at_work, url, store=Status.READY, zenml=Status.STARTING)
        capsys.readouterr()
        assert run(["status", "--json"]) == 3
        store, zenml = json.loads(capsys.readouterr().out)["services"]
        assert (store["status"], zenml["status"]) == ("ready", "starting")
        assert store["pid"] == at_work
        assert store["memory_bytes"] is not None
        a_board(stack, at_work, url, store=Status.READY)
        capsys.readouterr()
        assert run(["status"]) == 0
        assert "ready" in capsys.readouterr().out


def test_a_running_server_that_does_not_respond_is_reported_with_what_to_do(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with loopback(lambda _: Reply(dropped=True)) as url:
        a_board(stack, at_work, url, store=Status.READY, zenml=Status.STARTING)
        capsys.readouterr()
        assert run(["status"]) == 3
        output = capsys.readouterr()
        assert "ready (does not answer)" in output.out
        assert "`cv-yolo restart store` restarts it" in output.err
        assert run(["status", "--json"]) == 3
        assert [each["hung"] for each in json.loads(capsys.readouterr().out)["services"]] == [True, False]


def test_an_external_service_cannot_be_restarted(
    stack: LocalStack, at_work: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with loopback(lambda _: Reply(dropped=True)) as url:
        service = replace(a_service(name="store"), url=url)
        Board(stack.folder.state, [service], pid=at_work).update("store", status=Status.READY)
        capsys.readouterr()
        assert run(["status"]) == 3
    assert capsys.readouterr().err == "`cv-yolo doctor store` shows more.\n"


def test_the_table_shows_each_action_in_words(stack: LocalStack, at_work: int) -> None:
    failed = replace(ZENML, status=Status.FAILED, note="killed by SIGKILL [twice]", restarts=5)
    figures = figures_of(a_state(ready(STORE, at_work), failed), stack.folder)
    figures[0]["runs_for_s"] = 7260
    text = written(servers_table(figures))
    assert "2 h" in text
    assert "failed (killed by SIGKILL [twice])" in text
    for seconds, words in ((5, "5 s"), (90, "1 min"), (200_000, "2 d")):
        figures[0]["runs_for_s"] = seconds
        assert words in written(servers_table(figures))
    assert "waiting" in written(servers_table(figures_of(a_state(STORE), stack.folder)))


def test_logs_are_shown_from_their_end_without_passwords_and_keys(
    stack: LocalStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.folder.logs.mkdir()
    stack.folder.log("zenml").write_text(f"one\nlogged in with {stack.credentials.zenml_password}\n", encoding="utf-8")
    stack.folder.log("store").touch()
    assert run(["logs", "zenml", "-n", "1"]) == 0
    assert capsys.readouterr().out == "logged in with •••\n"
    assert run(["logs", "store"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["logs", "mlflow"]) == 2
    assert "logs: store, zenml" in capsys.readouterr().err


def test_a_log_is_followed_until_ctrl_c(
    stack: LocalStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.folder.logs.mkdir()
    log = stack.folder.log("zenml")
    log.write_text("before\n", encoding="utf-8")
    writes = iter([f"after {stack.credentials.zenml_password}\n"])

    def write_then_interrupt(_: float) -> None:
        try:
            text = next(writes)
        except StopIteration:
            raise KeyboardInterrupt from None
        with log.open("a", encoding="utf-8") as file:
            file.write(text)

    monkeypatch.setattr("cv_yolo_stack.supervision.log_file.time.sleep", write_then_interrupt)
    assert run(["logs", "zenml", "--follow"]) == 130
    assert capsys.readouterr().out == "before\nafter •••\n"


def test_in_a_file_each_change_is_a_line_and_nothing_is_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    with showing() as report:
        report(a_state(STORE))
        report(a_state(STORE))
        report(a_state(ready(STORE)))
        report(a_state(replace(STORE, status=Status.RESTARTING, note="killed by SIGKILL; restarts in 0.5 s")))
    lines = [line.split(maxsplit=1)[1] for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        "object store (rclone): waiting",
        "object store (rclone): ready after 1.5 s",
        "object store (rclone): restarting: killed by SIGKILL; restarts in 0.5 s",
    ]


def test_in_a_terminal_a_table_moves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_progress.sys.stderr, "isatty", lambda: True)
    with showing():
        pass
    assert capsys.readouterr().err == "", "nothing was reported"
    with showing() as report:
        report(a_state(STORE, ZENML))
        report(a_state(ready(STORE), replace(ZENML, status=Status.FAILED, note="[no] luck")))
    output = capsys.readouterr().err
    assert "ready after 1.5 s" in output
    assert "failed: [no] luck" in output
