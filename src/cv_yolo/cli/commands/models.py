"""`cv-yolo models`, `history`, `rollback` and `withdraw`: versions, their stages, and the audit log."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click
from rich.markup import escape
from rich.table import Table

from cv_yolo.cli.commands.runs import registered_model_name
from cv_yolo.cli.options import given_reason
from cv_yolo.domain.promotion.audit import Action, Entry
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage
from cv_yolo.errors import InputError
from cv_yolo.workflows.follow_log import Difference, Side

if TYPE_CHECKING:
    from cv_yolo.container import Container

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
model_option = click.option(
    "--registered-model",
    "--model",
    "model",
    metavar="NAME",
    default="cv_yolo_tiny",
    show_default=True,
    callback=registered_model_name,
    help="The registered model.",
)


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n  cv-yolo models\n  cv-yolo models --json\n  cv-yolo models check",
)
@as_json_option
@model_option
@click.pass_context
def models(context: click.Context, as_json: bool, model: str) -> None:
    """List the registered versions, newest first, and the stage of each; or check that all records agree."""
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: {"as_json": as_json, "model": model}}
        return
    from cv_yolo.cli.output.tables import console, versions_table
    from cv_yolo.container import Container

    found = Container().records.version_reader(model).versions()[::-1]
    if as_json:
        print_json([asdict(version) for version in found])
    elif found:
        console().print(versions_table(found))
    else:
        click.echo("No versions yet. `cv-yolo grid` registers the best run of a grid.")


@models.command(epilog="\b\nExamples:\n  cv-yolo models check\n  cv-yolo models check --dry-run --json")
@click.option("--dry-run", is_flag=True, help="Report differences without fixing them; exit code 1 if there are any.")
@as_json_option
@model_option
def check(dry_run: bool, as_json: bool, model: str) -> int:
    """Compare MLflow's and ZenML's registries with the audit log, and make them follow it."""
    from cv_yolo.cli.output.tables import console
    from cv_yolo.workflows.register import check as check_register

    found = check_register(started().records.register(model), repair=not dry_run)
    left = [each for each in found if dry_run or each.lost]
    if as_json:
        print_json({"differences": [asdict(each) for each in found], "left": len(left)})
    elif not found:
        click.echo("OK: MLflow and ZenML agree with the audit log.")
    else:
        console().print(differences_table(found))
        repaired, remaining = f"{len(found) - len(left)} repaired", f"{len(left)} left"
        click.echo(f"{remaining}; run without --dry-run to repair" if dry_run else f"{repaired}, {remaining}")
    return 1 if left else 0


@click.command(epilog="\b\nExamples:\n  cv-yolo history\n  cv-yolo history --verify\n  cv-yolo history --json")
@click.option("--verify", is_flag=True, help="Check that no entry was changed, lost, moved or repeated.")
@as_json_option
@model_option
def history(verify: bool, as_json: bool, model: str) -> int:
    """Show the audit log: every promotion, judgement, rollback and withdrawal, newest last."""
    from cv_yolo.cli.output.tables import console
    from cv_yolo.container import Container

    container = Container()
    if verify:
        return _verify(container, model, as_json)
    entries = container.records.audit_log(model).entries()
    if as_json:
        print_json([entry_json(entry) for entry in entries])
    elif entries:
        out = console()
        out.print(history_table(entries, width=out.width))
    else:
        click.echo("The audit log is empty. `cv-yolo grid` judges its best run and records the decision.")
    return 0


@click.command(
    epilog="\b\nExamples:\n  cv-yolo rollback\n  cv-yolo rollback --stage production --reason 'misses small persons'\n"
    "  cv-yolo rollback --to 3"
)
@click.option(
    "--to", metavar="VERSION", help="A version that was in the stage before.  [default: the last one that did]"
)
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in HELD_BY_ONE]),
    help="The stage.  [default: the one moved last]",
)
@click.option("--reason", metavar="TEXT", help="Reason, recorded in the audit log.")
@as_json_option
@model_option
def rollback(to: str | None, stage: str | None, reason: str | None, as_json: bool, model: str) -> None:
    """Restore the previous version of a stage; the current one is archived."""
    from cv_yolo.workflows.demote import rollback as roll_back

    container = started()
    entry = roll_back(
        container.records.register(model),
        stage=Stage(stage) if stage else None,
        to=to,
        reason=reason,
        actor=container.actor(),
        now=datetime.now(UTC),
    )
    if as_json:
        print_json(entry_json(entry))
        return
    left = f"version {entry.former} is archived" if entry.former else "the stage was empty"
    click.echo(f"Version {entry.version} is in {entry.stage} of {model} again; {left} (entry {entry.number})")


def started() -> "Container":
    """The container, for a command that needs both registries."""
    click.echo("Starting ZenML and MLflow …", err=True)
    from cv_yolo.container import Container

    return Container()


def _verify(container: "Container", model: str, as_json: bool) -> int:
    from cv_yolo.workflows.register import examine

    log = container.records.audit_log(model)
    findings = examine(log, container.records.version_reader(model))
    entries = () if findings else log.entries()
    if as_json:
        head = entries[-1].sha256 if entries else None
        print_json({"entries": len(entries), "head": head, "findings": [asdict(finding) for finding in findings]})
    elif findings:
        click.echo("\n".join(finding.sentence for finding in findings))
    else:
        end = f", head {entries[-1].sha256[:12]}" if entries else ""
        click.echo(f"{len(entries)} {'entry' if len(entries) == 1 else 'entries'}, chain intact{end}")
    return 1 if findings else 0


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry of the log as JSON, with its hash."""
    return asdict(entry) | {"at": entry.at.isoformat(), "sha256": entry.sha256}


