"""What only MLflow can do to us: a store that is down, long texts, many metrics, two processes that start at once."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from cv_yolo.adapters.mlflow.conventions import translated as _translated
from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.tracker import MlflowTracker
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.errors import AccessRefusedError, CvYoloError, NotFoundError, RunFailedError, ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from tests.builders import a_new_version

RUN = NewRun(name="e3_s320", params={"epochs": "3"}, tags={})


@pytest.fixture
def tracker(store: Path, request: pytest.FixtureRequest) -> MlflowTracker:
    name = request.node.name
    return MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment=name, artifacts=store / name)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a server that is down."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


TRACKER_CALLS: dict[str, Callable[[MlflowTracker], object]] = {
    "connect": lambda tracker: tracker.connect(),
    "start": lambda tracker: tracker.start(RUN),
    "log_epoch": lambda tracker: tracker.log_epoch("r", EpochMetrics(epoch=1, values={"x": 1.0})),
    "tag": lambda tracker: tracker.tag("r", {"weights_sha256": "a"}),
    "log_artifacts": lambda tracker: tracker.log_artifacts("r", [Path(__file__)]),
    "finish": lambda tracker: tracker.finish("r", RunStatus.FAILED, "why"),
    "get": lambda tracker: tracker.get("r"),
    "runs": lambda tracker: tracker.runs(),
    "history": lambda tracker: tracker.history("r", "x"),
    "artifact": lambda tracker: tracker.artifact("r", "x"),
    "artifacts": lambda tracker: tracker.artifacts("r", "weights"),
}


@pytest.mark.parametrize("call", list(TRACKER_CALLS))
def test_a_tracking_server_that_is_down_is_an_unavailable_service(unreachable: str, call: str) -> None:
    started = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match=unreachable) as caught:
        TRACKER_CALLS[call](MlflowTracker(uri=unreachable, experiment="cv_yolo_tiny"))
    assert caught.value.exit_code == 3
    assert time.monotonic() - started < 20


REGISTRY_CALLS: dict[str, Callable[[MlflowRegistry], object]] = {
    "register": lambda registry: registry.register(a_new_version(run_id="r")),
    "versions": lambda registry: registry.versions(),
    "set_stage": lambda registry: registry.set_stage("1", Stage.STAGING),
    "anchor": lambda registry: registry.anchor(),
    "set_anchor": lambda registry: registry.set_anchor("7 abc"),
}


@pytest.mark.parametrize("call", list(REGISTRY_CALLS))
def test_a_registry_that_is_down_is_an_unavailable_service(unreachable: str, call: str) -> None:
    with pytest.raises(ServiceUnavailableError, match=unreachable):
        REGISTRY_CALLS[call](MlflowRegistry(uri=unreachable, model="cv_yolo_tiny"))


def test_a_file_that_is_not_a_database_is_an_unavailable_service(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, but it is long enough to be looked at" * 50)
    with pytest.raises(ServiceUnavailableError, match=r"mlflow\.db"):
        MlflowTracker(uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="cv_yolo_tiny").runs()


class Answering(BaseHTTPRequestHandler):
    """A server that gives every request the same answer."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.server.says  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if body.startswith("{") else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names that its base class looks for

    def log_message(self, *_: object) -> None:
        """Nothing on the screen."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPServer]:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    made = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def json_of(code: str, message: str) -> str:
    return json.dumps({"error_code": code, "message": message})


ANSWERS: dict[str, tuple[int, str, type[CvYoloError], str]] = {
    "wrong password": (401, "You are not authenticated.", AccessRefusedError, "user or password is wrong"),
    "no right": (403, json_of("PERMISSION_DENIED", "Permission denied"), AccessRefusedError, "may not do that"),
    "host": (403, "Invalid Host header - possible DNS rebinding", ServiceUnavailableError, "to this host name"),
    "no such run": (404, json_of("RESOURCE_DOES_NOT_EXIST", "Run 'r' not found"), NotFoundError, "Run 'r' not found"),
    "other server": (404, "<html>nothing here</html>", ServiceUnavailableError, "nothing here"),
    "refused": (400, json_of("INVALID_PARAMETER_VALUE", "Invalid metric name"), RunFailedError, "refused it"),
    "too long": (400, json_of("BAD_REQUEST", "(pymysql.err.DataError) (1406"), RunFailedError, "refused it"),
    "database": (400, json_of("BAD_REQUEST", "(pymysql.err.InterfaceError)"), ServiceUnavailableError, "InterfaceErr"),
    "busy": (503, json_of("TEMPORARILY_UNAVAILABLE", "no database"), ServiceUnavailableError, "503"),
    "broken": (500, "oops", ServiceUnavailableError, "500"),
}


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_the_servers_responses_become_different_errors(server: HTTPServer, answer: str) -> None:
    status, body, kind, words = ANSWERS[answer]
    server.says = (status, body)  # type: ignore[attr-defined]
    with pytest.raises(kind, match=re.escape(words)) as raised:
        MlflowTracker(uri=f"http://127.0.0.1:{server.server_port}", experiment="x").tag("r", {"a": "b"})
    assert type(raised.value) is kind
    if status in {401, 403}:
        assert raised.value.hint is not None


FILE_ANSWERS = {
    401: (AccessRefusedError, "user or password is wrong"),
    404: (NotFoundError, "not in MLflow"),
    413: (RunFailedError, "refused it"),
    422: (RunFailedError, "refused it"),
    503: (ServiceUnavailableError, "503"),
}


@pytest.mark.parametrize("status", list(FILE_ANSWERS))
def test_the_servers_responses_for_files_become_different_errors(status: int) -> None:
    kind, words = FILE_ANSWERS[status]
    response = requests.Response()
    response.status_code = status
    with pytest.raises(kind, match=words) as raised, _translated("http://x"):
        raise requests.HTTPError(f"{status} Error for url: http://x/mlflow-artifacts", response=response)
    assert type(raised.value) is kind


UNANSWERED = {
    "exception HTTPConnectionPool(host='x'): (Caused by NewConnectionError('Failed'))": "NewConnectionError",
    "exception ('Connection aborted.', RemoteDisconnected('Remote end closed'))": "RemoteDisconnected",
    "timeout exception HTTPConnectionPool(host='x'): Read timed out. (read timeout=2)": "Read timed out",
    "exception Max retries (Caused by ResponseError('too many 503 error responses'))": "too many 503 error responses",
    "exception whatever": "exception",
}


@pytest.mark.parametrize("message", list(UNANSWERED))
def test_no_response_is_reported_in_a_few_words(message: str) -> None:
    with pytest.raises(ServiceUnavailableError) as raised, _translated("http://anna:s3cret@x"):
        raise MlflowException(f"API request to http://anna:s3cret@x/api/2.0 failed with {message}")
    assert raised.value.message == f"MLflow at http://x does not answer ({UNANSWERED[message]})"


def test_an_answer_that_never_came_is_an_unavailable_service() -> None:
    with pytest.raises(ServiceUnavailableError, match="cut off"), _translated("http://x"):
        raise requests.HTTPError("cut off")


def test_no_password_in_an_address_is_shown(unreachable: str) -> None:
    address = unreachable.replace("//", "//anna:s3cret@")
    with pytest.raises(ServiceUnavailableError) as raised:
        MlflowTracker(uri=address, experiment="cv_yolo_tiny").runs()
    assert "s3cret" not in f"{raised.value.message} {raised.value.hint}"
    assert unreachable.removeprefix("http://") in raised.value.message


def test_a_file_that_is_gone_is_not_waited_for(tracker: MlflowTracker, tmp_path: Path) -> None:
    run_id = tracker.start(RUN)
    with pytest.raises(RunFailedError, match=r"gone\.pt: an artifact of run"):
        tracker.log_artifacts(run_id, [tmp_path / "gone.pt"])


def test_a_partially_started_run_is_marked_as_failed(tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = MlflowClient.log_batch

    def fails_on_params(self: MlflowClient, run_id: str, params: object = (), **others: object) -> None:
        if params:
            raise MlflowException("connection lost")
        genuine(self, run_id, **others)

    tracker.connect()
    monkeypatch.setattr(MlflowClient, "log_batch", fails_on_params)
    with pytest.raises(ServiceUnavailableError, match="connection lost"):
        tracker.start(NewRun(name="e3_s320", params={"epochs": "3"}, tags={"driver": "host 1 2"}))
    (left,) = tracker.runs()
    assert (left.status, left.tags["driver"]) == (RunStatus.FAILED, "host 1 2")
    assert "could not be started" in str(left.reason)


def test_a_very_long_reason_is_accepted_when_a_run_fails(tracker: MlflowTracker) -> None:
    run_id = tracker.start(RUN)
    tracker.finish(run_id, RunStatus.FAILED, "TrainingFailedError: " + "out of memory " * 2000)
    run = tracker.get(run_id)
    assert run.status is RunStatus.FAILED
    assert run.reason is not None
    assert run.reason.startswith("TrainingFailedError: out of memory")


def test_long_parameters_and_tags_are_kept_as_far_as_they_fit(tracker: MlflowTracker) -> None:
    run = tracker.get(
        tracker.start(NewRun(name="long", params={"weights": "w" * 20_000}, tags={"origin": "o" * 20_000}))
    )
    assert run.params["weights"].startswith("www")
    assert run.tags["origin"].startswith("ooo")


def test_other_runs_parameters_are_not_mixed_up_by_process_wide_state(tracker: MlflowTracker) -> None:
    def start(index: int) -> None:
        run_id = tracker.start(NewRun(name=f"run-{index}", params={"epochs": str(index)}, tags={}))
        tracker.log_metrics(run_id, {"final/map_50": index / 10})
        tracker.finish(run_id, RunStatus.FINISHED)

    tracker.connect()
    threads = [threading.Thread(target=start, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {run.name: (run.params["epochs"], run.scores["map_50"]) for run in tracker.runs()} == {
        f"run-{index}": (str(index), index / 10) for index in range(4)
    }


def test_more_runs_than_fit_on_a_page_are_all_listed(tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cv_yolo.adapters.mlflow.tracker.PAGE", 2)
    started = {tracker.start(RUN) for _ in range(5)}
    assert {run.run_id for run in tracker.runs()} == started


def test_an_experiment_that_another_process_made_just_now_is_used(
    store: Path, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.connect()
    late = MlflowTracker(uri=f"sqlite:///{store}/mlflow.db", experiment=tracker._experiment)
    ask, there = MlflowClient.get_experiment_by_name, iter([False, True])
    monkeypatch.setattr(
        MlflowClient, "get_experiment_by_name", lambda self, name: ask(self, name) if next(there) else None
    )
    assert late.start(RUN) == tracker.runs()[0].run_id


def test_an_experiment_that_cannot_be_made_is_an_unavailable_service(
    tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MlflowClient, name: str, **_: object) -> str:
        raise MlflowException("database is locked")

    monkeypatch.setattr(MlflowClient, "create_experiment", refuse)
    with pytest.raises(ServiceUnavailableError, match="database is locked"):
        tracker.connect()


def test_the_sources_of_a_version_are_the_runs_own_weights(store: Path, tracker: MlflowTracker, tmp_path: Path) -> None:
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"weights")
    run_id = tracker.start(RUN)
    tracker.log_artifacts(run_id, [weights], "weights")
    uri = f"sqlite:///{store}/mlflow.db"
    made = MlflowRegistry(uri=uri, model="sources").register(a_new_version(run_id=run_id, weights=weights))
    version = MlflowClient(tracking_uri=uri, registry_uri=uri).get_model_version("sources", made.version)
    assert version.run_id == run_id
    assert version.tags == {"weights_sha256": "a" * 64, "confidence_threshold": "0.31"}
    assert Path(version.source.removeprefix("file://")).read_bytes() == b"weights"


def test_an_alias_of_others_is_left_alone(store: Path, tracker: MlflowTracker) -> None:
    uri = f"sqlite:///{store}/mlflow.db"
    registry = MlflowRegistry(uri=uri, model="theirs")
    made = registry.register(a_new_version(run_id=tracker.start(RUN)))
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.set_registered_model_alias("theirs", "canary", made.version)
    registry.set_stage(made.version, Stage.STAGING)
    assert registry.versions()[0].stage is Stage.STAGING
    assert str(client.get_model_version_by_alias("theirs", "canary").version) == made.version


def test_a_version_that_others_made_is_left_alone(store: Path, tracker: MlflowTracker) -> None:
    uri = f"sqlite:///{store}/mlflow.db"
    registry = MlflowRegistry(uri=uri, model="shared")
    made = registry.register(a_new_version(run_id=tracker.start(RUN)))
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    client.create_model_version("shared", source="file:///elsewhere")
    assert registry.versions() == (made,)


def test_the_stage_of_a_version_is_readable_on_mlflows_pages(store: Path, tracker: MlflowTracker) -> None:
    uri = f"sqlite:///{store}/mlflow.db"
    registry = MlflowRegistry(uri=uri, model="readable")
    first, second = (registry.register(a_new_version(run_id=tracker.start(RUN))).version for _ in range(2))
    registry.set_stage(first, Stage.STAGING)
    registry.set_stage(second, Stage.STAGING)
    registry.set_stage(second, Stage.PRODUCTION)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    assert {name: str(version) for name, version in client.get_registered_model("readable").aliases.items()} == {
        "production": second
    }
    assert [client.get_model_version("readable", each).tags["stage"] for each in (first, second)] == [
        "archived",
        "production",
    ]


def test_a_version_of_an_untracked_run_is_not_registered(store: Path, tracker: MlflowTracker) -> None:
    tracker.connect()
    registry = MlflowRegistry(uri=f"sqlite:///{store}/mlflow.db", model="unknown")
    with pytest.raises((NotFoundError, ServiceUnavailableError), match="f" * 32):
        registry.register(a_new_version(run_id="f" * 32))
    assert registry.versions() == ()


def test_tracking_leaves_no_active_run_and_no_folder_behind(
    tracker: MlflowTracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracker.log_metrics(tracker.start(RUN), {"final/map_50": 0.5})
    assert mlflow.active_run() is None
    assert list(tmp_path.iterdir()) == []


def test_a_registry_with_an_invalid_database_is_an_unavailable_service(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"this is not a database, but it is long enough to be looked at" * 50)
    with pytest.raises(ServiceUnavailableError, match=r"mlflow\.db"):
        MlflowRegistry(uri=f"sqlite:///{tmp_path}/mlflow.db", model="cv_yolo_tiny").versions()


def test_a_model_that_cannot_be_made_is_an_unavailable_service(
    store: Path, tracker: MlflowTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: MlflowClient, name: str) -> None:
        raise MlflowException("database is locked")

    run_id = tracker.start(RUN)
    monkeypatch.setattr(MlflowClient, "create_registered_model", refuse)
    registry = MlflowRegistry(uri=f"sqlite:///{store}/mlflow.db", model="locked")
    with pytest.raises(ServiceUnavailableError, match="database is locked"):
        registry.register(a_new_version(run_id=run_id))


def test_a_version_leads_to_the_weights_that_the_run_keeps_whatever_they_are_called_here(
    tracker: MlflowTracker, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run_id, kept, here = tracker.start(RUN), tmp_path / "best.pt", tmp_path / "a1b2c3.pt"
    kept.write_bytes(b"weights")
    tracker.log_artifacts(run_id, [kept], "weights")
    registry = MlflowRegistry(uri=f"sqlite:///{store}/mlflow.db", model=request.node.name)
    made = registry.register(a_new_version(run_id=run_id, weights=here))
    source = MlflowClient(f"sqlite:///{store}/mlflow.db").get_model_version(request.node.name, made.version).source
    assert source.endswith(f"{run_id}/artifacts/weights/best.pt")
