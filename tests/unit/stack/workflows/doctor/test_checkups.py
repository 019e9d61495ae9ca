"""Which servers are examined: the stack's, this machine's, or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.domain.stack import (
    DatabaseAddress,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.workflows.doctor.checkups import SERVICES, LocalServers, Servers, checkups, find_servers
from cv_yolo_stack.workflows.doctor.examine import examine
from tests.probes import FakeProbes

CONNECTION = PipelineServerAddress(url="http://127.0.0.1:8080", api_key="key")
ADMIN = PipelineServerAddress(url="http://localhost:8080/", user="admin", password="word")
STACK = StackAddresses(
    pipelines=CONNECTION,
    tracking=TrackingAddress(uri="http://mlflow:5000"),
    objects=ObjectStoreAddress(endpoint_url="http://s3:9000", access_key="a", secret_key="b"),
)
DATABASE = DatabaseAddress(host="127.0.0.1", port=3307, database="zenml", user="u", password="p")
LOCAL = LocalServers(
    addresses=replace(STACK, pipelines=ADMIN, tracking=TrackingAddress(uri="http://127.0.0.1:5000")),
    database=DATABASE,
    records=Path("zenml.db"),
)
FILED = replace(LOCAL, database=None)
ELSEWHERE = replace(LOCAL, addresses=replace(LOCAL.addresses, pipelines=replace(ADMIN, url="http://other:8080")))


def down() -> StackAddresses:
    raise ServiceUnavailableError("ZenML does not answer")


def test_without_servers_or_connection_there_is_no_address() -> None:
    assert find_servers(connection=None, local=None, read_stack=down) == Servers()


def test_servers_of_this_machine_are_used_as_their_administrator() -> None:
    found = find_servers(connection=None, local=LOCAL, read_stack=down)
    assert (found.pipelines, found.database, found.records) == (ADMIN, DATABASE, None)
    assert find_servers(connection=None, local=FILED, read_stack=down).records == Path("zenml.db")


def test_a_connected_machine_reads_the_stack() -> None:
    found = find_servers(connection=CONNECTION, local=None, read_stack=lambda: STACK)
    assert (found.pipelines, found.tracking, found.objects) == (CONNECTION, STACK.tracking, STACK.objects)
    assert (found.database, found.records) == (None, None)


def test_a_machine_that_is_connected_to_its_own_server_knows_the_database_too() -> None:
    assert find_servers(connection=CONNECTION, local=LOCAL, read_stack=lambda: STACK).database == DATABASE
    assert find_servers(connection=CONNECTION, local=ELSEWHERE, read_stack=lambda: STACK).database is None


def test_with_zenml_down_its_own_machine_knows_the_rest() -> None:
    found = find_servers(connection=CONNECTION, local=LOCAL, read_stack=down)
    assert (found.pipelines, found.tracking) == (CONNECTION, LOCAL.addresses.tracking)


@pytest.mark.parametrize("local", [None, ELSEWHERE])
def test_with_zenml_down_the_other_addresses_are_unknown(local: LocalServers | None) -> None:
    found = find_servers(connection=CONNECTION, local=local, read_stack=down)
    assert (found.pipelines, found.tracking, found.objects) == (CONNECTION, None, None)
    assert found.unknown == "its address is kept in ZenML's stack: ZenML does not answer"


def test_a_tracker_that_is_a_file_is_not_a_server() -> None:
    stack = replace(STACK, tracking=TrackingAddress(uri="sqlite:///mlflow.db"))
    found = find_servers(connection=CONNECTION, local=None, read_stack=lambda: stack)
    assert (found.tracking, found.unknown) == (None, "it is a file, not a server")


def test_all_services_of_a_stack_are_examined_in_order() -> None:
    found = checkups(
        find_servers(connection=CONNECTION, local=LOCAL, read_stack=lambda: STACK), FakeProbes(), stack="s"
    )
    assert tuple(each.service for each in found) == SERVICES


def test_without_a_server_only_this_machine_and_its_data_are() -> None:
    assert [each.service for each in checkups(Servers(), FakeProbes(), stack="s")] == ["dvc", "machine"]


def test_a_wanted_service_with_unknown_address_is_listed_with_the_reason() -> None:
    (found,) = examine(checkups(Servers(), FakeProbes(), stack="s", wanted=("mlflow",)))
    assert (found.service, found.passed, found.found) == ("mlflow", None, "not tried: no server is used")


def test_a_stack_whose_records_are_files_has_no_database() -> None:
    servers = find_servers(connection=None, local=FILED, read_stack=down)
    (found,) = examine(checkups(servers, FakeProbes(), stack="s", wanted=("database",)))
    assert found.found == "not tried: there is none, ZenML's records are zenml.db"


def test_only_what_is_wanted_is_examined() -> None:
    servers = find_servers(connection=CONNECTION, local=LOCAL, read_stack=lambda: STACK)
    probes = FakeProbes()
    assert [each.service for each in checkups(servers, probes, stack="s", wanted=("mlflow", "store"))] == [
        "store",
        "mlflow",
    ]
    assert probes.asked == [STACK.objects, STACK.tracking]


def secrets_finding(servers: Servers) -> str:
    found = examine(checkups(servers, FakeProbes(), stack="s", wanted=("zenml",)))
    return next(each.found for each in found if each.name == "secrets")


def test_secrets_are_looked_for_in_zenml_s_own_database_or_file() -> None:
    in_database = find_servers(connection=None, local=LOCAL, read_stack=down)
    assert secrets_finding(in_database).startswith("plain base64")
    assert secrets_finding(replace(in_database, database=None, records=Path("zenml.db"))) == "encrypted"
    assert secrets_finding(replace(in_database, database=None)).startswith("not tried")
