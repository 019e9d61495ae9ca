"""Trying ZenML: a sound server, and each way in which one goes wrong."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from cv_yolo.adapters.zenml.server import ZenmlServer
from cv_yolo.domain.stack import PipelineServerAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.clients import installed
from cv_yolo_stack.adapters.zenml_probe import ZenmlProbe, _other_key
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.workflows.doctor.examine import examine
from cv_yolo_stack.workflows.doctor.pipelines import pipeline_checkup
from tests.canned_servers import API_KEY, PASSWORD, USER, CannedZenml
from tests.loopback import Reply, json_reply, loopback

STACK = {"mlflow_stack": {"orchestrator": "default", "tracker": "mlflow_tracker", "store": "minio_artifacts"}}


def a_zenml(**changes: Any) -> CannedZenml:
    return CannedZenml(**({"version": installed("zenml"), "stacks": STACK} | changes))


@contextmanager
def probe_of(server: Any, **login: str) -> Iterator[ZenmlProbe]:
    with loopback(server) as at:
        address = PipelineServerAddress(url=at, **(login or {"api_key": API_KEY}))
        yield ZenmlProbe(address, partial(ZenmlServer, timeout_s=2), timeout_s=2)


def findings(
    server: Any, stored: Callable[[str], bytes] | None = None, *, stack: str = "mlflow_stack", **login: str
) -> dict[str, CheckResult]:
    with probe_of(server, **login) as probe:
        return {each.name: each for each in examine([pipeline_checkup(probe, stack=stack, stored=stored)])}


def failures(*given: Any, **changes: Any) -> dict[str, CheckResult]:
    return {name: each for name, each in findings(*given, **changes).items() if each.passed is False}


@pytest.mark.parametrize("login", [{"api_key": API_KEY}, {"user": USER, "password": PASSWORD}], ids=["key", "password"])
def test_a_sound_server_passes(login: dict[str, str]) -> None:
    server = a_zenml()
    found = findings(server, server.database.__getitem__, **login)
    assert [each for each in found.values() if not each.passed] == []
    assert found["secrets"].found == "encrypted"
    assert server.database == {}


def test_secrets_in_plain_base64_are_found_and_the_probe_s_own_is_removed() -> None:
    server = a_zenml(encrypts=False)
    found = failures(server, server.database.__getitem__)
    assert list(found) == ["secrets"]
    assert server.database == {}


def test_secrets_that_killed_trials_left_are_removed_and_those_of_others_are_not() -> None:
    now = datetime.now(UTC)
    old, fresh = (now - timedelta(hours=1)).replace(tzinfo=None).isoformat(), now.isoformat()
    server = a_zenml(
        secrets={
            "left": ("cv_yolo_probe_0123", old),
            "at-work": ("cv_yolo_probe_4567", fresh),
            "foreign": ("minio_zenml_secret", old),
        }
    )
    findings(server, server.database.__getitem__)
    assert set(server.secrets) == {"at-work", "foreign"}


def test_a_secret_that_is_not_in_the_database_indicates_another_database() -> None:
    server = a_zenml()
    assert failures(server, lambda _: b"")["secrets"].found == "a new secret is not in the database"
    assert server.database == {}


def test_a_server_without_authentication() -> None:
    found = failures(a_zenml(lets_anybody_in=True))
    assert "/secrets" in found["no credentials"].found


@pytest.mark.parametrize("login", [{"api_key": API_KEY}, {"user": USER, "password": PASSWORD}], ids=["key", "password"])
def test_a_server_that_takes_any_secret(login: dict[str, str]) -> None:
    found = failures(a_zenml(takes_any_password=True), **login)
    assert list(found) == ["wrong credentials"]
    assert found["wrong credentials"].found.startswith("wrong ")


def test_a_deleted_key() -> None:
    found = failures(a_zenml(), api_key="ZENKEY_expired")
    assert list(found) == ["our credentials"]
    assert "401" in found["our credentials"].found
    assert "cv-yolo connect" in str(found["our credentials"].remedy)


def test_a_server_that_is_not_activated() -> None:
    assert list(failures(a_zenml(active=False))) == ["activated"]


def test_a_server_of_another_version() -> None:
    assert failures(a_zenml(version="0.66.0"))["version"].found.startswith("0.66.0, and the client here is ")


def test_a_server_whose_clock_is_off() -> None:
    assert failures(a_zenml(ahead=timedelta(minutes=20)))["clock"].found == "20 min ahead of ours"


def test_an_unregistered_or_incomplete_stack_fails() -> None:
    assert failures(a_zenml(), stack="another")["stack"].found == "no stack another"
    found = failures(a_zenml(stacks={"mlflow_stack": {"orchestrator": "default"}}))
    assert found["stack"].found == "mlflow_stack has no mlflow_tracker and no minio_artifacts"


@pytest.mark.parametrize("reply", [json_reply(["hello"]), json_reply({"hello": 1}), Reply(status=404)])
def test_another_server_than_zenml(reply: Reply) -> None:
    assert list(failures(lambda _: reply)) == ["reachable"]


def test_nothing_listens() -> None:
    address = PipelineServerAddress(url="http://127.0.0.1:1", api_key=API_KEY)
    with pytest.raises(ServiceUnavailableError, match=r"nothing listens at 127\.0\.0\.1:1"):
        ZenmlProbe(address, ZenmlServer, timeout_s=1).greet()


def test_the_wrong_key_is_of_the_same_account() -> None:
    assert _other_key(API_KEY, "wrong") != API_KEY
    assert _other_key(API_KEY, "wrong")[:40] == API_KEY[:40]
    assert _other_key("ZENKEY_odd", "wrong") == "ZENKEY_wrong"
