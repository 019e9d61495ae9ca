"""Registering a stack: everything made once, changed where it differs, left alone otherwise, tried by use."""

from dataclasses import replace

import pytest

from cv_yolo.domain.stack import (
    ARTIFACT_STORE,
    BUCKETS,
    OBJECTS_SECRET,
    SERVICE_ACCOUNT,
    STACK,
    TRACKER,
    TRACKING_SECRET,
    Change,
    ChangeKind,
    Kind,
    PipelineServerAddress,
    Secret,
    TrackingAddress,
)
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo_stack.workflows.register_stack import Registration, register_stack
from tests.fake_servers import ADMIN, OBJECTS, TRACKING, FakeServers, some_addresses


@pytest.fixture
def servers() -> FakeServers:
    return FakeServers()


def registered(
    servers: FakeServers, connection: PipelineServerAddress | None = None, **changes: object
) -> Registration:
    return register_stack(some_addresses(**changes), servers.clients(), connection=connection, report=lambda _: None)


def change_kinds(registration: Registration) -> set[ChangeKind]:
    return {change.kind for change in registration.changes}


def test_on_new_servers_everything_is_created_and_reported_as_it_happens(servers: FakeServers) -> None:
    reported: list[Change] = []
    done = register_stack(some_addresses(), servers.clients(), connection=None, report=reported.append)
    assert change_kinds(done) == {ChangeKind.MADE}
    assert tuple(reported) == done.changes
    assert set(servers.stored) == set(BUCKETS)
    assert servers.registry.stack(STACK) == {
        Kind.ORCHESTRATOR: "default",
        Kind.ARTIFACT_STORE: ARTIFACT_STORE,
        Kind.EXPERIMENT_TRACKER: TRACKER,
    }
    assert servers.remotes == [(OBJECTS, "dvc")]


def test_a_client_reaches_all_servers_with_its_own_key_and_user(
    servers: FakeServers,
) -> None:
    done = registered(servers)
    found = read_addresses(done.connection, servers.registry_at(done.connection))
    assert found.pipelines == done.connection
    assert done.connection.api_key in servers.api_keys.values()
    assert done.connection.password is None
    assert (found.tracking.uri, found.tracking.user) == (TRACKING.uri, SERVICE_ACCOUNT)
    assert servers.users[SERVICE_ACCOUNT] == found.tracking.password
    assert found.objects == OBJECTS


def test_once_more_changes_nothing(servers: FakeServers) -> None:
    first = registered(servers)
    kept = (dict(servers.users), dict(servers.api_keys), dict(servers.registry.secrets))
    second = registered(servers, first.connection)
    assert change_kinds(second) == {ChangeKind.UNCHANGED}
    assert second.connection == first.connection
    assert (servers.users, servers.api_keys, servers.registry.secrets) == kept


def test_differences_are_updated_and_the_rest_left_unchanged(servers: FakeServers) -> None:
    first = registered(servers)
    servers.registry.set_secret(Secret(name=OBJECTS_SECRET, values={"aws_access_key_id": "old"}))
    second = registered(servers, first.connection)
    changed = [change.subject for change in second.changes if change.kind is not ChangeKind.UNCHANGED]
    assert changed == [f"secret {OBJECTS_SECRET}"]


def test_a_user_sees_the_dashboard_at_once_and_a_service_account_has_none(servers: FakeServers) -> None:
    key = registered(servers).connection
    assert servers.surveys_skipped == 1
    with pytest.raises(ServiceUnavailableError):
        registered(servers, pipelines=replace(key, api_key="revoked"))
    registered(servers, key, pipelines=key)
    assert servers.surveys_skipped == 1


@pytest.mark.parametrize("connection", [None, PipelineServerAddress(url=ADMIN.url, api_key="revoked")])
def test_a_machine_whose_key_does_not_work_gets_a_new_one(
    servers: FakeServers, connection: PipelineServerAddress | None
) -> None:
    former = registered(servers).connection
    done = registered(servers, connection)
    assert done.connection not in {former, connection}
    assert len(servers.api_keys) == 2


def test_a_key_for_another_server_is_not_used_here(servers: FakeServers) -> None:
    first = registered(servers)
    done = registered(servers, replace(first.connection, url="http://elsewhere.test"))
    assert done.connection.url == ADMIN.url
    assert done.connection != first.connection


def test_a_user_whose_password_was_lost_gets_a_new_one(servers: FakeServers) -> None:
    first = registered(servers)
    lost = servers.users[SERVICE_ACCOUNT]
    servers.users[SERVICE_ACCOUNT] = "set by another user"
    second = registered(servers, first.connection)
    assert {f"MLflow user {SERVICE_ACCOUNT}", f"secret {TRACKING_SECRET}"} == {
        change.subject for change in second.changes if change.kind is ChangeKind.CHANGED
    }
    assert servers.users[SERVICE_ACCOUNT] not in {lost, "set by another user"}


def test_without_rights_to_create_users_the_given_user_is_used(servers: FakeServers) -> None:
    servers.users["anna"] = "annas-password"
    anna = TrackingAddress(uri=TRACKING.uri, user="anna", password="annas-password")
    done = registered(servers, tracking=anna)
    assert read_addresses(done.connection, servers.registry).tracking == anna
    assert SERVICE_ACCOUNT not in servers.users


def test_a_tracking_server_without_users_is_used_anonymously(servers: FakeServers) -> None:
    servers.with_users = False
    done = registered(servers, tracking=TrackingAddress(uri=TRACKING.uri))
    assert "none, as given" in [change.note for change in done.changes]
    assert servers.registry.secret(TRACKING_SECRET) == Secret(
        name=TRACKING_SECRET, values={"tracking_username": "none", "tracking_password": "none"}
    )


def test_a_project_without_dvc_is_reported(servers: FakeServers) -> None:
    servers.with_dvc = False
    last = registered(servers).changes[-1]
    assert (last.kind, last.note) == (ChangeKind.UNCHANGED, "this project has no `.dvc`")


@pytest.mark.parametrize("down", ["pipelines", "tracking", "objects"])
def test_a_server_that_is_down_is_noticed_before_anything_is_registered(servers: FakeServers, down: str) -> None:
    servers.down.add(down)
    with pytest.raises(ServiceUnavailableError, match=down):
        registered(servers)
    assert servers.registry.secrets == {}
    assert servers.api_keys == {}
