"""`cv-yolo stack`: register the stack on ZenML's server, show it, and create keys for other machines."""

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from cv_yolo.domain.stack import ObjectStoreAddress, PipelineServerAddress, StackAddresses, TrackingAddress
from cv_yolo.errors import ConfigError

if TYPE_CHECKING:
    from cv_yolo.domain.stack import Change
    from cv_yolo_stack.container import StackContainer

REGISTER_EPILOGUE: Final = """
\b
Examples:
  cv-yolo up && cv-yolo stack register          the servers of this machine
  cv-yolo stack register --zenml-url http://zenml.lan:8080 \\
      --mlflow-url http://mlflow.lan:5000 --s3-endpoint http://s3.lan:9000

\b
Credentials of servers that `cv-yolo up` did not start come from the environment:
  CV_YOLO_ZENML_USER, CV_YOLO_ZENML_PASSWORD    or a key: CV_YOLO_SERVER_API_KEY
  CV_YOLO_MLFLOW_USER, CV_YOLO_MLFLOW_PASSWORD
  CV_YOLO_S3_ACCESS_KEY, CV_YOLO_S3_SECRET_KEY, CV_YOLO_S3_REGION

Run it again to update what differs.
"""


GROUP_EPILOGUE: Final = """
\b
Examples:
  cv-yolo up && cv-yolo stack register
  cv-yolo stack show
  cv-yolo stack key ci
"""


@click.group(epilog=GROUP_EPILOGUE)
def stack() -> None:
    """Register the stack on ZenML's server; show it; create API keys."""


@stack.command(epilog=REGISTER_EPILOGUE)
@click.option("--zenml-url", help="ZenML's server.")
@click.option("--mlflow-url", help="MLflow's server.")
@click.option("--s3-endpoint", help="The object store; `aws` for Amazon's own.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def register(zenml_url: str | None, mlflow_url: str | None, s3_endpoint: str | None, as_json: bool) -> None:
    """Create buckets, users, secrets, components, the stack, an API key and the DVC remote, and connect to them."""
    from cv_yolo.settings import write_connection
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.workflows.register_stack import register_stack

    container = StackContainer()
    addresses = given_addresses(container, zenml_url=zenml_url, mlflow_url=mlflow_url, s3_endpoint=s3_endpoint)
    known = container.settings.connection
    report = (lambda _: None) if as_json else _print
    done = register_stack(addresses, container.clients(), connection=known, report=report)
    if done.connection != known:
        write_connection(container.settings, done.connection)
    if as_json:
        changes = [{"subject": each.subject, "deed": each.kind, "note": each.note} for each in done.changes]
        click.echo(json.dumps({"server": done.connection.url, "changes": changes}, indent=1))
        return
    click.echo(f"Connected to {done.connection.url}. `cv-yolo grid` now runs there; `cv-yolo doctor` tests everything.")


@stack.command(epilog="\b\nExamples:\n  cv-yolo stack show\n  cv-yolo stack show --json")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(as_json: bool) -> None:
    """Show the servers of the stack that this machine is connected to, without secrets."""
    from cv_yolo_stack.container import StackContainer

    container = StackContainer()
    found = container.servers.stack_addresses
    rows = {
        "stack": container.settings.stack,
        "ZenML": found.pipelines.url,
        "MLflow": found.tracking.uri,
        "MLflow user": found.tracking.user,
        "object store": found.objects.endpoint_url or "Amazon S3",
    }
    if as_json:
        click.echo(json.dumps({name.lower().replace(" ", "_"): value for name, value in rows.items()}, indent=1))
        return
    for name, value in rows.items():
        click.echo(f"{name:13} {value}")


KEY_EPILOGUE: Final = """
\b
Examples:
  cv-yolo stack key ci                       where `cv-yolo up` runs the servers
  cv-yolo stack key anna-laptop --zenml-url http://zenml.lan:8080

Only ZenML administrators can create keys: elsewhere than on the servers' machine, set CV_YOLO_ZENML_USER and
CV_YOLO_ZENML_PASSWORD.
"""


@stack.command(epilog=KEY_EPILOGUE)
@click.argument("name")
@click.option("--zenml-url", help="ZenML's server; by default, that of `cv-yolo up`.")
def key(name: str, zenml_url: str | None) -> None:
    """Create an API key called NAME for another machine, and print it. It is shown only once.

    An existing key of that name is revoked.
    """
    from cv_yolo.domain.stack import SERVICE_ACCOUNT
    from cv_yolo_stack.container import StackContainer

    container = StackContainer()
    server = administered_server(container, zenml_url)
    click.echo(container.servers.pipeline_server(server).make_api_key(SERVICE_ACCOUNT, name))
    click.echo(f"On the other machine: `cv-yolo connect {server.url}`, with this key on standard input.", err=True)


def _print(change: "Change") -> None:
    mark = {"made": "+", "changed": "~", "unchanged": "="}[change.kind]
    note = f" ({change.note})" if change.note else ""
    click.echo(f"{mark} {change.subject}: {change.kind}{note}")


def given_addresses(
    container: "StackContainer", *, zenml_url: str | None, mlflow_url: str | None, s3_endpoint: str | None
) -> StackAddresses:
    """The servers' addresses: as given, else those of `cv-yolo up`, else those in the registered stack."""
    from cv_yolo_stack.configuration.local_stack import read_addresses

    local = read_addresses(container.settings)
    known = local or (
        container.servers.stack_addresses if container.settings.connection is not None and zenml_url is None else None
    )
    pipelines = known.pipelines if zenml_url is None and known else _given_pipelines(container, zenml_url)
    tracking = known.tracking if mlflow_url is None and known else _given_tracking(mlflow_url)
    objects = known.objects if s3_endpoint is None and known else _given_objects(s3_endpoint)
    return StackAddresses(pipelines=pipelines, tracking=tracking, objects=objects)


def administered_server(container: "StackContainer", zenml_url: str | None) -> PipelineServerAddress:
    """ZenML's server, with a user who may create keys: the one given, else that of `cv-yolo up`."""
    from cv_yolo_stack.configuration.local_stack import read_addresses

    local = read_addresses(container.settings)
    return local.pipelines if local and zenml_url is None else _given_pipelines(container, zenml_url)


def _given_pipelines(container: "StackContainer", url: str | None) -> PipelineServerAddress:
    address = PipelineServerAddress(url=_required("--zenml-url", url).rstrip("/"))
    connection = container.settings.connection
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
            hint="start them with `cv-yolo up`; `cv-yolo stack register --help` shows how to use others",
        )
    return value
