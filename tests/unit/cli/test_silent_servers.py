"""Every command that asks a server exits soon with code 3, and names the unresponsive server."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cv_yolo.cli.main import run
from cv_yolo.container.records import Records
from cv_yolo.container.servers import ServerClients
from cv_yolo.domain.stack import STACK, TrackingAddress
from cv_yolo_stack.servers.pages import free_port
from tests.fake_servers import some_addresses
from tests.loopback import Asked, Reply, json_reply, loopback

LIMIT_S = 1.0
COMMANDS = (
    ("runs",),
    ("runs", "--json"),
    ("show", "e5_s320"),
    ("models",),
    ("models", "check", "--dry-run"),
    ("history",),
    ("history", "--verify"),
    ("evaluate", "staging"),
    ("compare", "staging", "e5_s320"),
    ("promote",),
    ("rollback",),
    ("withdraw", "staging", "--reason", "recalled", "--yes"),
    ("ui", "--no-browser"),
    ("stack", "show"),
    ("stack", "register", "--zenml-url", "URL", "--mlflow-url", "URL", "--s3-endpoint", "URL"),
    ("stack", "key", "ci", "--zenml-url", "URL"),
    ("connect", "URL"),
    ("doctor", "zenml", "--timeout", "0.3"),
    ("data", "check", "data"),
    ("data", "pull", "data"),
    ("data", "push", "data"),
    ("grid",),
)
ASK_MLFLOW_FIRST = (("runs",), ("show", "e5_s320"), ("models",), ("evaluate", "e5_s320"), ("promote",))


@contextmanager
def blackhole() -> Iterator[str]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(params=["refuses", "says nothing", "closes", "502"])
def silent(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that is no use."""
    if request.param == "refuses":
        yield f"http://127.0.0.1:{free_port(0)}"
    elif request.param == "says nothing":
        with blackhole() as url:
            yield url
    else:
        reply = Reply(dropped=True) if request.param == "closes" else Reply(status=502, body=b"bad gateway")
        with loopback(lambda _: reply) as url:
            yield url


@pytest.fixture
def configured(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the files that commands read before they ask anybody."""
    repository = Path(__file__).resolve().parents[3]
    (project / "configs").symlink_to(repository / "configs")
    monkeypatch.setenv("CV_YOLO_ANSWER_LIMIT_S", str(LIMIT_S))
    monkeypatch.setenv("CV_YOLO_SERVER_API_KEY", "key")
    for name in ("ZENML_USER", "ZENML_PASSWORD", "MLFLOW_USER", "MLFLOW_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(f"CV_YOLO_{name}", "anna")
    return project


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_fails_soon_and_names_the_unusable_server(
    command: tuple[str, ...],
    silent: str,
    configured: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CV_YOLO_SERVER_URL", silent)
    began = time.monotonic()
    code = run([silent if word == "URL" else word for word in command])
    took_s, (out, err) = time.monotonic() - began, capsys.readouterr()
    assert code == 3, out + err
    assert took_s < 30, "the limit is a second, the rest is for libraries on a busy machine"
    assert "zenml" in (out + err).lower()
    assert "Traceback" not in out + err


@pytest.mark.parametrize("command", ASK_MLFLOW_FIRST, ids=" ".join)
def test_it_also_fails_if_only_mlflow_is_unusable(
    command: tuple[str, ...],
    silent: str,
    configured: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def zenml(asked: Asked) -> Reply:
        return json_reply({"version": "0.98.0"} if asked.path.endswith("/info") else {})

    addresses = some_addresses(tracking=TrackingAddress(uri=silent, user="u", password="p"))
    monkeypatch.setattr(ServerClients, "stack_addresses", property(lambda _: addresses))
    monkeypatch.setattr(Records, "limit_pipeline_client", lambda _: None)
    with loopback(zenml) as url:
        monkeypatch.setenv("CV_YOLO_SERVER_URL", url)
        began = time.monotonic()
        code = run(list(command))
    out, err = capsys.readouterr()
    assert code == 3, out + err
    assert time.monotonic() - began < 45, "MLflow's client asks thrice, and is imported first"
    assert f"MLflow at {silent}" in err or f"MLflow's registry at {silent}" in err, err
    assert STACK not in err
