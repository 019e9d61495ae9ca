"""Probes of servers that do everything right, but for what a test changes; `trouble` is raised, by the trial's name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cv_yolo.domain.stack import (
    ARTIFACT_STORE,
    TRACKER,
    DatabaseAddress,
    ObjectStoreAddress,
    PipelineServerAddress,
    TrackingAddress,
)
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.servers import StackRegistry
from cv_yolo_stack.ports.probes import Detour


@dataclass(kw_only=True)
class FakeServerProbe:
    """What every server does; `ahead` is its clock's offset, None where it returns no time."""

    address: str = "http://127.0.0.1:1"
    ahead: timedelta | None = timedelta()
    anonymous: Mapping[str, int] = field(default_factory=lambda: {"list": 403})
    wrong: Mapping[str, int] = field(default_factory=lambda: {"list": 403})
    server: str = "3.17.2"
    trouble: Mapping[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def greet(self) -> None:
        self._try("greet")

    def clock(self) -> datetime | None:
        self._try("clock")
        return None if self.ahead is None else datetime.now(UTC) + self.ahead

    def ask_anonymously(self) -> Mapping[str, int]:
        self._try("ask_anonymously")
        return self.anonymous

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
        self._try("ask_with_wrong_credentials")
        return self.wrong

    def log_in(self) -> str:
        self._try("log_in")
        return "anna"

    def version(self) -> str:
        self._try("version")
        return self.server

    def _try(self, name: str) -> None:
        self.tried.append(name)
        if name in self.trouble:
            raise ServiceUnavailableError(self.trouble[name])


@dataclass(kw_only=True)
class FakeObjectStoreProbe(FakeServerProbe):
    missing: tuple[str, ...] = ()
    expired: int = 403
    conditions: bool = True
    left: int = 0

    def missing_buckets(self) -> tuple[str, ...]:
        self._try("missing_buckets")
        return self.missing

    def exchange(self) -> None:
        self._try("exchange")

    def multipart(self) -> None:
        self._try("multipart")

    def presigned_put(self) -> None:
        self._try("presigned_put")

    def presigned_get(self) -> None:
        self._try("presigned_get")

    def ask_with_expired_address(self) -> int:
        self._try("ask_with_expired_address")
        return self.expired

    def checksums(self) -> str:
        self._try("checksums")
        return "accepted"

    def keeps_conditions(self) -> bool:
        self._try("keeps_conditions")
        return self.conditions

    def clean_up(self) -> int:
        self._try("clean_up")
        return self.left


@dataclass(kw_only=True)
class FakeTrackingProbe(FakeServerProbe):
    client: str = "3.17.2"
    host: str | None = None
    sent: Detour | None = None
    deleted: str | None = None
    follows: bool = True

    def client_version(self) -> str:
        return self.client

    def refused_host(self) -> str | None:
        self._try("refused_host")
        return self.host

    def log_metric(self) -> None:
        self._try("log_metric")

    def exchange_artifact(self) -> None:
        self._try("exchange_artifact")

    def deleted_experiment(self, name: str) -> str | None:
        self._try("deleted_experiment")
        return self.deleted

    def kept_for_trials(self) -> str:
        self._try("kept_for_trials")
        return "experiment cv_yolo_probe_anna, with one run"

    def detour(self) -> Detour | None:
        self._try("detour")
        return self.sent

    def takes_detours(self) -> bool:
        return self.follows


@dataclass(kw_only=True)
class FakePipelineProbe(FakeServerProbe):
    client: str = "3.17.2"
    active: bool = True
    store: str = "sql"
    readable: bool = False
    container: tuple[str, ...] | None = ("default", ARTIFACT_STORE, TRACKER)

    def client_version(self) -> str:
        return self.client

    def is_active(self) -> bool:
        self._try("is_active")
        return self.active

    def secrets_store(self) -> str:
        self._try("secrets_store")
        return self.store

    def secret_is_readable(self, stored: Callable[[str], bytes]) -> bool:
        self._try("secret_is_readable")
        return self.readable and stored("id") == b"value"

    def components(self, stack: str) -> tuple[str, ...] | None:
        self._try("components")
        return self.container


@dataclass(kw_only=True)
class FakeDatabaseProbe(FakeServerProbe):
    anonymous: Mapping[str, int] = field(default_factory=lambda: {"no password": 1045})
    wrong: Mapping[str, int] = field(default_factory=lambda: {"wrong password": 1045})
    server: str = "10.11.6-MariaDB"

    def stored_secret(self, secret_id: str) -> bytes:
        return b"value"


@dataclass(kw_only=True)
class FakeDatasetProbe:
    project: bool = True
    default: tuple[str, str] | None = ("minio", "s3://dvc/store")
    missing: Mapping[str, bool] = field(default_factory=dict)
    trouble: str | None = None

    def is_project(self) -> bool:
        return self.project

    def version(self) -> str:
        return "3.67.1"

    def remote(self) -> tuple[str, str] | None:
        return self.default

    def list_remote(self) -> None:
        if self.trouble:
            raise ServiceUnavailableError(self.trouble)

    def absent(self) -> Mapping[str, bool]:
        return self.missing


@dataclass(kw_only=True)
class FakeMachineProbe:
    free: int = 10**12
    packages: tuple[str, ...] = ()
    stores: Mapping[str, Path] = field(default_factory=dict)
    trouble: str | None = None

    def free_bytes(self) -> int:
        return self.free

    def write(self) -> str:
        return "here"

    def missing_packages(self) -> tuple[str, ...]:
        return self.packages

    def records(self) -> Mapping[str, Path]:
        return self.stores

    def use_record(self, record: Path) -> None:
        if self.trouble:
            raise ServiceUnavailableError(self.trouble)


@dataclass(kw_only=True)
class FakeProbes:
    """One probe for each service, whatever the address; remembers for which it was asked."""

    asked: list[object] = field(default_factory=list)

    def objects(self, address: ObjectStoreAddress) -> FakeObjectStoreProbe:
        self.asked.append(address)
        return FakeObjectStoreProbe()

    def tracking(self, address: TrackingAddress) -> FakeTrackingProbe:
        self.asked.append(address)
        return FakeTrackingProbe()

    def pipelines(self, address: PipelineServerAddress) -> FakePipelineProbe:
        self.asked.append(address)
        return FakePipelineProbe(readable=True)

    def database(self, address: DatabaseAddress) -> FakeDatabaseProbe:
        self.asked.append(address)
        return FakeDatabaseProbe()

    def datasets(self) -> FakeDatasetProbe:
        return FakeDatasetProbe()

    def machine(self) -> FakeMachineProbe:
        return FakeMachineProbe()

    def registry(self, address: PipelineServerAddress) -> StackRegistry:
        raise NotImplementedError

    def stored_in_file(self, path: Path) -> Callable[[str], bytes]:
        self.asked.append(path)
        return lambda _: b"something else"
