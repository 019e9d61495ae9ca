"""What the servers are started with: closed by default, secrets in no argument, no foreign configuration."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.configuration.choice import DatabaseKind, StackChoice, StoreKind
from cv_yolo_stack.configuration.credentials import NAMES, new_credentials
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.local_stack import LocalStack
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.servers import database as database_module
from cv_yolo_stack.servers import object_store as store_module
from cv_yolo_stack.servers.database import database
from cv_yolo_stack.servers.service import Service, clean_environment
from cv_yolo_stack.supervision.starting import servers_of

RCLONE, MINIO, ELSEWHERE = StoreKind.RCLONE, StoreKind.MINIO, StoreKind.EXTERNAL
SQLITE, MARIADB = DatabaseKind.SQLITE, DatabaseKind.MARIADB


@pytest.fixture
def container(tmp_path: Path) -> StackContainer:
    return StackContainer(Settings(root=tmp_path))


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which both databases' programs are installed."""
    monkeypatch.setattr(database_module, "find_mariadb", lambda: Path("/usr/sbin/mariadbd"))
    monkeypatch.setattr(store_module, "find_minio", lambda _: Path("/opt/minio"))


def a_stack(tmp_path: Path, choice: StackChoice) -> LocalStack:
    return LocalStack(folder=StackFolder(root=tmp_path / "services"), choice=choice, credentials=new_credentials())


def named(services: tuple[Service, ...]) -> dict[str, Service]:
    return {service.name: service for service in services}


@pytest.mark.parametrize("store", [RCLONE, MINIO])
@pytest.mark.parametrize("records", [SQLITE, MARIADB])
def test_no_argument_holds_a_secret_and_none_is_shown(
    tmp_path: Path, container: StackContainer, store: StoreKind, records: DatabaseKind
) -> None:
    stack = a_stack(tmp_path, StackChoice(store=store, database=records))
    for service in servers_of(stack, container):
        for name, secret in asdict(stack.credentials).items():
            assert name in NAMES or secret not in repr(service), (service.name, name)


def test_services_start_in_the_order_of_their_needs(tmp_path: Path, container: StackContainer) -> None:
    services = servers_of(a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB)), container)
    assert [service.name for service in services] == ["store", "database", "zenml", "mlflow"]
    assert [service.needs for service in services] == [(), (), ("database",), ("store", "database")]
    services = servers_of(a_stack(tmp_path, StackChoice(store=RCLONE, database=SQLITE)), container)
    assert [(each.name, each.needs) for each in services] == [("store", ()), ("zenml", ()), ("mlflow", ("store",))]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_all_servers_listen_on_the_configured_host(tmp_path: Path, container: StackContainer, host: str) -> None:
    for store in (RCLONE, MINIO):
        for service in servers_of(a_stack(tmp_path, StackChoice(store=store, database=MARIADB, host=host)), container):
            assert host in " ".join(service.command).replace("=", " ").replace(":", " ").split(), service.name
            assert service.url.split("://")[1].startswith("127.0.0.1:")


def test_mlflow_has_logins_with_a_cache_one_worker_and_no_job_runner(tmp_path: Path, container: StackContainer) -> None:
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB))
    mlflow = named(servers_of(stack, container))["mlflow"]
    words = " ".join(mlflow.command)
    for wanted in ("--app-name basic-auth", "--workers 1", "--allowed-hosts localhost:5000,127.0.0.1:5000 "):
        assert wanted in words
    assert mlflow.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    mlflow.prepare()
    login = Path(mlflow.environment["MLFLOW_AUTH_CONFIG_PATH"])
    assert login.stat().st_mode & 0o077 == 0
    assert "auth_cache_ttl_seconds = 60" in login.read_text(encoding="utf-8")
    assert mlflow.environment["MLFLOW_BACKEND_STORE_URI"].startswith("mysql+pymysql://cv_yolo:")


