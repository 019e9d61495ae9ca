"""`cv-yolo models`, `history` and `rollback`: which version is where, who put it there, and the way back."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cv_yolo.cli.records import registered_model_name
from cv_yolo.domain.audit import Entry
from cv_yolo.domain.versions import HELD_BY_ONE, Stage

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap

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
    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.cli.tables import console, versions_table

    found = Bootstrap().tracking_registry(model).versions()[::-1]
    if as_json:
        print_json([asdict(version) for version in found])
    elif found:
        console().print(versions_table(found))
    else:
        click.echo("No versions yet. `cv-yolo grid` registers the best run of a grid.")


@models.command(epilog="\b\nExamples:\n  cv-yolo models check\n  cv-yolo models check --dry-run --json")
@click.option("--dry-run", is_flag=True, help="Only tell: exit with 1 where something differs, and leave it.")
@as_json_option
@model_option
def check(dry_run: bool, as_json: bool, model: str) -> int:
    """Compare MLflow's and ZenML's registries with the audit log, and make them follow it."""
    from cv_yolo.cli.audit_tables import differences_table
    from cv_yolo.cli.tables import console
    from cv_yolo.workflows.register import check as check_register

    found = check_register(started().register(model), repair=not dry_run)
    left = [each for each in found if dry_run or each.lost]
    if as_json:
        print_json({"differences": [asdict(each) for each in found], "left": len(left)})
    elif not found:
        click.echo("In order: MLflow and ZenML say what the audit log says.")
    else:
        console().print(differences_table(found))
        repaired, remaining = f"{len(found) - len(left)} repaired", f"{len(left)} left"
        click.echo(f"{remaining}; without --dry-run it is repaired" if dry_run else f"{repaired}, {remaining}")
    return 1 if left else 0


@click.command(epilog="\b\nExamples:\n  cv-yolo history\n  cv-yolo history --verify\n  cv-yolo history --json")
@click.option("--verify", is_flag=True, help="Check that no entry was changed, lost, moved or repeated.")
@as_json_option
@model_option
def history(verify: bool, as_json: bool, model: str) -> int:
    """Show the audit log: every promotion, judgement, rollback and withdrawal, newest last."""
    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.cli.audit_tables import history_table
    from cv_yolo.cli.tables import console

    parts = Bootstrap()
    if verify:
        return _verify(parts, model, as_json)
    entries = parts.audit_log(model).entries()
    if as_json:
        print_json([entry_json(entry) for entry in entries])
    elif entries:
        out = console()
        out.print(history_table(entries, width=out.width))
    else:
        click.echo("Nothing on record yet. `cv-yolo grid` judges its best run and puts it on record.")
    return 0


@click.command(
    epilog="\b\nExamples:\n  cv-yolo rollback\n  cv-yolo rollback --stage production --reason 'misses small persons'\n"
    "  cv-yolo rollback --to 3"
)
@click.option("--to", metavar="VERSION", help="A version that held the stage before.  [default: the last one that did]")
@click.option(
    "--stage",
    type=click.Choice([stage.value for stage in HELD_BY_ONE]),
    help="Which stage.  [default: the one moved last]",
)
@click.option("--reason", metavar="TEXT", help="Why; kept in the audit log.")
@as_json_option
@model_option
def rollback(to: str | None, stage: str | None, reason: str | None, as_json: bool, model: str) -> None:
    """Give a stage back to the version that held it before; the one that leaves becomes archived."""
    from cv_yolo.workflows.rollback import rollback as roll_back

    parts = started()
    entry = roll_back(
        parts.register(model),
        stage=Stage(stage) if stage else None,
        to=to,
        reason=reason,
        actor=parts.actor(),
        now=datetime.now(UTC),
    )
    if as_json:
        print_json(entry_json(entry))
        return
    left = f"version {entry.former} left and is archived" if entry.former else "nobody had to leave"
    click.echo(f"Version {entry.version} is in {entry.stage} of {model} again; {left} (entry {entry.number})")


def started() -> "Bootstrap":
    """The wired parts, for a command that needs both registries."""
    click.echo("Starting ZenML and MLflow …", err=True)
    from cv_yolo.bootstrap import Bootstrap

    return Bootstrap()


def _verify(parts: "Bootstrap", model: str, as_json: bool) -> int:
    from cv_yolo.workflows.register import examine

    log = parts.audit_log(model)
    findings = examine(log, parts.tracking_registry(model))
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
    """An entry of the log for machines, with its hash."""
    return asdict(entry) | {"at": entry.at.isoformat(), "sha256": entry.sha256}


def print_json(value: Any) -> None:
    """The answer to `--json`."""
    click.echo(json.dumps(value, indent=1))
