"""`stack` and `connect` where something is missing; with real servers: tests/integration/test_stack.py."""

import io
import stat
import sys
from pathlib import Path

import pytest

from cv_yolo.cli.main import run
from cv_yolo.domain.stack import PipelineServerAddress
from cv_yolo.errors import ConfigError
from cv_yolo.settings import Settings, write_connection

UNREACHABLE = "http://127.0.0.1:1"
SERVER = PipelineServerAddress(url="http://zenml.test:8080", api_key="hidden-key")


def failed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    assert run(arguments) == code
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("stack", "register"), ("stack", "key", "ci")])
def test_without_servers_the_hint_shows_how_to_get_them(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    output = failed(capsys, *arguments, code=2)
    assert "no servers on this machine, and no --zenml-url" in output
    assert "cv-yolo up" in output


def test_servers_of_others_need_credentials_from_the_environment(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register = (
        "stack",
        "register",
        "--zenml-url",
        UNREACHABLE,
        "--mlflow-url",
        UNREACHABLE,
        "--s3-endpoint",
        UNREACHABLE,
    )
    assert "no credentials for ZenML" in failed(capsys, *register, code=2)
    monkeypatch.setenv("CV_YOLO_ZENML_PASSWORD", "hidden")
    assert "CV_YOLO_S3_ACCESS_KEY and CV_YOLO_S3_SECRET_KEY not set" in failed(capsys, *register, code=2)
    monkeypatch.setenv("CV_YOLO_S3_ACCESS_KEY", "access")
    monkeypatch.setenv("CV_YOLO_S3_SECRET_KEY", "hidden")
    output = failed(capsys, *register, code=3)
    assert f"ZenML at {UNREACHABLE}/api/v1/login: does not answer" in output
    assert "hidden" not in output
    assert not Settings().connection_file.exists()


def test_each_missing_server_address_is_requested(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_YOLO_ZENML_PASSWORD", "hidden")
    assert "no --mlflow-url" in failed(capsys, "stack", "register", "--zenml-url", UNREACHABLE, code=2)


def test_a_machine_without_a_server_has_no_stack_to_show(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = failed(capsys, "stack", "show", code=2)
    assert "uses the embedded defaults" in output
    assert "cv-yolo connect URL" in output


@pytest.mark.parametrize("arguments", [(), ("http://zenml.test", "--embedded")])
def test_connect_wants_a_server_or_none(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert "give a URL, or --embedded" in failed(capsys, "connect", *arguments, code=2)


def test_connect_without_a_key_or_terminal_fails_without_waiting(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "no API key" in failed(capsys, "connect", UNREACHABLE, code=2)


@pytest.mark.parametrize("by", ["environment", "standard input"])
def test_a_server_that_does_not_answer_is_not_connected_to(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("hidden-key\n"))
    if by == "environment":
        monkeypatch.setenv("ZENML_STORE_API_KEY", "hidden-key")
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    output = failed(capsys, "connect", UNREACHABLE, code=3)
    assert "does not answer" in output
    assert "hidden-key" not in output
    assert not Settings().connection_file.exists()


def test_back_to_the_embedded_defaults_and_once_more(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_connection(Settings(), SERVER)
    for _ in range(2):
        assert run(["connect", "--embedded"]) == 0
        assert Settings().connection is None


def test_a_connection_is_kept_for_its_owner_only(project: Path) -> None:
    write_connection(Settings(), SERVER)
    assert stat.S_IMODE(Settings().connection_file.stat().st_mode) == 0o600
    assert Settings().connection == SERVER
    assert "hidden-key" not in repr(Settings().connection)


def test_the_environment_goes_before_the_file_and_is_whole_or_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_connection(Settings(), SERVER)
    monkeypatch.setenv("CV_YOLO_SERVER_URL", "http://other.test")
    with pytest.raises(ConfigError, match="without CV_YOLO_SERVER_API_KEY"):
        _ = Settings().connection
    monkeypatch.setenv("CV_YOLO_SERVER_API_KEY", "another")
    assert Settings().connection == PipelineServerAddress(url="http://other.test", api_key="another")
    assert "another" not in repr(Settings())


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"url": "http://zenml.test"}'])
def test_a_damaged_connection_error_names_its_file(project: Path, content: str) -> None:
    Settings().connection_file.parent.mkdir(parents=True)
    Settings().connection_file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"connection\.json: cannot be read") as raised:
        _ = Settings().connection
    assert "cv-yolo connect" in (raised.value.hint or "")
