"""The servers of a stack in memory: as strict as the real ones about who asks, and as forgetful as a scratch server."""

from dataclasses import dataclass, field, replace

from cv_yolo.domain.stack import (
    BUCKETS,
    ORCHESTRATOR,
    ChangeKind,
    Component,
    Kind,
    ObjectStoreAddress,
    PipelineServerAddress,
    Secret,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.ports.servers import PipelineServer, StackRegistry, StoredObject, TrackingServer
from cv_yolo_stack.workflows.register_stack import Clients

ADMIN = PipelineServerAddress(url="http://zenml.test", user="admin", password="admin-password")
OBJECTS = ObjectStoreAddress(endpoint_url="http://s3.test", access_key="access", secret_key="hidden")
TRACKING = TrackingAddress(uri="http://mlflow.test", user="admin", password="mlflow-password")


def some_addresses(**changes: object) -> StackAddresses:
    """The addresses of the fake servers, as their administrator has them."""
    return replace(StackAddresses(pipelines=ADMIN, tracking=TRACKING, objects=OBJECTS), **changes)


@dataclass(slots=True)
class FakeStackRegistry:
    """Stacks, components and secrets of one server."""

    secrets: dict[str, Secret] = field(default_factory=dict)
    components: dict[tuple[Kind, str], Component] = field(default_factory=dict)
    stacks: dict[str, dict[Kind, str]] = field(default_factory=lambda: {"default": {Kind.ORCHESTRATOR: ORCHESTRATOR}})

    def secret(self, name: str) -> Secret | None:
        return self.secrets.get(name)

    def set_secret(self, secret: Secret) -> ChangeKind:
        return _set(self.secrets, secret.name, secret)

    def component(self, kind: Kind, name: str) -> Component | None:
        return self.components.get((kind, name))

    def set_component(self, component: Component) -> ChangeKind:
        known = self.component(component.kind, component.name)
        kept = {} if known is None else known.configuration
        wanted = replace(component, configuration=kept | component.configuration)
        return _set(self.components, (component.kind, component.name), wanted)

    def stack(self, name: str) -> dict[Kind, str] | None:
        return self.stacks.get(name)

    def set_stack(self, name: str, components: dict[Kind, str]) -> ChangeKind:
        return _set(self.stacks, name, components)


def _set(kept: dict, name: object, wanted: object) -> ChangeKind:
    known = kept.get(name)
    kept[name] = wanted
    return ChangeKind.UNCHANGED if known == wanted else ChangeKind.MADE if known is None else ChangeKind.CHANGED


@dataclass(slots=True)
class FakeServers:
    """ZenML, MLflow and an object store; `down` names those that do not answer: `pipelines`, `tracking`, `objects`."""

    registry: FakeStackRegistry = field(default_factory=FakeStackRegistry)
    api_keys: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=lambda: {"admin": "mlflow-password"})
    administrators: set[str] = field(default_factory=lambda: {"admin"})
    with_users: bool = True
    stored: dict[str, dict[str, bytes]] = field(default_factory=dict)
    surveys_skipped: int = 0
    remotes: list[tuple[ObjectStoreAddress, str]] = field(default_factory=list)
    with_dvc: bool = True
    down: set[str] = field(default_factory=set)

    def clients(self) -> Clients:
        return Clients(
            pipelines=lambda address: _Pipelines(self, address),
            registry=self.registry_at,
            tracking=lambda address: _Tracking(self, address),
            objects=lambda address: _Objects(self, address),
            datasets=self,
        )

    def registry_at(self, address: PipelineServerAddress) -> StackRegistry:
        _Pipelines(self, address).use()
        return self.registry

    def set_remote(self, objects: ObjectStoreAddress, bucket: str) -> ChangeKind | None:
        if not self.with_dvc:
            return None
        known = bool(self.remotes) and self.remotes[-1] == (objects, bucket)
        self.remotes.append((objects, bucket))
        return ChangeKind.UNCHANGED if known else ChangeKind.MADE

    def require(self, name: str, *, admitted: bool) -> None:
        if name in self.down:
            raise ServiceUnavailableError(f"{name}: does not answer")
        if not admitted:
            raise ServiceUnavailableError(f"{name}: refused")


@dataclass(slots=True)
class _Pipelines(PipelineServer):
    servers: FakeServers
    address: PipelineServerAddress

    def use(self) -> None:
        by_key = self.address.api_key is not None and self.address.api_key in self.servers.api_keys.values()
        by_password = (self.address.user, self.address.password) == (ADMIN.user, ADMIN.password)
        self.servers.require("pipelines", admitted=self.address.url == ADMIN.url and (by_key or by_password))

    def skip_survey(self) -> None:
        self.use()
        self.servers.surveys_skipped += 1

    def make_api_key(self, account: str, key: str) -> str:
        self.servers.require("pipelines", admitted=self.address.password == ADMIN.password)
        self.servers.api_keys[f"{account}/{key}"] = f"secret of {account}/{key}"
        return self.servers.api_keys[f"{account}/{key}"]


@dataclass(slots=True)
class _Tracking(TrackingServer):
    servers: FakeServers
    address: TrackingAddress

    def use(self) -> None:
        known = self.servers.users.get(self.address.user or "")
        admitted = not self.servers.with_users or (known is not None and known == self.address.password)
        self.servers.require("tracking", admitted=admitted and self.address.uri == TRACKING.uri)

    def administers(self) -> bool:
        return self.servers.with_users and self.address.user in self.servers.administrators

    def set_user(self, name: str, password: str) -> ChangeKind:
        return _set(self.servers.users, name, password)


@dataclass(slots=True)
class _Objects:
    servers: FakeServers
    address: ObjectStoreAddress

    def use(self, bucket: str) -> None:
        self.put(bucket, "probe", b"1")
        self.delete(bucket, "probe")

    def buckets(self) -> tuple[str, ...]:
        self.servers.require("objects", admitted=self.address == OBJECTS)
        return tuple(sorted(self.servers.stored))

    def make_bucket(self, bucket: str) -> bool:
        known = bucket in self.buckets()
        self.servers.stored.setdefault(bucket, {})
        return not known

    def put(self, bucket: str, key: str, content: bytes) -> None:
        self._bucket(bucket)[key] = content

    def get(self, bucket: str, key: str) -> bytes:
        try:
            return self._bucket(bucket)[key]
        except KeyError:
            raise NotFoundError(f"{bucket}/{key}: not there") from None

    def delete(self, bucket: str, key: str) -> None:
        self._bucket(bucket).pop(key, None)

    def objects(self, bucket: str, prefix: str = "") -> "list[StoredObject]":
        found = sorted(self._bucket(bucket).items())
        return [StoredObject(key=key, size_bytes=len(content)) for key, content in found if key.startswith(prefix)]

    def _bucket(self, bucket: str) -> dict[str, bytes]:
        if bucket not in self.buckets():
            raise NotFoundError(f"no bucket {bucket} among {', '.join(BUCKETS)}")
        return self.servers.stored[bucket]
