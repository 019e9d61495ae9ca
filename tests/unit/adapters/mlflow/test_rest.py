"""Lists by MLflow's REST interface: page by page; what it refuses is left to MLflow's client."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cv_yolo.adapters.mlflow.rest import RunsOnServer, VersionsOnServer
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from tests.loopback import Asked, Reply, json_reply, loopback

EXPERIMENT = {"experiment": {"experiment_id": "7", "lifecycle_stage": "active"}}
MODEL = {"registered_model": {"name": "m", "aliases": [{"alias": "staging", "version": "11"}], "tags": []}}
MISSING = json_reply({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"}, status=404)


def a_run(number: int) -> dict[str, Any]:
    return {"info": {"run_id": f"run-{number}", "run_name": "e3_s320", "status": "FINISHED", "start_time": number}}


def a_version(number: int) -> dict[str, Any]:
    return {"version": str(number), "run_id": f"run-{number}", "tags": [{"key": "weights_sha256", "value": "a" * 64}]}


class Server:
    """Answers each path as it is set, and keeps the requests."""

    def __init__(self) -> None:
        self.replies: dict[str, Any] = {"experiments/get-by-name": EXPERIMENT, "registered-models/get": MODEL}
        self.asked: list[Asked] = []
        self.url = ""

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        reply = self.replies[urlsplit(asked.path).path.removeprefix("/api/2.0/mlflow/")]
        reply = reply(asked) if callable(reply) else reply
        return reply if isinstance(reply, Reply) else json_reply(reply)

    def runs(self, client: "Client | None" = None) -> tuple[Any, ...]:
        address = TrackingAddress(uri=self.url, user="anna", password="secret")
        return RunsOnServer(address, experiment="e", timeout_s=5, otherwise=client or Client(asks=False)).runs()

    def versions(self, client: "Client | None" = None) -> VersionsOnServer:
        address = TrackingAddress(uri=self.url)
        return VersionsOnServer(address, model="m", timeout_s=5, otherwise=client or Client(asks=False))


class Client:
    """MLflow's client."""

    def __init__(self, *, asks: bool = True) -> None:
        self._asks = asks

    def runs(self) -> Any:
        assert self._asks, "MLflow's client was asked"
        return ("the client's",)

    versions = anchor = runs


@pytest.fixture
def server() -> Iterator[Server]:
    answer = Server()
    with loopback(answer) as answer.url:
        yield answer


def test_runs_are_read_page_by_page_with_our_login(server: Server) -> None:
    def page(asked: Asked) -> Any:
        body = json.loads(asked.body)
        assert body["experiment_ids"] == ["7"]
        return {"runs": [a_run(2)]} if body.get("page_token") else {"runs": [a_run(3)], "next_page_token": "more"}

    server.replies["runs/search"] = page
    assert [run.run_id for run in server.runs()] == ["run-3", "run-2"]
    login = "Basic " + base64.b64encode(b"anna:secret").decode()
    assert {asked.headers["authorization"] for asked in server.asked} == {login}


def test_versions_are_read_page_by_page_and_sorted_by_their_number(server: Server) -> None:
    def page(asked: Asked) -> Any:
        query = parse_qs(urlsplit(asked.path).query)
        assert query["filter"] == ["name = 'm'"]
        if "page_token" in query:
            return {"model_versions": [a_version(2)]}
        return {"model_versions": [a_version(11), {"version": "3", "run_id": ""}], "next_page_token": "more"}

    server.replies["model-versions/search"] = page
    found = server.versions().versions()
    assert [(each.version, each.stage) for each in found] == [("2", None), ("11", Stage.STAGING)]


def test_what_was_not_begun_yet_is_empty(server: Server) -> None:
    server.replies = {"experiments/get-by-name": MISSING, "registered-models/get": MISSING}
    assert (server.runs(), server.versions().versions(), server.versions().anchor()) == ((), (), None)


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error_code": "PERMISSION_DENIED", "message": "no"}, status=403),
        Reply(status=401, body=b"You are not authenticated."),
        Reply(status=502, body=b"<html>a proxy</html>"),
        json_reply(["a list"]),
        json_reply({"experiment": {"lifecycle_stage": "deleted", "experiment_id": "7"}, "registered_model": None}),
        json_reply({"of": "another form"}),
    ],
)
def test_what_is_refused_or_has_another_form_is_left_to_the_client(server: Server, reply: Reply) -> None:
    server.replies = dict.fromkeys(("experiments/get-by-name", "registered-models/get"), reply)
    client = Client()
    assert server.runs(client) == server.versions(client).versions() == server.versions(client).anchor()
    assert server.runs(client) == ("the client's",)


def test_a_run_of_another_form_is_left_to_the_client(server: Server) -> None:
    server.replies["runs/search"] = {"runs": [a_run(1), {"info": {"run_id": "2", "status": "NEW"}}]}
    assert server.runs(Client()) == ("the client's",)


def test_a_server_that_is_gone_is_named_without_asking_the_client(server: Server) -> None:
    server.url = "http://127.0.0.1:9"
    for question in (server.runs, lambda: server.versions().versions(), lambda: server.versions().anchor()):
        with pytest.raises(ServiceUnavailableError, match=r"MLflow at .* does not answer"):
            question()
