"""A pipeline run outlasts a restart of ZenML's server, and reports when it cannot."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from requests.adapters import HTTPAdapter
from s3fs import S3FileSystem
from urllib3 import Retry
from zenml.exceptions import AuthorizationException, CredentialsNotValid

from cv_yolo.container import Container
from cv_yolo.domain.training.progress import EventKind
from cv_yolo.errors import AccessRefusedError, ServiceUnavailableError
from cv_yolo.pipelines import outages, runtime
from cv_yolo.pipelines.outages import (
    LONGEST_PAUSE_S,
    STEP_LOGS,
    answering,
    attempts,
    configure_clients,
    limit_store_client,
    note_lost_step_logs,
    require_store,
    retry_requests,
    storing,
    watching_store,
)
from cv_yolo.settings import Settings
from cv_yolo.workflows.retry import RetryPolicy
from cv_yolo.workflows.time_limit import watching


class Fine(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        key = self.headers.get("Idempotency-Key")
        broken = self.path == "/broken" or (self.path == "/recovered" and key == "first")
        self.send_response(503 if self.path == "/down" else 500 if broken else 429 if key == "stuck" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


class LateServer:
    """A server at an address where nothing listens until it is started."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._server: HTTPServer | None = None

    def start(self) -> None:
        self._server = HTTPServer(("127.0.0.1", self.port), Fine)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture
def server() -> Iterator[LateServer]:
    made = LateServer()
    yield made
    made.stop()


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session as ZenML's client makes it."""
    level = logging.getLogger("urllib3.connectionpool").level
    with requests.Session() as made:
        made.mount("http://", HTTPAdapter(max_retries=Retry(connect=5, read=8, backoff_factor=1)))
        yield made
    logging.getLogger("urllib3.connectionpool").setLevel(level)


def policy(total_s: float) -> RetryPolicy:
    return RetryPolicy(total_s=total_s, wait=threading.Event().wait)


def test_a_server_that_is_started_meanwhile_is_reached_and_its_absence_is_reported_once(
    server: LateServer, session: requests.Session
) -> None:
    reports: list[str] = []

    def report() -> None:
        reports.append("away")
        server.start()

    retry_requests(session, report, policy(90))
    assert session.get(f"http://127.0.0.1:{server.port}/").ok
    assert reports == ["away"]


def test_a_server_is_waited_for_as_long_as_a_restart_takes(session: requests.Session) -> None:
    retry_requests(session, lambda: None, policy(90))
    retries, waited_s = session.get_adapter("http://x").max_retries, 0.0
    assert retries.read == 8, "what ZenML asks for otherwise stays"
    for _ in range(attempts(90)):
        retries = retries.increment("GET", "/", error=OSError("refused"))
        waited_s += retries.get_backoff_time()
    assert 80 < waited_s < 100
    assert retries.get_backoff_time() == LONGEST_PAUSE_S


def test_a_request_at_which_the_server_was_killed_is_made_anew_under_another_key(
    server: LateServer, session: requests.Session
) -> None:
    session.mount("http://", HTTPAdapter(max_retries=Retry(status=10, status_forcelist=[429], backoff_factor=0)))
    server.start()
    retry_requests(session, lambda: None, policy(90))
    answer = session.request("GET", f"http://127.0.0.1:{server.port}/", headers={"Idempotency-Key": "stuck", "A": "b"})
    assert answer.status_code == 200


def test_a_server_that_stays_away_is_given_up(server: LateServer, session: requests.Session) -> None:
    session.mount("http://", HTTPAdapter(max_retries=Retry(status=10, status_forcelist=[503], backoff_factor=0)))
    server.start()
    retry_requests(session, lambda: None, policy(0.2))
    with pytest.raises(requests.exceptions.RetryError):
        session.request("GET", f"http://127.0.0.1:{server.port}/down")


def test_a_server_that_has_lost_its_database_is_asked_anew_under_another_key(
    server: LateServer, session: requests.Session
) -> None:
    reports: list[str] = []
    server.start()
    retry_requests(session, lambda: reports.append("away"), policy(30))
    url = f"http://127.0.0.1:{server.port}"
    assert session.request("GET", f"{url}/recovered", headers={"Idempotency-Key": "first"}).status_code == 200
    assert reports == ["away"]


def test_one_that_stays_without_it_is_given_up(server: LateServer, session: requests.Session) -> None:
    server.start()
    retry_requests(session, lambda: None, policy(0.2))
    assert session.request("GET", f"http://127.0.0.1:{server.port}/broken").status_code == 500


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (CredentialsNotValid("invalid token"), AccessRefusedError, "refuses our API key: invalid token"),
        (AuthorizationException("revoked"), AccessRefusedError, "refuses our API key: revoked"),
        (RuntimeError("An unexpected error occurred."), ServiceUnavailableError, "is its database up?"),
        (RuntimeError("(pymysql.err.OperationalError) (2003, ...)"), ServiceUnavailableError, "is its database up?"),
    ],
)
def test_what_zenmls_client_raises_is_reported_as_our_error(
    zenml_container: Container, error: Exception, kind: type[ServiceUnavailableError], message: str
) -> None:
    with pytest.raises(kind, match=message) as raised, answering():
        raise error
    assert raised.value.hint


