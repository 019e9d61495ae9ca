"""`cv-yolo up`, `down`, `status`, `logs` and `restart`: the servers that run on this machine."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.errors import NotFoundError

if TYPE_CHECKING:
    from cv_yolo.settings import Settings
    from cv_yolo_stack.configuration.choice import Wish
    from cv_yolo_stack.configuration.local_stack import LocalStack
    from cv_yolo_stack.supervision.control import Control, Report

NOT_READY: Final = 3
PORTS: Final = {  # of a first start
    "zenml": "[8080]",
    "mlflow": "[5000]",
    "store": "[9000]",
    "console": "MinIO's page. [9001]",
    "database": "[3307]",
}
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def port_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option and a variable for each port."""
    for name, text in reversed(PORTS.items()):
        variable = f"CV_YOLO_{name.upper()}_PORT"
        command = click.option(
            f"--{name}-port", type=click.IntRange(1, 65535), metavar="PORT", envvar=variable, help=text
        )(command)
    return command


@click.command(
    epilog="\b\nExamples:\n  cv-yolo up\n  cv-yolo up --store minio --database mariadb\n  cv-yolo up --mlflow-port 5001"
)
@click.option("--store", type=click.Choice(["rclone", "minio", "external"]), help="The object store. [rclone]")
@click.option(
    "--database",
    type=click.Choice(["sqlite", "mariadb", "external"]),
    help="The database. [mariadb where it is installed, else sqlite]",
)
@click.option(
    "--minio",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    help="The MinIO executable, if it is not on the PATH; `make minio` in a clone builds it.",
)
@click.option("--store-url", help="URL of an external store (default: Amazon S3).")
@click.option("--region", help="Region of an external store. [us-east-1]")
@click.option("--database-url", help="mysql://HOST:PORT of an external MySQL or MariaDB.")
@click.option("--host", help="Where the servers listen. [127.0.0.1: this machine only]")
@port_options
@as_json_option
def up(as_json: bool, **wishes: Any) -> None:
    """Start the local servers and wait until all are ready. Options are remembered from the first start.

    Keys of an external store come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the login of an external database
    from CV_YOLO_DATABASE_USER and CV_YOLO_DATABASE_PASSWORD.
    """
    from cv_yolo.cli.stopping import stopping
    from cv_yolo_stack.cli.server_output import showing
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.servers import mlflow as mlflow_server
    from cv_yolo_stack.supervision.starting import bring_up

    container = StackContainer()
    with stopping(container.detector.stop), showing() as report:
        stack, state = bring_up(container, _wish(wishes), report=report, echo=_echo)
    if as_json:
        click.echo(json.dumps(asdict(state) | {"credentials": str(stack.folder.credentials)}, indent=1))
        return
    for service in state.services:
        page = mlflow_server.TRAININGS_PAGE if service.name == mlflow_server.NAME else ""
        click.echo(f"{service.title:<24} {service.url}{page}")
    click.echo(f"{'credentials':<24} {stack.folder.credentials}")
    click.echo(
        "Next: `cv-yolo stack register` registers the stack that runs use; `cv-yolo down` stops the servers.", err=True
    )


@click.command(epilog="\b\nExamples:\n  cv-yolo down")
def down() -> None:
    """Stop the local servers. Their data are kept."""
    from cv_yolo_stack.cli.server_output import showing

    with showing() as report:
        ended = _control(_settings(), report=report).stop()
    click.echo("The servers are stopped." if ended else "No server is running.")


