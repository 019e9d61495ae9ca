"""A stack before it runs: wished for, completed, written down."""

import stat
from pathlib import Path

import pytest

from cv_yolo.errors import ConfigError, InputError
from cv_yolo.settings import Settings
from cv_yolo_stack.configuration.choice import DatabaseKind, StoreKind, Wish
from cv_yolo_stack.configuration.folder import folder_of
from cv_yolo_stack.configuration.local_stack import LocalStack, read_addresses, read_database, read_files, read_stack
from cv_yolo_stack.supervision import starting

SMALL = Wish(database=DatabaseKind.SQLITE)
ELSEWHERE = Wish(
    store=StoreKind.EXTERNAL,
    store_url="https://s3.example",
    region="eu-west-3",
    database=DatabaseKind.EXTERNAL,
    database_url="mysql://db.example:3310",
)


def planned(settings: Settings, wish: Wish) -> LocalStack:
    return starting.planned(read_files(folder_of(settings)), wish)


def keep(stack: LocalStack) -> bool:
    return starting.keep(stack, read_files(stack.folder))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "CV_YOLO_DATABASE_USER", "CV_YOLO_DATABASE_PASSWORD"):
        monkeypatch.setenv(name, f"their-{name}")


def test_a_plan_writes_nothing_until_it_is_kept(settings: Settings) -> None:
    stack = planned(settings, SMALL)
    assert not settings.services.exists()
    assert (read_stack(settings), read_addresses(settings), read_database(settings)) == (None, None, None)
    assert keep(stack), "its first start"
    assert read_stack(settings) == stack
    assert stat.S_IMODE(settings.services.stat().st_mode) == 0o700


def test_the_next_start_has_the_same_keys_and_is_not_the_first(settings: Settings) -> None:
    first = planned(settings, SMALL)
    keep(first)
    second = planned(settings, Wish())
    assert second == first
    assert not keep(second)


def test_clients_find_all_addresses_with_the_administrators_logins(settings: Settings) -> None:
    stack = planned(settings, Wish(database=DatabaseKind.MARIADB, ports={"zenml": 8081}))
    keep(stack)
    addresses, database = read_addresses(settings), read_database(settings)
    assert addresses is not None
    assert database is not None
    assert addresses.pipelines.url == "http://127.0.0.1:8081"
    assert addresses.pipelines.password == stack.credentials.zenml_password
    assert (addresses.tracking.uri, addresses.tracking.user) == ("http://127.0.0.1:5000", "admin")
    assert addresses.objects.endpoint_url == "http://127.0.0.1:9000"
    assert (database.host, database.port, database.database) == ("127.0.0.1", 3307, "zenml")
    for secret in (stack.credentials.zenml_password, stack.credentials.store_secret_key, database.password):
        assert secret not in repr((stack, addresses, database))


def test_sqlite_needs_no_database_server(settings: Settings) -> None:
    keep(planned(settings, SMALL))
    assert read_database(settings) is None


@pytest.mark.usefixtures("keys")
def test_external_services_are_used_with_credentials_from_the_environment(settings: Settings) -> None:
    stack = planned(settings, ELSEWHERE)
    database = stack.database("zenml")
    assert database is not None
    assert stack.objects.endpoint_url == "https://s3.example"
    assert stack.objects.region == "eu-west-3"
    assert stack.objects.secret_key == "their-AWS_SECRET_ACCESS_KEY"
    assert (database.host, database.user) == ("db.example", "their-CV_YOLO_DATABASE_USER")


def test_their_credentials_are_kept_until_new_ones_are_given(
    settings: Settings, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(planned(settings, ELSEWHERE))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    assert planned(settings, Wish()).objects.secret_key == "their-AWS_SECRET_ACCESS_KEY"
    renewed = planned(settings, Wish(store=StoreKind.EXTERNAL))
    assert renewed.objects.secret_key == "another"
    assert not keep(renewed)
    assert planned(settings, Wish()).objects.secret_key == "another"


def test_without_credentials_the_variables_are_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(InputError, match="no credentials for the store") as caught:
        planned(settings, Wish(store=StoreKind.EXTERNAL))
    assert caught.value.hint == "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for this command"


@pytest.mark.parametrize("lost", ["credentials.json", "stack.json"])
def test_existing_data_without_keys_or_choice_are_refused(settings: Settings, lost: str) -> None:
    stack = planned(settings, SMALL)
    keep(stack)
    stack.folder.data("store").mkdir(parents=True)
    (settings.services / lost).unlink()
    with pytest.raises(ConfigError, match=f"{lost} is missing"):
        planned(settings, SMALL)
