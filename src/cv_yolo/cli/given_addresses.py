"""Where a person says the servers are: by options and environment, else those of `cv-yolo up`."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from cv_yolo.domain.addresses import ObjectStoreAddress, PipelineServerAddress, StackAddresses, TrackingAddress
from cv_yolo.errors import ConfigError

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap


def given_addresses(
    parts: "Bootstrap", *, zenml_url: str | None, mlflow_url: str | None, s3_endpoint: str | None
) -> StackAddresses:
    """Where the servers are: as given, else those of `cv-yolo up`, else those that the stack holds already."""
    from cv_yolo.services.local_stack import read_addresses

    local = read_addresses(parts.settings)
    known = local or (parts.stack_addresses if parts.settings.connection is not None and zenml_url is None else None)
    pipelines = known.pipelines if zenml_url is None and known else _given_pipelines(parts, zenml_url)
    tracking = known.tracking if mlflow_url is None and known else _given_tracking(mlflow_url)
    objects = known.objects if s3_endpoint is None and known else _given_objects(s3_endpoint)
    return StackAddresses(pipelines=pipelines, tracking=tracking, objects=objects)


def administered_server(parts: "Bootstrap", zenml_url: str | None) -> PipelineServerAddress:
    """ZenML's server as somebody who may make keys: the one given, else that of `cv-yolo up`."""
    from cv_yolo.services.local_stack import read_addresses

    local = read_addresses(parts.settings)
    return local.pipelines if local and zenml_url is None else _given_pipelines(parts, zenml_url)


def _given_pipelines(parts: "Bootstrap", url: str | None) -> PipelineServerAddress:
    address = PipelineServerAddress(url=_required("--zenml-url", url).rstrip("/"))
    connection = parts.settings.connection
    if os.environ.get("CV_YOLO_SERVER_API_KEY"):
        return replace(address, api_key=os.environ["CV_YOLO_SERVER_API_KEY"])
    if os.environ.get("CV_YOLO_ZENML_PASSWORD"):
        user = os.environ.get("CV_YOLO_ZENML_USER", "admin")
        return replace(address, user=user, password=os.environ["CV_YOLO_ZENML_PASSWORD"])
    if connection is not None and connection.url == address.url:
        return connection
    raise ConfigError(
        f"no credentials for ZenML at {address.url}",
        hint="set CV_YOLO_ZENML_USER and CV_YOLO_ZENML_PASSWORD, or CV_YOLO_SERVER_API_KEY",
    )


def _given_tracking(url: str | None) -> TrackingAddress:
    return TrackingAddress(
        uri=_required("--mlflow-url", url).rstrip("/"),
        user=os.environ.get("CV_YOLO_MLFLOW_USER"),
        password=os.environ.get("CV_YOLO_MLFLOW_PASSWORD"),
    )


def _given_objects(endpoint: str | None) -> ObjectStoreAddress:
    endpoint = _required("--s3-endpoint", endpoint)
    names = ("CV_YOLO_S3_ACCESS_KEY", "CV_YOLO_S3_SECRET_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigError(f"no credentials for the object store: {' and '.join(missing)} not set")
    return ObjectStoreAddress(
        endpoint_url=None if endpoint == "aws" else endpoint.rstrip("/"),
        access_key=os.environ[names[0]],
        secret_key=os.environ[names[1]],
        region=os.environ.get("CV_YOLO_S3_REGION", "us-east-1"),
    )


def _required(option: str, value: str | None) -> str:
    if value is None:
        raise ConfigError(
            f"no servers on this machine, and no {option}",
            hint="`cv-yolo up` starts all of them here; `cv-yolo stack register --help` shows how to name others",
        )
    return value
