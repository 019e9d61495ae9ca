"""Which servers a local stack has and where they listen: chosen at the first start, then kept."""

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cv_yolo.errors import ConfigError, InputError
from cv_yolo.files import write_whole

EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - only compared
LOOPBACK: Final = "127.0.0.1"


class StoreKind(StrEnum):
    """The object store."""

    RCLONE = "rclone"
    MINIO = "minio"
    EXTERNAL = "external"


class DatabaseKind(StrEnum):
    """The database of ZenML and MLflow."""

    SQLITE = "sqlite"
    MARIADB = "mariadb"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the servers listen; `console` is MinIO's page."""

    zenml: int = 8080
    mlflow: int = 5000
    store: int = 9000
    console: int = 9001
    database: int = 3307


@dataclass(frozen=True, slots=True, kw_only=True)
class StackChoice:
    """The chosen servers. `store_url` and `database_url` belong to external services; they hold no secret.

    An external store without an address is Amazon's own.
    """

    store: StoreKind
    database: DatabaseKind
    host: str = LOOPBACK
    ports: Ports = field(default_factory=Ports)
    minio: str | None = None
    store_url: str | None = None
    region: str = "us-east-1"
    database_url: str | None = None

    @property
    def reach(self) -> str:
        """The name under which this machine itself reaches the servers."""
        return LOOPBACK if self.host == EVERYWHERE else self.host

    @property
    def database_place(self) -> tuple[str, int]:
        """Host and port of the database server."""
        if self.database_url is None:
            return self.reach, self.ports.database
        parts = urlsplit(self.database_url)
        return parts.hostname or "", parts.port or 3306


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of this start; None: the earlier choice, or the default."""

    store: StoreKind | None = None
    database: DatabaseKind | None = None
    host: str | None = None
    ports: dict[str, int] = field(default_factory=dict)
    minio: str | None = None
    store_url: str | None = None
    region: str | None = None
    database_url: str | None = None

    def __post_init__(self) -> None:
        """An address belongs to an external service, and holds no password."""
        if ":" in (self.host or ""):
            raise InputError(f"--host {self.host}: the servers listen only on host names and IPv4 addresses")
        if self.minio is not None and self.store is not StoreKind.MINIO:
            raise InputError("--minio needs --store minio", hint="--store minio --minio PATH")
        if (self.database is DatabaseKind.EXTERNAL) != (self.database_url is not None):
            raise InputError(
                "an external database needs its address",
                hint="--database external --database-url mysql://HOST:PORT",
            )
        if self.store_url is not None and self.store is not StoreKind.EXTERNAL:
            raise InputError("--store-url is for an external store", hint="--store external --store-url URL")
        for name, url in (("--store-url", self.store_url), ("--database-url", self.database_url)):
            parts = urlsplit(url or "scheme://host")
            if parts.password or parts.username:
                raise InputError(f"{name} contains a user or a password, which every user of this machine could read")
            if not parts.hostname:
                raise InputError(f"{name} is not an address: {url}")


def choose(wish: Wish, kept: StackChoice | None, *, mariadb: bool) -> StackChoice:
    """Apply `wish` to the choice that is kept; `mariadb` says whether it is installed, for a first choice.

    Raises `InputError` where the data that are there would seem lost.
    """
    if kept is None:
        default = DatabaseKind.MARIADB if mariadb else DatabaseKind.SQLITE
        kept = StackChoice(store=wish.store or StoreKind.RCLONE, database=wish.database or default)
    _require_same("objects", wish.store, kept.store)
    _require_same("records", wish.database, kept.database)
    named: dict[str, Any] = {"host": wish.host, "minio": wish.minio, "region": wish.region}
    named |= {"store_url": wish.store_url, "database_url": wish.database_url}
    return replace(
        kept,
        ports=replace(kept.ports, **wish.ports),
        **{name: value for name, value in named.items() if value is not None},
    )


def keep_choice(path: Path, choice: StackChoice) -> None:
    """Write the choice down."""
    write_whole(path, json.dumps(asdict(choice), indent=1) + "\n")


def read_choice(path: Path) -> StackChoice | None:
    """The choice of the first start, or None."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kinds = {"store": StoreKind(kept["store"]), "database": DatabaseKind(kept["database"])}
        return StackChoice(**{**kept, **kinds, "ports": Ports(**kept["ports"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {' '.join(str(error).split())}", hint="restore it from a backup"
        ) from error


def _require_same(what: str, wished: StrEnum | None, kept: StrEnum) -> None:
    if wished is not None and wished is not kept:
        raise InputError(
            f"this stack keeps its {what} with {kept}; {wished} would not find them",
            hint="omit the option, or start another stack in its own home: CV_YOLO_HOME=…",
        )