def test_a_server_for_the_network_answers_to_this_machines_own_names(tmp_path: Path, container: StackContainer) -> None:
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=SQLITE, host="0.0.0.0"))
    words = named(servers_of(stack, container))["mlflow"].command
    names = words[words.index("--allowed-hosts") + 1].split(",")
    assert {"localhost:5000", "127.0.0.1:5000"} < set(names)
    assert len(names) == len(set(names)) > 2


def test_zenml_is_activated_and_keeps_its_secrets_encrypted_with_our_key(
    tmp_path: Path, container: StackContainer
) -> None:
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=SQLITE))
    environment = named(servers_of(stack, container))["zenml"].environment
    assert environment["ZENML_SERVER_AUTO_ACTIVATE"] == "1"
    assert environment["ZENML_SECRETS_STORE_ENCRYPTION_KEY"] == stack.credentials.zenml_encryption_key
    assert environment["ZENML_STORE_URL"].startswith("sqlite:////")


def test_a_password_with_special_characters_is_quoted_in_both_database_urls(
    tmp_path: Path, container: StackContainer
) -> None:
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB))
    odd = replace(stack, credentials=replace(stack.credentials, database_user="a@b", database_password="p/w:%?"))
    services = named(servers_of(odd, container))
    assert "//a%40b:p%2Fw%3A%25%3F@127.0.0.1:3307/zenml" in services["zenml"].environment["ZENML_STORE_URL"]
    assert "//a%40b:p%2Fw%3A%25%3F@127.0.0.1:3307/mlflow" in services["mlflow"].environment["MLFLOW_BACKEND_STORE_URI"]


def test_amazons_own_store_has_no_endpoint(tmp_path: Path, container: StackContainer) -> None:
    services = named(servers_of(a_stack(tmp_path, StackChoice(store=ELSEWHERE, database=SQLITE)), container))
    assert services["store"].url == "Amazon S3"
    assert services["store"].command == ()
    assert "MLFLOW_S3_ENDPOINT_URL" not in services["mlflow"].environment


def test_a_named_minio_is_taken_before_one_that_is_found(tmp_path: Path, container: StackContainer) -> None:
    choice = StackChoice(store=MINIO, database=SQLITE)
    assert servers_of(a_stack(tmp_path, choice), container)[0].command[0] == "/opt/minio"
    named_one = replace(choice, minio="/home/me/minio")
    assert servers_of(a_stack(tmp_path, named_one), container)[0].command[0] == "/home/me/minio"


def test_missing_programs_are_reported(
    tmp_path: Path, container: StackContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "find_mariadb", lambda: None)
    with pytest.raises(NotFoundError, match="mariadbd is not installed"):
        servers_of(a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB)), container)


def test_a_databases_temporary_tables_are_where_no_other_server_removes_them(
    tmp_path: Path, container: StackContainer
) -> None:
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB))
    service = database(stack, container)
    assert service is not None
    scratch = Path(service.environment["TMPDIR"])
    assert scratch.is_relative_to(stack.folder.root)
    assert not scratch.is_relative_to(stack.folder.data("database")), "a folder in there would be a database"


def test_a_database_that_cannot_be_made_leaves_nothing_half_made(
    tmp_path: Path, container: StackContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "find", lambda _: Path("/bin/false"))
    stack = a_stack(tmp_path, StackChoice(store=RCLONE, database=MARIADB))
    stack.folder.logs.mkdir(parents=True)
    service = database(stack, container)
    assert service is not None
    with pytest.raises(ServiceUnavailableError, match="mariadb-install-db exited with code 1"):
        service.prepare()
    assert not stack.folder.data("database").exists()


def test_the_users_own_settings_turn_no_server_against_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "MLFLOW_TRACKING_URI", "ZENML_STORE_URL", "RCLONE_ADDR", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("AWS_CA_BUNDLE", "ours.pem")
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    environment = clean_environment()
    assert "theirs" not in environment.values()
    assert environment["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"
    assert environment["AWS_CA_BUNDLE"] == "ours.pem", "whom we trust, they do"
    assert environment["PYTHONPATH"].endswith(":somewhere")
