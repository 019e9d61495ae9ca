"""MLflow, ZenML and databases as servers: what they refuse, and who is not there, in our words."""

import base64
import json
from copy import deepcopy

import pytest

from cv_yolo.adapters.zenml.server import ZenmlServer
from cv_yolo.domain.stack import ChangeKind, DatabaseAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.mlflow import MlflowServer
from cv_yolo_stack.adapters.sql.server import SqlDatabase
from tests.canned_servers import API_KEY, PASSWORD, USER, CannedMlflow, CannedZenml
from tests.loopback import Asked, Reply, json_reply, loopback


def mlflow(at: str) -> MlflowServer:
    return MlflowServer(TrackingAddress(uri=at, user=USER, password=PASSWORD))


def test_mlflow_is_used_as_its_user_and_is_the_same_after_each_use() -> None:
    server = CannedMlflow()
    with loopback(server) as at:
        mlflow(f"{at}/").use()
        first = deepcopy((server.experiment, server.runs))
        for _ in range(3):
            mlflow(at).use()
    assert (server.experiment, server.runs) == first
    assert server.experiment["name"] == f"cv_yolo_probe_{USER}"
    assert {"key": "mlflow.experiment.isGateway", "value": "true"} in server.experiment["tags"]
    (run,) = server.runs.values()
    assert (run["status"], run["tags"]) == ("FINISHED", {})
    assert [each["value"] for each in run["metrics"].values()] == [1.0]


def test_a_scratch_experiment_of_an_earlier_version_is_taken_and_no_longer_listed() -> None:
    server = CannedMlflow(experiment={"experiment_id": "3", "lifecycle_stage": "active"})
    with loopback(server) as at:
        experiment_id, _ = mlflow(at).scratch_run()
    assert experiment_id == "3"
    assert [each["key"] for each in server.experiment["tags"]] == ["mlflow.experiment.isGateway"]


def test_a_deleted_scratch_experiment_is_restored() -> None:
    server = CannedMlflow(experiment={"experiment_id": "3", "lifecycle_stage": "deleted"})
    with loopback(server) as at:
        mlflow(at).use()
    assert server.experiment["lifecycle_stage"] == "active"


def test_a_failed_use_removes_what_it_has_set() -> None:
    server = CannedMlflow()

    def broken(asked: Asked) -> Reply:
        return Reply(status=500) if "runs/get" in asked.path else server(asked)

    with loopback(broken) as at, pytest.raises(ServiceUnavailableError, match="returned 500"):
        mlflow(at).use()
    assert [run["tags"] for run in server.runs.values()] == [{}]


def test_a_server_that_writes_nothing_is_not_usable() -> None:
    with (
        loopback(CannedMlflow(loses_tags=True)) as at,
        pytest.raises(ServiceUnavailableError, match="a tag was returned with another value"),
    ):
        mlflow(at).use()


def test_a_server_that_does_not_remove_a_tag_is_reported() -> None:
    server = CannedMlflow()

    def keeps(asked: Asked) -> Reply:
        return Reply(status=500) if "delete-tag" in asked.path else server(asked)

    with loopback(keeps) as at, pytest.raises(ServiceUnavailableError, match="delete-tag returned 500"):
        mlflow(at).use()


def test_a_wrong_password_is_reported_and_not_shown() -> None:
    with loopback(CannedMlflow()) as at, pytest.raises(ServiceUnavailableError, match="returned 401") as caught:
        MlflowServer(TrackingAddress(uri=at, user=USER, password="another-word")).use()
    assert caught.value.hint == "user or password is wrong"
    assert "another-word" not in str(caught.value)


def test_a_refusal_shows_the_servers_message() -> None:
    with (
        loopback(lambda _: json_reply({"message": "no room"}, status=507)) as at,
        pytest.raises(ServiceUnavailableError, match="returned 507: no room"),
    ):
        MlflowServer(TrackingAddress(uri=at)).use()


def test_a_user_is_made_or_has_the_password_changed() -> None:
    asked: list[str] = []

    def users(request: Asked) -> Reply:
        asked.append(f"{request.method} {request.path}")
        known = json.loads(request.body)["username"] == "known"
        return Reply(status=400 if known and "create" in request.path else 200)

    with loopback(users) as at:
        server = MlflowServer(TrackingAddress(uri=at))
        assert server.set_user("new", "word") is ChangeKind.MADE
        assert server.set_user("known", "word") is ChangeKind.CHANGED
    assert asked[-1] == "PATCH /api/2.0/mlflow/users/update-password"


@pytest.mark.parametrize(
    ("reply", "administers"),
    [
        (json_reply({"user": {"is_admin": True}}), True),
        (json_reply({"user": {"is_admin": False}}), False),
        (Reply(status=404), False),
        (Reply(body=b"hello"), False),
    ],
)
def test_only_an_administrator_may_make_users(reply: Reply, administers: bool) -> None:
    with loopback(lambda _: reply) as at:
        assert MlflowServer(TrackingAddress(uri=at)).administers() is administers


def test_zenml_is_asked_with_one_login() -> None:
    server = CannedZenml()
    with loopback(server) as at:
        client = ZenmlServer(PipelineServerAddress(url=at, api_key=API_KEY))
        client.use()
        client.use()
    assert server.asked.count("POST /api/v1/login") == 1


def test_a_key_that_zenml_refuses_is_reported() -> None:
    with (
        loopback(CannedZenml()) as at,
        pytest.raises(ServiceUnavailableError, match="/login was answered 401: wrong") as e,
    ):
        ZenmlServer(PipelineServerAddress(url=at, api_key="ZENKEY_old")).use()
    assert "`cv-yolo stack key NAME`" in str(e.value.hint)


def test_a_server_that_is_not_zenml_is_reported() -> None:
    with loopback(lambda _: Reply(status=404)) as at, pytest.raises(ServiceUnavailableError, match="this is no ZenML"):
        ZenmlServer(PipelineServerAddress(url=at)).info()


@pytest.mark.parametrize("known", [False, True], ids=["new account", "known account"])
def test_a_key_is_made_for_an_account_and_replaces_one_of_its_name(known: bool) -> None:
    asked: list[str] = []

    def accounts(request: Asked) -> Reply:
        path = request.path.removeprefix("/api/v1")
        asked.append(f"{request.method} {path}")
        if path == "/login":
            return json_reply({"access_token": "token"})
        if request.method == "GET":
            return json_reply({"items": [{"id": "7"}] if known else []})
        return json_reply({"id": "8", "body": {"key": "ZENKEY_new"}})

    with loopback(accounts) as at:
        assert ZenmlServer(PipelineServerAddress(url=at)).make_api_key("cv-yolo", "ci") == "ZENKEY_new"
    assert ("POST /service_accounts" in asked) is not known
    assert ("DELETE /service_accounts/7/api_keys/7" in asked) is known


def test_a_missing_database_is_not_a_refusal() -> None:
    database = SqlDatabase(
        DatabaseAddress(host="127.0.0.1", port=1, database="zenml", user="u", password="hidden-word")
    )
    for call in (database.use, database.version, database.clock, lambda: database.answer_to("other")):
        with pytest.raises(ServiceUnavailableError, match=r"database zenml at 127\.0\.0\.1:1: ") as caught:
            call()
        assert "hidden-word" not in str(caught.value)


def test_the_canned_key_has_the_shape_of_a_real_one() -> None:
    assert json.loads(base64.b64decode(API_KEY.removeprefix("ZENKEY_"))).keys() == {"id", "key"}