def test_step_logs_that_are_lost_are_reported_once_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    reports: list[str] = []
    logger = logging.getLogger(STEP_LOGS)
    before = (logger.propagate, logger.handlers)
    note_lost_step_logs(reports.append)
    for _ in range(3):
        try:
            raise ConnectionError("no store")
        except ConnectionError:
            logger.exception("Failed to export logs")
    logger.propagate, logger.handlers = before
    assert len(reports) == 1
    assert capsys.readouterr() == ("", "")


def test_the_embedded_store_is_a_folder_that_needs_no_trial(zenml_container: Container) -> None:
    with runtime.using(zenml_container):
        require_store()


@dataclass
class Connected:
    """The parts of a machine that is connected to a stack, whose store answers or not, and whose child works or not."""

    store_answers: Callable[[], bool]
    at_work: bool = False
    connection: str | None = "http://zenml"
    endpoint_url: str = "http://store"
    total_s: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.settings = self.servers = self.stack_addresses = self.objects = self.children = self.retry = self


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[Connected], list[ServiceUnavailableError]]:
    """With what errors a pipeline run is given up on that machine, in a twentieth of a second."""
    monkeypatch.setattr(outages, "watching", partial(watching, every_s=0.001))

    def watch(machine: Connected) -> list[ServiceUnavailableError]:
        errors: list[ServiceUnavailableError] = []
        monkeypatch.setattr(runtime, "_IN_USE", [machine])
        with watching_store(errors.append):
            threading.Event().wait(0.05)
        return errors

    return watch


Watched = Callable[[Connected], list[ServiceUnavailableError]]


def silent() -> bool:
    threading.Event().wait(0.001)
    return False


def test_a_store_that_stays_silent_is_given_up_with_its_address_and_what_goes_on(given_up: Watched) -> None:
    (error,) = given_up(Connected(silent, total_s=0.01))
    assert error.message == "the object store at http://store does not answer (waited 0.01 s)"
    assert "run the same command again" in str(error.hint)


def test_a_store_that_answers_or_is_not_waited_for_is_not_given_up(given_up: Watched) -> None:
    assert given_up(Connected(lambda: True)) == []
    assert given_up(Connected(silent, total_s=60)) == []
    assert given_up(Connected(silent, at_work=True)) == [], "a training goes on"
    assert given_up(Connected(silent, connection=None)) == [], "an embedded stack has no server"
    stopped = Connected(silent)
    stopped.stop.set()
    assert given_up(stopped) == [], "the person was faster"


def test_the_stores_client_does_not_multiply_the_time_for_a_hung_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3FileSystem, "retries", 5)
    monkeypatch.setattr(S3FileSystem, "read_timeout", 15)
    limit_store_client(90)
    assert S3FileSystem.retries * S3FileSystem.read_timeout * (attempts(90) + 2) == pytest.approx(90)
    limit_store_client(0)
    assert S3FileSystem.read_timeout == 5, "a busy store has time to answer"


def test_a_key_that_the_artifact_store_refuses_is_no_outage() -> None:
    with pytest.raises(AccessRefusedError, match="s3://zenml-artifacts"), storing("s3://zenml-artifacts"):
        raise PermissionError("Forbidden")


def test_a_server_that_does_not_answer_is_reported_as_our_error(zenml_container: Container) -> None:
    with pytest.raises(ServiceUnavailableError, match="does not answer: ConnectionError") as raised, answering():
        raise requests.ConnectionError("Max retries exceeded with url: /api/v1/runs")
    assert "run the same command again" in str(raised.value.hint)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), answering():
        raise FileNotFoundError("no such file")
    with pytest.raises(RuntimeError), answering():
        raise RuntimeError("a bug")


def test_from_then_on_the_journal_notes_it_and_services_are_waited_for(
    zenml_container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_YOLO_PATIENCE_S", "12")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    settings = Settings(root=zenml_container.settings.root)
    assert Container(settings).retry.total_s == 0, "a short command says at once what is wrong"
    container = Container.of_pipeline_run("grid-1", settings)
    with runtime.using(container):
        configure_clients()
    container.report("MLflow does not answer")
    (event,) = container.journal("grid-1").events()
    assert (event.kind, event.text, container.retry.total_s) == (EventKind.NOTE, "MLflow does not answer", 12)
    assert (os.environ["AWS_RETRY_MODE"], os.environ["AWS_MAX_ATTEMPTS"]) == ("standard", "6"), "the store's client too"
