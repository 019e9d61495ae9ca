"""`cv-yolo connect`: use the stack of a ZenML server, without a browser."""

import os
import sys
from typing import Final

import click

from cv_yolo.domain.stack import DATASETS_BUCKET, PipelineServerAddress
from cv_yolo.errors import ConfigError

KEY_VARIABLES: Final = ("CV_YOLO_SERVER_API_KEY", "ZENML_STORE_API_KEY")
EPILOGUE: Final = """
\b
Examples:
  cv-yolo connect http://zenml.lan:8080                      prompt for the key
  cv-yolo connect http://zenml.lan:8080 < key.txt            read it from standard input
  CV_YOLO_SERVER_API_KEY=... cv-yolo connect http://zenml.lan:8080
  cv-yolo connect --embedded                                 use this machine's own records again

Create a key with `cv-yolo stack key NAME`, on the servers' machine.
"""


@click.command(epilog=EPILOGUE)
@click.argument("url", required=False)
@click.option("--embedded", is_flag=True, help="Disconnect, and use the records of this machine again.")
def connect(url: str | None, embedded: bool) -> None:
    """Connect to the stack of the ZenML server at URL. Needs no browser, and asks nothing without a terminal."""
    from cv_yolo.settings import Settings, write_connection
    from cv_yolo.workflows.read_stack import read_addresses
    from cv_yolo_stack.container import StackContainer

    if (url is None) is not embedded:
        raise click.UsageError("give a URL, or --embedded")
    settings = Settings()
    if embedded or url is None:
        settings.connection_file.unlink(missing_ok=True)
        StackContainer(settings).detector.datasets.dvc.forget_remote()
        click.echo("Using the embedded defaults again.")
        return
    server = PipelineServerAddress(url=url.rstrip("/"), api_key=_given_key())
    container = StackContainer(settings)
    container.servers.pipeline_server(server).use()
    found = read_addresses(server, container.servers.stack_registry(server), stack=settings.stack)
    write_connection(settings, server)
    container.detector.datasets.dvc.set_remote(found.objects, DATASETS_BUCKET)
    click.echo(
        f"Connected to {server.url}: runs go to {found.tracking.uri}, files to {found.objects.endpoint_url or 'S3'}."
    )


def _given_key() -> str:
    for variable in KEY_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    if sys.stdin.isatty():
        return str(click.prompt("API key", hide_input=True))
    given = sys.stdin.readline().strip()
    if not given:
        raise ConfigError(
            "no API key: neither in CV_YOLO_SERVER_API_KEY nor on standard input",
            hint="create one with `cv-yolo stack key NAME` on the servers' machine",
        )
    return given
