"""`cv-yolo get`: a model's weights and its description, to be used elsewhere."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cv_yolo.cli.commands.runs import experiment_option, registered_model_option
from cv_yolo.workflows.train import DATASET_PATH_TAG

if TYPE_CHECKING:
    from cv_yolo.domain.training.runs import Run

EPILOGUE: Final = """
\b
Examples:
  cv-yolo get production --out model
  cv-yolo get 4 --out releases/4 --json
  cv-yolo get e5_s320 --out try --force

model.json has the classes, the image size, the thresholds chosen on val, the data revision, the metrics with their
intervals, the decision, the licences, and the hash of model.pt (docs/reference/model-json.md). Run it again, and
nothing changes; when another version has taken the stage, --force replaces both files.

Exit codes: 0 written, or there already · 2 no such model, or DIR has other content · 3 a service is down
"""


@click.command(epilog=EPILOGUE)
@click.argument("name", metavar="STAGE|VERSION|RUN")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), required=True, help="Folder to write to.")
@click.option("--force", is_flag=True, help="Replace model.pt and model.json in DIR; other files there stay.")
@registered_model_option
@experiment_option
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def get(name: str, out: Path, force: bool, model: str, experiment: str, as_json: bool) -> None:
    """Write a model's weights (model.pt) and its description (model.json) to a folder, verified by hash."""
    from cv_yolo.container import Container
    from cv_yolo.workflows.get_model import find_model, write_model

    container = Container()

    def licence(run: "Run") -> str | None:
        folder = run.tags.get(DATASET_PATH_TAG)
        return None if folder is None else container.datasets.licence(folder)

    found = find_model(name, container.sources(model, experiment), experiment=experiment, data_licence=licence)
    changed = write_model(found, out, force=force)
    card = found.card.as_json()
    if as_json:
        click.echo(json.dumps({"folder": str(out), "changed": changed, "model": card}, indent=1))
        return
    which = f"version {card['version']} of {model}" if card["version"] else f"run {card['run']['name']}"
    click.echo(f"{out}: {which}: {'model.pt and model.json written, verified' if changed else 'unchanged'}")
