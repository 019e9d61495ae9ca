"""A stack as ZenML holds it: addresses with their credentials, components, secrets, and the names that we use."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ARTIFACTS_BUCKET: Final = "zenml-artifacts"
TRACKING_BUCKET: Final = "mlflow"
DATASETS_BUCKET: Final = "dvc"
BUCKETS: Final = (ARTIFACTS_BUCKET, TRACKING_BUCKET, DATASETS_BUCKET)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStoreAddress:
    """An S3 service; without `endpoint_url`, Amazon's own."""

    endpoint_url: str | None
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """A MySQL or MariaDB server, and the one database in it that is meant."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingAddress:
    """MLflow: a server's URL, or an SQLAlchemy URI of a store that needs no server."""

    uri: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineServerAddress:
    """ZenML's server, with the API key of a service account, or a person's name and password."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackAddresses:
    """The servers of one stack, as a client reaches them."""

    pipelines: PipelineServerAddress
    tracking: TrackingAddress
    objects: ObjectStoreAddress


STACK: Final = "mlflow_stack"
TRACKER: Final = "mlflow_tracker"
ARTIFACT_STORE: Final = "minio_artifacts"
ORCHESTRATOR: Final = "default"
OBJECTS_SECRET: Final = "minio_zenml_secret"
TRACKING_SECRET: Final = "mlflow_zenml_secret"
SERVICE_ACCOUNT: Final = "cv-yolo"
DATASET_REMOTE: Final = "minio"
DATASET_REMOTE_BESIDE: Final = "minio-of-the-stack"  # where the project has a remote of the first name itself


class Kind(StrEnum):
    """The kinds of components that we use, as ZenML calls them."""

    ORCHESTRATOR = "orchestrator"
    ARTIFACT_STORE = "artifact_store"
    EXPERIMENT_TRACKER = "experiment_tracker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component of a stack: its kind, its flavor, and its configuration."""

    name: str
    kind: Kind
    flavor: str
    configuration: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Named values that only the server keeps."""

    name: str
    values: dict[str, str] = field(repr=False)


class ChangeKind(StrEnum):
    """What was done to make something as it is wanted."""

    MADE = "made"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to one part of the stack; `note` says more where there is more to say."""

    subject: str
    kind: ChangeKind
    note: str = ""


def secrets_of(addresses: StackAddresses) -> tuple[Secret, Secret]:
    """The secrets of the object store and of the tracking server; ZenML wants some even where none are needed."""
    objects = {
        "aws_access_key_id": addresses.objects.access_key,
        "aws_secret_access_key": addresses.objects.secret_key,
    }
    tracking = {
        "tracking_username": addresses.tracking.user or "none",
        "tracking_password": addresses.tracking.password or "none",
    }
    return Secret(name=OBJECTS_SECRET, values=objects), Secret(name=TRACKING_SECRET, values=tracking)


def components_of(addresses: StackAddresses) -> tuple[Component, Component]:
    """The experiment tracker and the artifact store; both refer to secrets, and hold none."""
    tracker: dict[str, object] = {
        "tracking_uri": addresses.tracking.uri,
        "tracking_username": f"{{{{{TRACKING_SECRET}.tracking_username}}}}",
        "tracking_password": f"{{{{{TRACKING_SECRET}.tracking_password}}}}",
    }
    client = {"region_name": addresses.objects.region}
    if addresses.objects.endpoint_url is not None:
        client["endpoint_url"] = addresses.objects.endpoint_url
    store: dict[str, object] = {
        "path": f"s3://{ARTIFACTS_BUCKET}",
        "authentication_secret": OBJECTS_SECRET,
        "client_kwargs": client,
        "config_kwargs": {"signature_version": "s3v4", "s3": {"addressing_style": "path"}},
    }
    return (
        Component(name=TRACKER, kind=Kind.EXPERIMENT_TRACKER, flavor="mlflow", configuration=tracker),
        Component(name=ARTIFACT_STORE, kind=Kind.ARTIFACT_STORE, flavor="s3", configuration=store),
    )
