"""`cv-yolo init`: a project in a folder of one's own."""

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cv_yolo.errors import InputError

if TYPE_CHECKING:
    from cv_yolo.workflows.start_project import PlannedFile, ProjectPlan

EPILOGUE: Final = """
\b
Examples:
  cv-yolo init detector && cd detector && cv-yolo grid --config configs/demo.yaml
  cv-yolo init . --dry-run
  cv-yolo init . --yes --json

Files that are there are never changed: those that differ are kept, and named. Run it again to add what is missing.
"""

WOULD: Final = {"added": "would add", "updated": "would update"}
DONE: Final = {"added": "added", "updated": "updated"}


def _given(_context: click.Context, _argument: click.Parameter, name: str) -> Path:
    if not name.strip():  # an unset variable of a script
        raise click.BadParameter("an empty name; use . for the current folder")
    return Path(name)


@click.command(epilog=EPILOGUE)
@click.argument("folder", metavar="DIR", callback=_given)
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would be added.")
@click.option("--yes", is_flag=True, help="Do not ask before adding files to a folder that has others.")
@click.option("--json", "as_json", is_flag=True, help="Print the files by state as JSON.")
def init(folder: Path, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Make DIR a project: configurations, policies, the demo's weights, DVC, CI files, and a README.

    It needs no git. In a git work tree, DVC keeps its data sets out of git; after a later `git init`, run this again.
    """
    from cv_yolo.container import starter_files
    from cv_yolo.workflows.start_project import FileState, plan_project, start_project

    root = Path(os.path.abspath(folder))  # noqa: PTH100 - links in the path stay as they were named
    plan = plan_project(root, starter_files().files())
    asks = plan.asks_first and not yes
    if not as_json:
        _print_files(plan, (*WOULD, FileState.KEPT) if dry_run or asks else (FileState.KEPT,))
    if not dry_run:
        if asks:
            _confirm(plan)
        start_project(plan, lambda each: None if as_json or asks else _print_file(each, DONE))
    if as_json:
        click.echo(json.dumps(_as_json(plan, dry_run=dry_run), indent=1))
    else:
        _print_next(plan, folder, dry_run=dry_run)


def _confirm(plan: "ProjectPlan") -> None:
    others = f"{plan.root} has other files ({', '.join(plan.foreign[:3])}{', …' if len(plan.foreign) > 3 else ''})"  # noqa: PLR2004
    if not sys.stdin.isatty():
        raise InputError(f"{others}, and nothing was added", hint="without a terminal, confirm it with --yes")
    click.confirm(f"{others}. Add these files to it?", abort=True, err=True)


def _print_files(plan: "ProjectPlan", states: tuple[str, ...]) -> None:
    for each in plan.files:
        if each.state in states:
            _print_file(each, WOULD)
    if plan.outer is not None:
        click.echo(f"note: {plan.root} is inside another DVC project, {plan.outer}", err=True)


def _print_file(each: "PlannedFile", words: dict[str, str]) -> None:
    click.echo(
        f"  {words.get(each.state, each.state):12} {each.file.path}{' (it differs)' * (each.state not in words)}"
    )
    if each.missing_lines:
        click.echo(f"               add these lines to it: {' '.join(each.missing_lines)}")


def _print_next(plan: "ProjectPlan", folder: Path, *, dry_run: bool) -> None:
    from cv_yolo.workflows.start_project import WRITTEN, FileState

    written, kept = len(plan.paths(*WRITTEN)), len(plan.paths(FileState.KEPT))
    but = f", {kept} kept that differ" if kept else ""
    if not written:
        click.echo(f"{folder}: unchanged{but}")
        return
    done = f"{written} {'file' if written == 1 else 'files'} {'to be written' if dry_run else 'written'}{but}"
    click.echo(f"{folder}: {done}; {f'in the git work tree {plan.git}' if plan.git else 'without git'}")
    if not dry_run:
        click.echo("\nNext:")
        if plan.root != Path.cwd():
            click.echo(f"  cd {shlex.quote(str(folder))}")
        click.echo(
            "  cv-yolo grid --config configs/demo.yaml   # the whole workflow on generated images, offline; minutes"
        )
        click.echo("  less README.md                            # then your own images")


def _as_json(plan: "ProjectPlan", *, dry_run: bool) -> dict[str, object]:
    from cv_yolo.workflows.start_project import FileState

    return {
        "folder": str(plan.root),
        "dry_run": dry_run,
        "git": None if plan.git is None else str(plan.git),
        "files": {str(state): list(plan.paths(state)) for state in FileState},
        "missing_lines": {each.file.path: list(each.missing_lines) for each in plan.files if each.missing_lines},
        "inside": None if plan.outer is None else str(plan.outer),
    }
