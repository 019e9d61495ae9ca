"""Register the stack on ZenML's server, so that a client needs only the server's URL and a key."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from cv_yolo.domain.stack import (
    ARTIFACT_STORE,
    BUCKETS,
    DATASET_REMOTE,
    DATASETS_BUCKET,
    ORCHESTRATOR,
    SERVICE_ACCOUNT,
    STACK,
    TRACKER,
    TRACKING_SECRET,
    Change,
    ChangeKind,
    Kind,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
    components_of,
    secrets_of,
)
from cv_yolo.errors import CvYoloError
from cv_yolo.ports.datasets import DatasetRemote
from cv_yolo.ports.servers import ObjectStore, PipelineServer, StackRegistry, TrackingServer
from cv_yolo.workflows.read_stack import read_addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """How the servers at given addresses are reached, and the data sets' remote storage."""

    pipelines: Callable[[PipelineServerAddress], PipelineServer]
    registry: Callable[[PipelineServerAddress], StackRegistry]
    tracking: Callable[[TrackingAddress], TrackingServer]
    objects: Callable[[ObjectStoreAddress], ObjectStore]
    datasets: DatasetRemote


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The changes, and how a client connects from now on."""

    changes: tuple[Change, ...]
    connection: PipelineServerAddress


def register_stack(
    addresses: StackAddresses,
    clients: Clients,
    *,
    connection: PipelineServerAddress | None,
    report: Callable[[Change], None],
) -> Registration:
    """Create everything as `addresses` say, and test each part by use; what already matches is left alone.

    `connection` is what this machine has been using: its key is kept where it works on the same server. Raises
    `ServiceUnavailableError` for the first server that does not do what it should.
    """
    changes: list[Change] = []

    def record(change: Change) -> None:
        changes.append(change)
        report(change)

    pipelines = clients.pipelines(addresses.pipelines)
    pipelines.use()
    if addresses.pipelines.password is not None:
        pipelines.skip_survey()
    _prepare_buckets(clients.objects(addresses.objects), record)
    addresses = replace(addresses, tracking=_service_user(addresses, clients, record))
    _register_parts(addresses, clients.registry(addresses.pipelines), record)
    key = _api_key(addresses.pipelines, clients, connection, record)
    _try_what_is_registered(key, clients)
    remote = clients.datasets.set_remote(addresses.objects, DATASETS_BUCKET)
    note = "" if remote else "this project has no `.dvc`"
    record(Change(subject=f"DVC remote {DATASET_REMOTE}", kind=remote or ChangeKind.UNCHANGED, note=note))
    return Registration(changes=tuple(changes), connection=key)


def _prepare_buckets(objects: ObjectStore, record: Callable[[Change], None]) -> None:
    for bucket in BUCKETS:
        kind = ChangeKind.MADE if objects.make_bucket(bucket) else ChangeKind.UNCHANGED
        objects.use(bucket)
        record(Change(subject=f"bucket {bucket}", kind=kind))


def _service_user(addresses: StackAddresses, clients: Clients, record: Callable[[Change], None]) -> TrackingAddress:
    """The user of the tracking server under whose name runs are kept: our own where we may make one."""
    given = addresses.tracking
    server = clients.tracking(given)
    server.use()
    if given.user in {None, SERVICE_ACCOUNT} or not server.administers():
        record(Change(subject="MLflow user", kind=ChangeKind.UNCHANGED, note=f"{given.user or 'none'}, as given"))
        return given
    known = clients.registry(addresses.pipelines).secret(TRACKING_SECRET)
    kept = None if known is None else known.values.get("tracking_password")
    user = replace(given, user=SERVICE_ACCOUNT, password=kept)
    if kept is not None and _works(lambda: clients.tracking(user).use()):
        record(Change(subject=f"MLflow user {SERVICE_ACCOUNT}", kind=ChangeKind.UNCHANGED))
        return user
    password = secrets.token_urlsafe(24)
    kind = server.set_user(SERVICE_ACCOUNT, password)
    record(Change(subject=f"MLflow user {SERVICE_ACCOUNT}", kind=kind))
    return replace(user, password=password)


def _register_parts(addresses: StackAddresses, registry: StackRegistry, record: Callable[[Change], None]) -> None:
    for secret in secrets_of(addresses):
        record(Change(subject=f"secret {secret.name}", kind=registry.set_secret(secret)))
    for component in components_of(addresses):
        kind = component.kind.value.replace("_", " ")
        record(Change(subject=f"{kind} {component.name}", kind=registry.set_component(component)))
    parts = {
        Kind.ORCHESTRATOR: ORCHESTRATOR,
        Kind.ARTIFACT_STORE: ARTIFACT_STORE,
        Kind.EXPERIMENT_TRACKER: TRACKER,
    }
    record(Change(subject=f"stack {STACK}", kind=registry.set_stack(STACK, parts)))


def _api_key(
    server: PipelineServerAddress,
    clients: Clients,
    connection: PipelineServerAddress | None,
    record: Callable[[Change], None],
) -> PipelineServerAddress:
    subject = f"API key of the service account {SERVICE_ACCOUNT}"
    if connection is not None and connection.url == server.url and _works(lambda: clients.pipelines(connection).use()):
        record(Change(subject=subject, kind=ChangeKind.UNCHANGED))
        return connection
    name = f"key-{secrets.token_hex(3)}"  # each machine has its own key: a lost one is revoked alone
    key = clients.pipelines(server).make_api_key(SERVICE_ACCOUNT, name)
    record(Change(subject=subject, kind=ChangeKind.MADE, note=name))
    return PipelineServerAddress(url=server.url, api_key=key)


def _try_what_is_registered(connection: PipelineServerAddress, clients: Clients) -> None:
    found = read_addresses(connection, clients.registry(connection))
    clients.tracking(found.tracking).use()
    for bucket in BUCKETS:
        clients.objects(found.objects).use(bucket)


def _works(use: Callable[[], None]) -> bool:
    """Whether a use succeeds; the reason of a failure does not matter here: what does not work is replaced."""
    try:
        use()
    except CvYoloError:
        return False
    return True
