"""`cv-yolo ui`: MLflow's and ZenML's own pages."""

import time
import webbrowser
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from cv_yolo.errors import NotFoundError, ServiceUnavailableError

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer


@click.command(epilog="\b\nExamples:\n  cv-yolo ui\n  cv-yolo ui --no-browser --mlflow-port 5001")
@click.option("--mlflow-port", default=5000, show_default=True, help="Another port is used if this one is taken.")
@click.option("--zenml-port", default=8237, show_default=True, help="Another port is used if this one is taken.")
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open the pages in the browser.")
def ui(mlflow_port: int, zenml_port: int, browser: bool) -> None:
    """Open MLflow's and ZenML's pages on this project's records, or of the connected servers, until Ctrl-C."""
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.servers import pages

    container = StackContainer()
    settings = container.settings
    if settings.connection is not None:
        servers = container.servers.stack_addresses
        for name, url in (("MLflow", _trainings(container, servers.tracking.uri)), ("ZenML", servers.pipelines.url)):
            _announce(name, url, browser=browser)
        return
    if not settings.mlflow_database.is_file():
        raise NotFoundError("nothing recorded yet", hint="`cv-yolo grid --config configs/demo.yaml` records four runs")
    click.echo("Reading the records …", err=True)
    from cv_yolo.pipelines import runtime

    runtime.skip_survey()
    wanted = (
        pages.mlflow_page(settings, pages.free_port(mlflow_port)),
        pages.zenml_page(settings, pages.free_port(zenml_port)),
    )
    with ExitStack() as stack:
        started = []
        for page in wanted:
            click.echo(f"{page.name} is starting …", err=True)
            started.append((page, stack.enter_context(pages.serving(page))))
            _announce(
                page.name, _trainings(container, page.url) if page.name == "MLflow" else page.url, browser=browser
            )
        click.echo("Press Ctrl-C to stop both.", err=True)
        while True:
            time.sleep(pages.POLL_S)
            for page, server in started:
                if server.poll() is not None:
                    raise ServiceUnavailableError(f"{page.name} stopped unexpectedly", hint=f"see {page.log}")


def _trainings(container: "StackContainer", url: str) -> str:
    """MLflow's page of the trainings; its first page where the experiment was deleted, which can be restored there."""
    try:
        return container.detector.records.runs_page(url)
    except NotFoundError as error:
        click.echo(f"{error.message}: {error.hint}", err=True)
        return url


def _announce(name: str, url: str, *, browser: bool) -> None:
    click.echo(f"{name}: {url}")
    if browser:
        webbrowser.open(url)
