"""Where the servers of a stack answer, and with which credentials; no secret is ever part of a `repr`."""

from dataclasses import dataclass, field
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
