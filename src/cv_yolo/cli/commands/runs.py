"""`cv-yolo runs` and `show`: what was recorded, as tables or as JSON."""

import json
import re
from dataclasses import asdict, fields
from typing import Any

import click

from cv_yolo.domain.promotion.versions import MODEL_NAME
from cv_yolo.domain.training.runs import Run, find_run


def registered_model_name(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """The name, if the registries take it."""
    if name is not None and not re.fullmatch(MODEL_NAME, name):
        raise click.BadParameter(f"{name!r}: expected a name of 1 to 250 characters without quotes, colons and slashes")
    return name


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
registered_model_option = click.option(
    "--registered-model",
    "model",
    metavar="NAME",
    default="cv_yolo_tiny",
    show_default=True,
    callback=registered_model_name,
    help="The registered model, for versions and stages.",
)
experiment_option = click.option("--experiment", default="cv_yolo_tiny", show_default=True, help="MLflow's experiment.")


@click.command(epilog="\b\nExamples:\n  cv-yolo runs\n  cv-yolo runs --json | jq '.[0].metrics'")
@as_json_option
@experiment_option
def runs(as_json: bool, experiment: str) -> None:
    """List the tracked runs, newest first."""
    from cv_yolo.cli.output.tables import console, print_runs
    from cv_yolo.container import Container
    from cv_yolo.workflows.run_lease import as_they_stand

    container = Container()
    found = as_they_stand(
        container.records.tracker(experiment).runs(), is_gone=container.driver_is_gone, now=container.records.now()
    )
    if as_json:
        _print_json([_record(run) for run in found])
    elif found:
        trainings = [run for run in found if run.is_training]
        print_runs(console(), trainings)
        if len(trainings) < len(found):
            click.echo(f"{len(found) - len(trainings)} more runs are not trainings; --json lists them", err=True)
    else:
        click.echo("No runs yet. `cv-yolo grid --config configs/demo.yaml` trains four.")


@click.command(epilog="\b\nExamples:\n  cv-yolo show 3f2a\n  cv-yolo show e5_s416 --json")
@click.argument("run")
@as_json_option
@experiment_option
def show(run: str, as_json: bool, experiment: str) -> None:
    """Show one run: its MLflow id (or the beginning of it), or its name (the newest of that name)."""
    from cv_yolo.cli.output.tables import console, run_details
    from cv_yolo.container import Container
    from cv_yolo.workflows.run_lease import as_they_stand

    container = Container()
    known = as_they_stand(
        container.records.tracker(experiment).runs(), is_gone=container.driver_is_gone, now=container.records.now()
    )
    found = find_run(run, known)
    if as_json:
        _print_json(_record(found))
    else:
        run_details(console(), found)


def _record(run: Run) -> dict[str, Any]:
    """The run's fields; `asdict` would copy all that is in them first."""
    record = {each.name: getattr(run, each.name) for each in fields(run)}
    return record | {"inputs": [asdict(each) for each in run.inputs]}


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=1, default=str))
