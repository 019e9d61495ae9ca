"""`cv-yolo doctor`: the table, the fix of a failure, JSON, exit codes, and where the addresses come from."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cv_yolo.cli.main import run
from cv_yolo.domain.stack import PipelineServerAddress
from cv_yolo.settings import Settings, write_connection
from cv_yolo_stack.cli.doctor import SERVICES as NAMED
from cv_yolo_stack.cli.doctor import print_findings
from cv_yolo_stack.configuration.choice import DatabaseKind, Ports, StackChoice, StoreKind, keep_choice
from cv_yolo_stack.configuration.credentials import keep_credentials, new_credentials
from cv_yolo_stack.configuration.folder import folder_of
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.workflows.doctor.checkups import SERVICES
from tests.canned_servers import API_KEY, CannedZenml
from tests.loopback import loopback

UNUSED_PORT = 1


def printed(*findings: CheckResult) -> str:
    out = StringIO()
    print_findings(Console(file=out, width=100), findings)
    return out.getvalue()


def a_finding(
    name: str, passed: bool | None, found: str, *, service: str = "store", remedy: str | None = None
) -> CheckResult:
    return CheckResult(
        service=service, name=name, passed=passed, expected="[works]", found=found, remedy=remedy, took_ms=12.4
    )


def test_the_services_of_the_command_are_those_of_the_examination() -> None:
    assert NAMED == SERVICES


def test_each_service_has_its_table_and_each_failure_its_remedy() -> None:
    text = printed(
        a_finding("clock", passed=True, found="as ours"),
        a_finding("version", passed=False, found="[old]", remedy="`pip install`"),
        a_finding("server", passed=None, found="none", service="machine"),
    )
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    assert lines == [
        "store",
        "  ✓  clock    as ours  12 ms",
        "  ✗  version  [old]    12 ms",
        "  version",
        "  expected  [works]",
        "  found     [old]",
        "  fix       `pip install`",
        "machine",
        "  –  server   none",
        "1 of 2 failed",
    ]


def test_checks_that_were_not_tried_for_one_reason_take_one_line() -> None:
    text = printed(
        a_finding("reachable", passed=False, found="down", remedy="start it"),
        *(a_finding(name, passed=None, found="not tried: reachable failed") for name in ("clock", "version")),
        a_finding("stack", passed=None, found="informational"),
    )
    assert text.count("not tried") == 1
    assert "–  2 more     not tried: reachable failed" in text
    assert "–  stack      informational" in text


def test_nothing_found_is_nothing_wrong() -> None:
    assert printed() == "Healthy: all 0 as expected\n"


def test_without_any_server_doctor_shows_how_to_get_one(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "machine"]) == 0
    assert "`cv-yolo up` starts one here" in capsys.readouterr().out
    assert [path.name for path in project.rglob("*") if path.is_file()] == ["schema.json"], (
        "looking makes nothing but an empty home"
    )


def test_a_requested_server_that_is_not_used_is_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "mlflow", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    (found,) = output["findings"]
    assert output["healthy"] is True
    assert (found["service"], found["passed"], found["found"]) == ("mlflow", None, "not tried: no server is used")
    assert set(found) == {"service", "name", "passed", "expected", "found", "remedy", "took_ms"}


def test_an_unknown_service_is_refused(project: Path) -> None:
    assert run(["doctor", "redis"]) == 2


def test_with_zenml_down_the_exit_code_says_so_and_nothing_else_can_be_tried(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(f"http://127.0.0.1:{UNUSED_PORT}")
    assert run(["doctor", "--json", "store", "zenml", "mlflow"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["healthy"] is False
    by_service = {each["service"]: each for each in found["findings"][::-1]}
    assert by_service["zenml"]["found"] == f"nothing listens at 127.0.0.1:{UNUSED_PORT}"
    for service in ("store", "mlflow"):
        assert by_service[service]["found"].startswith("not tried: its address is kept in ZenML's stack: ")


def test_an_unregistered_stack_is_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with loopback(CannedZenml()) as at:
        connect(at)
        assert run(["doctor", "zenml", "store"]) == 3
    text = capsys.readouterr().out
    assert "no stack mlflow_stack" in text
    assert "`cv-yolo stack register` creates it" in text
    assert API_KEY not in text


def test_each_server_of_up_that_is_down_is_reported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(Settings())
    folder.make()
    ports = Ports(zenml=UNUSED_PORT, mlflow=UNUSED_PORT, store=UNUSED_PORT, console=UNUSED_PORT, database=UNUSED_PORT)
    keep_choice(folder.choice, StackChoice(store=StoreKind.RCLONE, database=DatabaseKind.MARIADB, ports=ports))
    credentials = new_credentials()
    keep_credentials(folder.credentials, credentials)
    servers = ("store", "database", "zenml", "mlflow")
    assert run(["doctor", "--patience", "1", *servers]) == 3
    text = capsys.readouterr().out
    assert text.count("✗  reachable") == len(servers)
    assert "4 of 4 failed" in text
    assert credentials.store_secret_key not in text


def connect(url: str) -> None:
    write_connection(Settings(), PipelineServerAddress(url=url, api_key=API_KEY))
