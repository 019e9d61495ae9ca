"""MLflow, ZenML and databases as servers: what they refuse, and who is not there, in our words."""

import base64
import json

import pytest

from cv_yolo.adapters.mlflow_server import MlflowServer
from cv_yolo.adapters.sql_database import SqlDatabase
from cv_yolo.adapters.zenml_server import ZenmlServer
from cv_yolo.domain.addresses import DatabaseAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.domain.stack import Deed
from cv_yolo.errors import ServiceUnavailableError
from tests.canned_servers import API_KEY, PASSWORD, USER, CannedMlflow, CannedZenml
from tests.loopback import Asked, Reply, json_reply, loopback


def test_mlflow_is_used_as_its_user_and_keeps_no_run() -> None:
    server = CannedMlflow()
    with loopback(server) as at:
        MlflowServer(TrackingAddress(uri=f"{at}/", user=USER, password=PASSWORD)).use()
    assert (len(server.metrics), server.runs) == (1, set())


def test_a_scratch_experiment_that_is_there_is_taken() -> None:
    created: list[str] = []
    canned = CannedMlflow()

    def known(asked: Asked) -> Reply:
        created.append(asked.path)
        if "get-by-name" in asked.path:
            return json_reply({"experiment": {"experiment_id": "3"}})
        return canned(asked)

    with loopback(known) as at:
        server = MlflowServer(TrackingAddress(uri=at, user=USER, password=PASSWORD))
        with server.scratch_run() as (experiment_id, _):
            assert experiment_id == "3"
    assert not [path for path in created if "experiments/create" in path]


def test_a_wrong_password_is_told_and_not_repeated() -> None:
    with loopback(CannedMlflow()) as at, pytest.raises(ServiceUnavailableError, match="was answered 401") as caught:
        MlflowServer(TrackingAddress(uri=at, user=USER, password="another-word")).use()
    assert caught.value.hint == "user or password is wrong"
    assert "another-word" not in str(caught.value)


def test_a_refusal_is_told_in_the_server_s_words() -> None:
    with (
        loopback(lambda _: json_reply({"message": "no room"}, status=507)) as at,
        pytest.raises(ServiceUnavailableError, match="was answered 507: no room"),
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
        assert server.set_user("new", "word") is Deed.MADE
        assert server.set_user("known", "word") is Deed.CHANGED
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


def test_a_key_that_zenml_refuses_is_told() -> None:
    with (
        loopback(CannedZenml()) as at,
        pytest.raises(ServiceUnavailableError, match="/login was answered 401: wrong") as e,
    ):
        ZenmlServer(PipelineServerAddress(url=at, api_key="ZENKEY_old")).use()
    assert "`cv-yolo stack key NAME`" in str(e.value.hint)


def test_what_is_no_zenml_is_told() -> None:
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


def test_a_database_that_is_not_there_refuses_nobody() -> None:
    database = SqlDatabase(
        DatabaseAddress(host="127.0.0.1", port=1, database="zenml", user="u", password="hidden-word")
    )
    for deed in (database.use, database.version, database.clock, lambda: database.answer_to("other")):
        with pytest.raises(ServiceUnavailableError, match=r"database zenml at 127\.0\.0\.1:1: ") as caught:
            deed()
        assert "hidden-word" not in str(caught.value)


def test_the_canned_key_has_the_shape_of_a_real_one() -> None:
    assert json.loads(base64.b64decode(API_KEY.removeprefix("ZENKEY_"))).keys() == {"id", "key"}