def print_json(value: Any) -> None:
    """The output of `--json`."""
    click.echo(json.dumps(value, indent=1))


EPILOGUE: Final = """
\b
Examples:
  cv-yolo withdraw staging --reason "finds no helmets"
  cv-yolo withdraw production --reason "recalled by QA" --yes --json

The version becomes archived and the stage is empty: the next promotion is a first one. `cv-yolo rollback` takes a
withdrawal back. To put the version before in its place instead: `cv-yolo rollback --stage STAGE`.

Exit codes: 0 withdrawn · 2 your input, or the stage is empty · 3 a service is down · 4 another version took the stage
"""


@click.command(epilog=EPILOGUE)
@click.argument("stage", type=click.Choice([stage.value for stage in HELD_BY_ONE]))
@click.option(
    "--reason", metavar="TEXT", required=True, callback=given_reason, help="Reason, recorded in the audit log."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json_option
@model_option
def withdraw(stage: str, reason: str, yes: bool, as_json: bool, model: str) -> None:
    """Remove the version from STAGE and archive it; the stage is left empty."""
    from cv_yolo.workflows.demote import held_now
    from cv_yolo.workflows.demote import withdraw as take_out

    if not yes and not sys.stdin.isatty():
        raise InputError("a withdrawal must be confirmed", hint="without a terminal, confirm it with --yes")
    container, place = started(), Stage(stage)
    register = container.records.register(model)
    seen = None if yes else held_now(place, register)
    if seen:
        question = f"Withdraw version {seen} from {stage} of {model}, and leave {stage} empty?"
        click.confirm(question, abort=True, err=True)
    entry = take_out(register, stage=place, version=seen, reason=reason, actor=container.actor(), now=datetime.now(UTC))
    if as_json:
        print_json(entry_json(entry))
        return
    click.echo(
        f"Version {entry.version} is withdrawn from {stage} of {model} and archived; {stage} is empty "
        f"(entry {entry.number})"
    )


STYLES: Final = {
    Action.PROMOTED: "green",
    Action.ROLLED_BACK: "yellow",
    Action.WITHDRAWN: "red",
    Action.JUDGED: "",
    Action.ADOPTED: "cyan",
}
COLUMNS: Final = ("#", "when", "what", "version", "stage", "before", "decision", "by", "reason")
WIDTH_WITH_ALL: Final = 100
REGISTRIES: Final = {Side.TRACKING: "MLflow", Side.PIPELINE: "ZenML"}


def history_table(entries: Sequence[Entry], *, width: int) -> Table:
    """All entries, newest last; a narrow window omits the former version and the decision."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in COLUMNS if width >= WIDTH_WITH_ALL or name not in {"before", "decision"}]
    for name in names:
        table.add_column(name, no_wrap=name not in {"what", "by", "reason"}, overflow="fold")
    for entry in entries:
        cells = _cells(entry)
        table.add_row(*(escape(cells[name]) for name in names), style=STYLES[entry.action] or None)
    return table


def differences_table(differences: Sequence[Difference]) -> Table:
    """One row per difference: registry, subject, found, and what the log says."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("registry", "what", "found", "the log says"):
        table.add_column(name)
    for each in differences:
        table.add_row(REGISTRIES[each.registry], escape(each.subject), each.found, each.wanted)
    return table


def _cells(entry: Entry) -> dict[str, str]:
    verdict = f": {entry.verdict}" if entry.action is Action.JUDGED and entry.verdict else ""
    what = f"{entry.action.replace('_', ' ')}{verdict}{' (provisional)' if entry.provisional else ''}"
    return {
        "#": str(entry.number),
        "when": f"{entry.at.astimezone():%Y-%m-%d %H:%M}",
        "what": what,
        "version": entry.version,
        "stage": entry.stage,
        "before": entry.former or "–",
        "decision": entry.decision or "–",
        "by": entry.actor,
        "reason": entry.reason or "",
    }
