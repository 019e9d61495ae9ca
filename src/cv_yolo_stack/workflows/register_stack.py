"""Register the stack on ZenML's server, so that a client needs to know nothing but the server and a key."""

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
    """What was done, and how a client connects from now on."""

    changes: tuple[Change, ...]
    connection: PipelineServerAddress


def register_stack(
    addresses: StackAddresses,
    clients: Clients,
    *,
    connection: PipelineServerAddress | None,
    report: Callable[[Change], None],
) -> Registration:
    """Make everything as `addresses` say, each part tried by use; what is so already is left alone.

    `connection` is what this machine has been using: its key is kept where it works on the same server. Raises
    `ServiceUnavailableError` for the first server that does not do what it should.
    """
    changes: list[Change] = []

    def tell(change: Change) -> None:
        changes.append(change)
        report(change)

    pipelines = clients.pipelines(addresses.pipelines)
    pipelines.use()
    if addresses.pipelines.password is not None:
        pipelines.skip_survey()
    _prepare_buckets(clients.objects(addresses.objects), tell)
    addresses = replace(addresses, tracking=_service_user(addresses, clients, tell))
    _register_parts(addresses, clients.registry(addresses.pipelines), tell)
    key = _api_key(addresses.pipelines, clients, connection, tell)
    _try_what_is_registered(key, clients)
    remote = clients.datasets.set_remote(addresses.objects, DATASETS_BUCKET)
    note = "" if remote else "this project has no `.dvc`"
    tell(Change(subject=f"DVC remote {DATASET_REMOTE}", kind=remote or ChangeKind.UNCHANGED, note=note))
    return Registration(changes=tuple(changes), connection=key)


def _prepare_buckets(objects: ObjectStore, tell: Callable[[Change], None]) -> None:
    for bucket in BUCKETS:
        kind = ChangeKind.MADE if objects.make_bucket(bucket) else ChangeKind.UNCHANGED
        objects.use(bucket)
        tell(Change(subject=f"bucket {bucket}", kind=kind))


def _service_user(addresses: StackAddresses, clients: Clients, tell: Callable[[Change], None]) -> TrackingAddress:
    """The user of the tracking server under whose name runs are kept: our own where we may make one."""
    given = addresses.tracking
    server = clients.tracking(given)
    server.use()
    if given.user in {None, SERVICE_ACCOUNT} or not server.administers():
        tell(Change(subject="MLflow user", kind=ChangeKind.UNCHANGED, note=f"{given.user or 'none'}, as given"))
        return given
    known = clients.registry(addresses.pipelines).secret(TRACKING_SECRET)
    kept = None if known is None else known.values.get("tracking_password")
    user = replace(given, user=SERVICE_ACCOUNT, password=kept)
    if kept is not None and _works(lambda: clients.tracking(user).use()):
        tell(Change(subject=f"MLflow user {SERVICE_ACCOUNT}", kind=ChangeKind.UNCHANGED))
        return user
    password = secrets.token_urlsafe(24)
    kind = server.set_user(SERVICE_ACCOUNT, password)
    tell(Change(subject=f"MLflow user {SERVICE_ACCOUNT}", kind=kind))
    return replace(user, password=password)


def _register_parts(addresses: StackAddresses, registry: StackRegistry, tell: Callable[[Change], None]) -> None:
    for secret in secrets_of(addresses):
        tell(Change(subject=f"secret {secret.name}", kind=registry.set_secret(secret)))
    for component in components_of(addresses):
        kind = component.kind.value.replace("_", " ")
        tell(Change(subject=f"{kind} {component.name}", kind=registry.set_component(component)))
    parts = {
        Kind.ORCHESTRATOR: ORCHESTRATOR,
        Kind.ARTIFACT_STORE: ARTIFACT_STORE,
        Kind.EXPERIMENT_TRACKER: TRACKER,
    }
    tell(Change(subject=f"stack {STACK}", kind=registry.set_stack(STACK, parts)))


def _api_key(
    server: PipelineServerAddress,
    clients: Clients,
    connection: PipelineServerAddress | None,
    tell: Callable[[Change], None],
) -> PipelineServerAddress:
    subject = f"API key of the service account {SERVICE_ACCOUNT}"
    if connection is not None and connection.url == server.url and _works(lambda: clients.pipelines(connection).use()):
        tell(Change(subject=subject, kind=ChangeKind.UNCHANGED))
        return connection
    name = f"key-{secrets.token_hex(3)}"  # each machine has a key of its own: one that is lost is revoked alone
    key = clients.pipelines(server).make_api_key(SERVICE_ACCOUNT, name)
    tell(Change(subject=subject, kind=ChangeKind.MADE, note=name))
    return PipelineServerAddress(url=server.url, api_key=key)


def _try_what_is_registered(connection: PipelineServerAddress, clients: Clients) -> None:
    found = read_addresses(connection, clients.registry(connection))
    clients.tracking(found.tracking).use()
    for bucket in BUCKETS:
        clients.objects(found.objects).use(bucket)


def _works(use: Callable[[], None]) -> bool:
    """Whether a use succeeds; the reason of a failure is no news here: what does not work is made anew."""
    try:
        use()
    except CvYoloError:
        return False
    return True