@click.command(epilog="\b\nExamples:\n  cv-yolo status\n  cv-yolo status --json | jq .services")
@as_json_option
def status(as_json: bool) -> int:
    """Show server status. Exit code 0 if all servers are ready and respond, else 3; also 3 if the disk is full.

    A ready server is healthy, failing (it responds with errors), busy (it works, but does not respond yet) or hung. A
    server that stays hung is restarted. After five crashes or hangs in a row, it is not restarted for ten minutes.
    """
    from cv_yolo.cli.output.tables import console
    from cv_yolo.disk import room_at, what_to_free
    from cv_yolo_stack.cli.server_output import figures_of, servers_table, telling
    from cv_yolo_stack.configuration.folder import folder_of
    from cv_yolo_stack.supervision.health_watch import unresponsive

    settings = _settings()
    state = _control(settings).running()
    hung, room = unresponsive(state.services) if state else frozenset(), room_at(settings.home)
    figures = figures_of(state, folder_of(settings), unresponsive=hung) if state else []
    if as_json:
        disk = {"mount": str(room.mount), "free_bytes": room.free_bytes, "full": room.full}
        click.echo(json.dumps({"up": state is not None, "disk": disk, "services": figures}, indent=1))
    elif state is None:
        click.echo("The servers are not running. Start them with `cv-yolo up`.")
    else:
        console().print(servers_table(figures))
    for line in telling(figures):
        click.echo(line, err=True)
    if room.full:
        click.secho(f"The disk is full: {room.sentence}.", err=True, fg="red")
        click.echo(f"hint: {what_to_free(settings.home)}", err=True)
    usable = state is not None and state.ready and not any(each["hung"] or each["failing"] for each in figures)
    return 0 if usable and not room.full else NOT_READY


@click.command(epilog="\b\nExamples:\n  cv-yolo logs mlflow\n  cv-yolo logs zenml -n 20 -f")
@click.argument("service")
@click.option(
    "-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="Number of lines from the end."
)
@click.option("-f", "--follow", is_flag=True, help="Follow the log, until Ctrl-C.")
def logs(service: str, lines: int, follow: bool) -> None:
    """Show the logs of a server, or of the `supervisor`; passwords and keys are removed."""
    from cv_yolo_stack.supervision.log_file import follow_log, last_lines, log_of

    stack = _stack(_settings())
    hide, log = stack.credentials.without_secrets, log_of(service, stack.folder)
    text = last_lines(log, lines)
    if text:
        click.echo(hide(text))
    if follow:
        for more in follow_log(log):
            click.echo(hide(more), nl=False)


@click.command(epilog="\b\nExamples:\n  cv-yolo restart mlflow\n  cv-yolo restart")
@click.argument("service", required=False)
@click.pass_context
def restart(context: click.Context, service: str | None) -> None:
    """Restart one server, or all, and wait until all are ready."""
    from cv_yolo_stack.cli.server_output import showing

    if service is None:
        context.invoke(down)
        context.invoke(up, as_json=False)
        return
    from cv_yolo_stack.supervision.starting import READY_WITHIN_S

    with showing() as report:
        _control(_settings(), report=report).restart(service, within_s=READY_WITHIN_S)


@click.command(hidden=True)
def supervise() -> None:
    """The process that keeps the servers running; `cv-yolo up` starts it."""
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.supervision.starting import servers_of
    from cv_yolo_stack.supervision.supervisor import supervise as keep_running

    container = StackContainer()
    stack = _stack(container.settings)
    keep_running(servers_of(stack, container), stack.folder)


def _settings() -> "Settings":
    """The project's settings; a home that others can read is made private first, and a missing one is not created."""
    from cv_yolo.settings import Settings
    from cv_yolo_stack.container import StackContainer

    settings = Settings()
    return StackContainer(settings).settings if settings.home.exists() else settings


def _stack(settings: "Settings") -> "LocalStack":
    from cv_yolo_stack.configuration.local_stack import read_stack

    stack = read_stack(settings)
    if stack is None:
        raise NotFoundError("no server was started in this project yet", hint="start them with `cv-yolo up`")
    return stack


def _control(settings: "Settings", report: "Report" = lambda _state: None) -> "Control":
    from cv_yolo_stack.configuration.folder import folder_of
    from cv_yolo_stack.supervision.control import Control

    def hide(text: str) -> str:
        return _stack(settings).credentials.without_secrets(text)

    return Control(folder_of(settings), hide=hide, report=report)


def _wish(wishes: dict[str, Any]) -> "Wish":
    from cv_yolo_stack.configuration.choice import DatabaseKind, StoreKind, Wish

    ports = {name: wishes.pop(f"{name}_port") for name in PORTS}
    store = wishes.pop("store") or ("minio" if wishes["minio"] else "external" if wishes["store_url"] else None)
    database = wishes.pop("database") or ("external" if wishes["database_url"] else None)
    return Wish(
        store=StoreKind(store) if store else None,
        database=DatabaseKind(database) if database else None,
        ports={name: port for name, port in ports.items() if port is not None},
        **wishes,
    )


def _echo(text: str) -> None:
    click.echo(text, err=True)
