"""`cv-yolo doctor`: try on every service all that a run needs of it, and say what mends what fails."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.domain.addresses import StackAddresses
    from cv_yolo.ports import Probes
    from cv_yolo.workflows.doctor.servers import LocalServers, Servers

SERVICES: Final = ("store", "database", "zenml", "mlflow", "dvc", "machine")
UNHEALTHY: Final = 3

EPILOGUE: Final = """
\b
Services: store (S3), database, zenml, mlflow, dvc, machine.
\b
Examples:
  cv-yolo doctor                   everything that is used
  cv-yolo doctor store mlflow      these two
  cv-yolo doctor --json            for machines

\b
Exit codes: 0 healthy · 3 something failed
"""


@click.command(epilog=EPILOGUE)
@click.argument("services", nargs=-1, type=click.Choice(SERVICES), metavar="[SERVICE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--patience",
    "patience_s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Seconds to wait for one answer.",
)
def doctor(services: tuple[str, ...], as_json: bool, patience_s: float) -> int:
    """Try every service: whether it answers, lets us in, keeps others out, and does what a run needs of it.

    What is tried is cleaned up. Each failure says what was expected, what came, and the command that mends it.
    """
    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.cli.findings import print_findings
    from cv_yolo.cli.tables import console
    from cv_yolo.disk import room_at, what_to_free
    from cv_yolo.domain.health import healthy
    from cv_yolo.workflows.doctor.checkups import checkups
    from cv_yolo.workflows.doctor.examine import examine

    parts = Bootstrap()
    probes = parts.probes(patience_s=patience_s)
    servers = _servers(parts, probes)
    findings = examine(checkups(servers, probes, stack=parts.settings.stack, wanted=services))
    room = room_at(parts.settings.home)
    well = healthy(findings) and not room.full
    if as_json:
        click.echo(json.dumps({"healthy": well, "findings": [asdict(each) for each in findings]}, indent=1))
    else:
        print_findings(console(), findings)
    if room.full:  # whatever else failed, this comes first
        click.secho(f"The disk is full: {room.sentence}.", err=True, fg="red")
        click.echo(f"hint: {what_to_free(parts.settings.home)}", err=True)
    return 0 if well else UNHEALTHY


def _servers(parts: "Bootstrap", probes: "Probes") -> "Servers":
    from cv_yolo.workflows.doctor.servers import find_servers
    from cv_yolo.workflows.read_stack import read_addresses

    connection = parts.settings.connection

    def read_stack() -> "StackAddresses":
        assert connection is not None  # read only for a connected machine
        return read_addresses(connection, probes.registry(connection), stack=parts.settings.stack)

    return find_servers(connection=connection, local=_local(parts), read_stack=read_stack)


def _local(parts: "Bootstrap") -> "LocalServers | None":
    from cv_yolo.services.local_stack import ZENML_DATABASE, read_addresses, read_stack
    from cv_yolo.workflows.doctor.servers import LocalServers

    stack, addresses = read_stack(parts.settings), read_addresses(parts.settings)
    if stack is None or addresses is None:
        return None
    records = stack.folder.data("zenml") / "zenml.db"
    return LocalServers(addresses=addresses, database=stack.database(ZENML_DATABASE), records=records)
