"""Which servers a stack has: chosen once, kept, and refused where data would seem lost."""

from pathlib import Path
from typing import Any

import pytest

from cv_yolo.errors import ConfigError, InputError
from cv_yolo_stack.configuration.choice import (
    DatabaseKind,
    Ports,
    StackChoice,
    StoreKind,
    Wish,
    choose,
    keep_choice,
    read_choice,
)

RCLONE, MINIO, ELSEWHERE = StoreKind.RCLONE, StoreKind.MINIO, StoreKind.EXTERNAL
SQLITE, MARIADB = DatabaseKind.SQLITE, DatabaseKind.MARIADB
KEPT = StackChoice(store=RCLONE, database=MARIADB, ports=Ports(zenml=8081))


@pytest.mark.parametrize(("installed", "database"), [(True, MARIADB), (False, SQLITE)])
def test_mariadb_is_the_default_where_it_is_installed(installed: bool, database: DatabaseKind) -> None:
    choice = choose(Wish(), None, mariadb=installed)
    assert choice == StackChoice(store=RCLONE, database=database)
    assert (choice.host, choice.reach) == ("127.0.0.1", "127.0.0.1")


def test_the_choice_of_the_first_start_is_kept() -> None:
    assert choose(Wish(), KEPT, mariadb=False) == KEPT
    assert choose(Wish(store=RCLONE, database=MARIADB), KEPT, mariadb=False) == KEPT


@pytest.mark.parametrize("wish", [{"store": MINIO}, {"database": SQLITE}])
def test_another_store_or_database_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="would not find them") as caught:
        choose(Wish(**wish), KEPT, mariadb=True)
    assert "CV_YOLO_HOME" in str(caught.value.hint)


def test_host_and_ports_may_change_one_by_one() -> None:
    choice = choose(Wish(host="0.0.0.0", ports={"mlflow": 5001}), KEPT, mariadb=True)
    assert choice.ports == Ports(zenml=8081, mlflow=5001)
    assert (choice.host, choice.reach) == ("0.0.0.0", "127.0.0.1")


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"database": DatabaseKind.EXTERNAL}, "needs its address"),
        ({"database": SQLITE, "database_url": "mysql://db"}, "needs its address"),
        ({"store": RCLONE, "store_url": "http://s3"}, "for an external store"),
        ({"store": ELSEWHERE, "store_url": "http://me:secret@s3"}, "every user of this machine could read"),
        ({"database": DatabaseKind.EXTERNAL, "database_url": "mysql://me@db"}, "every user of this machine"),
        ({"store": ELSEWHERE, "store_url": "s3.example"}, "not an address: s3.example"),
        ({"store": RCLONE, "minio": "/bin/minio"}, "needs --store minio"),
        ({"host": "::1"}, "IPv4"),
    ],
)
def test_contradictory_options_are_refused(wish: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Wish(**wish)
    assert "secret" not in caught.value.message


def test_a_database_elsewhere_is_reached_at_its_own_address() -> None:
    wish = Wish(database=DatabaseKind.EXTERNAL, database_url="mysql://db.example:3310")
    assert choose(wish, None, mariadb=True).database_place == ("db.example", 3310)
    wish = Wish(database=DatabaseKind.EXTERNAL, database_url="mysql://db.example")
    assert choose(wish, None, mariadb=True).database_place == ("db.example", 3306)
    assert KEPT.database_place == ("127.0.0.1", 3307)


def test_it_is_kept_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    assert read_choice(path) is None
    keep_choice(path, KEPT)
    assert read_choice(path) == KEPT


@pytest.mark.parametrize("text", ["{", "[]", '{"store": "floppy"}', '{"store": "rclone", "database": "sqlite"}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stack.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"stack\.json: cannot be read"):
        read_choice(path)
