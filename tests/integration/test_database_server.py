"""`DatabaseServer`: databases are made, used, measured and counted; in memory, and by a real MariaDB."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.sql.server import SqlDatabase
from cv_yolo_stack.backup.running import out_of_the_way, running
from cv_yolo_stack.configuration.choice import DatabaseKind
from cv_yolo_stack.configuration.local_stack import DATABASES
from cv_yolo_stack.configuration.programs import find_mariadb
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.ports.databases import DatabaseServer, RecordKind
from cv_yolo_stack.servers.database import database
from tests.databases import FakeDatabaseServer
from tests.unit.stack.backup.stacks import a_stack

VERSIONS = RecordKind.MLFLOW_MODEL_VERSION


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseAddress]:
    """Where a MariaDB listens that was started by its own startup script."""
    if find_mariadb() is None:
        pytest.skip("mariadbd is not installed")
    root: Path = tmp_path_factory.mktemp("database")
    stack = out_of_the_way(a_stack(root / "services", database=DatabaseKind.MARIADB))
    service, found = database(stack, StackContainer(Settings(root=root))), stack.database("")
    assert service is not None
    assert found is not None
    with running([service], stack.folder):
        yield found


@pytest.fixture(params=["fake", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A server whose databases are there, with two versions of a model."""
    if request.param == "fake":
        return FakeDatabaseServer(databases={"zenml": {}, "mlflow": {VERSIONS: 2}})
    address: DatabaseAddress = request.getfixturevalue("address")
    with SqlDatabase(replace(address, database="mlflow")).cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE model_versions (version INT)")
        cursor.execute("INSERT INTO model_versions VALUES (1), (2)")
    return SqlDatabase(replace(address, database="mlflow"))


def test_a_server_is_used_and_says_its_version(server: DatabaseServer) -> None:
    server.use()
    assert "MariaDB" in server.version()


def test_databases_that_are_there_are_left_as_they_are(server: DatabaseServer) -> None:
    server.make_databases(DATABASES)
    assert server.count_records(DATABASES) == {VERSIONS: 2}


def test_records_and_size_are_those_of_the_databases_that_are_named(server: DatabaseServer) -> None:
    assert server.count_records(["zenml", "missing"]) == {}
    assert server.size_bytes(["missing"]) == 0
    assert server.size_bytes(DATABASES) > 0


def test_a_server_that_does_not_answer_is_named(address: DatabaseAddress) -> None:
    for server in (FakeDatabaseServer(down="down"), SqlDatabase(replace(address, password="wrong"))):
        for ask in (server.use, server.version, lambda server=server: server.count_records(DATABASES)):
            with pytest.raises(ServiceUnavailableError):
                ask()
