"""`cv-yolo doctor`: test everything that a run needs of each service, and show how to fix what fails."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from cv_yolo_stack.domain.health import CheckResult, duration_in_words

if TYPE_CHECKING:
    from cv_yolo.domain.stack import StackAddresses
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.ports.probes import Probes
    from cv_yolo_stack.workflows.doctor.checkups import LocalServers, Servers

SERVICES: Final = ("store", "database", "zenml", "mlflow", "dvc", "machine")
UNHEALTHY: Final = 3

EPILOGUE: Final = """
\b
Services: store (S3), database, zenml, mlflow, dvc, machine.
\b
Examples:
  cv-yolo doctor                   all services
  cv-yolo doctor store mlflow      two services
  cv-yolo doctor --json            as JSON

\b
Exit codes: 0 healthy · 3 something failed
"""


@click.command(epilog=EPILOGUE)
@click.argument("services", nargs=-1, type=click.Choice(SERVICES), metavar="[SERVICE]...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option(
    "--timeout",
    "--patience",  # its former name
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=10.0,
    show_default=True,
    help="Seconds to wait for one answer.",
)
def doctor(services: tuple[str, ...], as_json: bool, timeout_s: float) -> int:
    """Test every service: reachability, authentication, access control, and everything that a run needs of it.

    Tests clean up after themselves. Each failure shows what was expected, what was found, and how to fix it.
    """
    from cv_yolo.cli.output.tables import console
    from cv_yolo.disk import room_at, what_to_free
    from cv_yolo_stack.container import StackContainer
    from cv_yolo_stack.domain.health import healthy
    from cv_yolo_stack.workflows.doctor.checkups import checkups
    from cv_yolo_stack.workflows.doctor.examine import examine

    container = StackContainer()
    probes = container.probes(timeout_s=timeout_s)
    servers = _servers(container, probes)
    findings = examine(checkups(servers, probes, stack=container.settings.stack, wanted=services))
    room = room_at(container.settings.home)
    well = healthy(findings) and not room.full
    if as_json:
        click.echo(json.dumps({"healthy": well, "findings": [asdict(each) for each in findings]}, indent=1))
    else:
        print_findings(console(), findings)
    if room.full:  # whatever else failed, this comes first
        click.secho(f"The disk is full: {room.sentence}.", err=True, fg="red")
        click.echo(f"hint: {what_to_free(container.settings.home)}", err=True)
    return 0 if well else UNHEALTHY


def _servers(container: "StackContainer", probes: "Probes") -> "Servers":
    from cv_yolo.workflows.read_stack import read_addresses
    from cv_yolo_stack.workflows.doctor.checkups import find_servers

    connection = container.settings.connection

    def read_stack() -> "StackAddresses":
        assert connection is not None  # read only for a connected machine
        return read_addresses(connection, probes.registry(connection), stack=container.settings.stack)

    return find_servers(connection=connection, local=_local(container), read_stack=read_stack)


def _local(container: "StackContainer") -> "LocalServers | None":
    from cv_yolo_stack.configuration.local_stack import ZENML_DATABASE, read_stack
    from cv_yolo_stack.workflows.doctor.checkups import LocalServers

    stack = read_stack(container.settings)
    if stack is None:
        return None
    records = stack.folder.data("zenml") / "zenml.db"
    return LocalServers(addresses=stack.addresses, database=stack.database(ZENML_DATABASE), records=records)


MARKS: Final = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]–[/]"}
INDENT: Final = 2


def print_findings(out: Console, findings: Sequence[CheckResult]) -> None:
    """A table for each service, with expected, found and fix for each failure, and at the end their number."""
    width = max((len(finding.name) for finding in findings), default=0)
    for service, group in groupby(findings, key=lambda finding: finding.service):
        found = list(group)
        out.print(f"[bold]{escape(service)}[/]")
        out.print(Padding(_table(found, width), (0, 0, 0, INDENT), expand=False))
        for finding in found:
            if finding.passed is False:
                out.print()
                out.print(Padding(_failure(finding), (0, 0, 0, INDENT), expand=False))
        out.print()
    out.print(_summary(findings))


def _table(findings: Sequence[CheckResult], width: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, min_width=width)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    for name, finding in _rows(findings):
        took = "" if finding.took_ms is None or finding.passed is None else duration_in_words(finding.took_ms)
        table.add_row(MARKS[finding.passed], escape(name), escape(finding.found), took)
    return table


def _rows(findings: Sequence[CheckResult]) -> Iterator[tuple[str, CheckResult]]:
    """One row per check; consecutive checks that were not tried for the same reason share one."""
    for _, group in groupby(enumerate(findings), key=lambda each: each[1].found if each[1].passed is None else each[0]):
        (_, first), *rest = group
        yield f"{len(rest) + 1} more" if rest else first.name, first


def _failure(finding: CheckResult) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, title=escape(finding.name), title_justify="left")
    table.title_style = "bold red"
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in (("expected", finding.expected), ("found", finding.found), ("fix", finding.remedy or "")):
        table.add_row(name, escape(text))
    return table


def _summary(findings: Sequence[CheckResult]) -> str:
    failed = sum(finding.passed is False for finding in findings)
    tried = sum(finding.passed is not None for finding in findings)
    if failed:
        return f"[red]{failed} of {tried} failed[/]"
    return f"[green]Healthy[/]: all {tried} as expected"
