"""`cv-yolo withdraw`: empty a stage, for a version that must go where no other is to take its place."""

import sys
from datetime import UTC, datetime
from typing import Final

import click

from cv_yolo.cli.outcome import given_reason
from cv_yolo.cli.register import as_json_option, entry_json, model_option, print_json, started
from cv_yolo.domain.versions import HELD_BY_ONE, Stage
from cv_yolo.errors import InputError

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
@click.option("--reason", metavar="TEXT", required=True, callback=given_reason, help="Why; kept in the audit log.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json_option
@model_option
def withdraw(stage: str, reason: str, yes: bool, as_json: bool, model: str) -> None:
    """Take the version out of STAGE and leave the stage empty; the version becomes archived."""
    from cv_yolo.workflows.withdraw import held_now
    from cv_yolo.workflows.withdraw import withdraw as take_out

    if not yes and not sys.stdin.isatty():
        raise InputError(
            "a withdrawal has to be confirmed", hint="--yes confirms it where there is no terminal to ask on"
        )
    parts, place = started(), Stage(stage)
    register = parts.register(model)
    seen = None if yes else held_now(place, register)
    if seen:
        question = f"Withdraw version {seen} from {stage} of {model}, and leave {stage} empty?"
        click.confirm(question, abort=True, err=True)
    entry = take_out(register, stage=place, version=seen, reason=reason, actor=parts.actor(), now=datetime.now(UTC))
    if as_json:
        print_json(entry_json(entry))
        return
    click.echo(
        f"Version {entry.version} is withdrawn from {stage} of {model} and archived; {stage} is empty "
        f"(entry {entry.number})"
    )
