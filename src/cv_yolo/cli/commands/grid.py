"""`cv-yolo baseline` and `cv-yolo grid`: train one detector, or a grid of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.cli.options import numbers
from cv_yolo.cli.output.decision import accept_option, print_decision, require_promotion
from cv_yolo.cli.output.progress import following
from cv_yolo.cli.stopping import leave_with, stopping
from cv_yolo.config import ExperimentConfig, load_experiment, parse_override
from cv_yolo.disk import require_room
from cv_yolo.errors import ConfigError
from cv_yolo.workflows.retry import resumable

if TYPE_CHECKING:
    from cv_yolo.pipelines.launch import PipelineOutcome

EPILOGUE: Final = """
\b
Examples:
  cv-yolo {name}
  cv-yolo {name} --config configs/demo.yaml
  cv-yolo {name} --epochs 10 --image-size 640 --data data/mine --model yolo11n.pt
  cv-yolo {name} --set training.learning_rate=0.002 --set resources.parallel_runs=1

Run the same command again to train only what is missing. Ctrl-C stops cleanly.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The user's options."""

    kind: str
    config: Path
    overrides: dict[str, Any]
    as_json: bool
    accepted: str | None
    trusted: bool


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--config", type=click.Path(path_type=Path), help="The experiment's file."),
        click.option("--data", help="Folder of the data set (replaces `dataset`)."),
        click.option("--model", help="Weights to start from: a file, or a published name (replaces `model`)."),
        click.option(
            "--registered-model",
            metavar="NAME",
            help="The registered model to compare with (replaces `registered_model`).",
        ),
        click.option("--epochs", callback=numbers, metavar="N[,N…]", help="Epochs (replaces `grid.epochs`)."),
        click.option(
            "--image-size", callback=numbers, metavar="PX[,PX…]", help="Image sizes (replaces `grid.image_size_px`)."
        ),
        click.option("--seed", type=int, help="Seed (replaces `training.seed`)."),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace any key of the file."),
        click.option(
            "--trust",
            is_flag=True,
            help="Allow starting weights that can execute code when they are loaded; recorded with the runs.",
        ),
        accept_option,
        click.option(
            "--json", "as_json", is_flag=True, help="Print the outcome as JSON; progress goes to standard error."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(epilog=EPILOGUE.format(name="baseline"))
@_options
def baseline(**given: Any) -> int:
    """Train and evaluate one detector, and decide on its promotion (configs/baseline.yaml)."""
    return _run(_request("baseline", given))


@click.command(epilog=EPILOGUE.format(name="grid"))
@_options
def grid(**given: Any) -> int:
    """Train a grid of detectors, compare them and promote the best (configs/grid.yaml)."""
    return _run(_request("grid", given))


def _request(kind: str, given: dict[str, Any]) -> Request:
    keys = {
        "data": "dataset",
        "model": "model",
        "registered_model": "registered_model",
        "epochs": "grid.epochs",
        "image_size": "grid.image_size_px",
        "seed": "training.seed",
    }
    overrides = {key: given[name] for name, key in keys.items() if given[name] is not None}
    overrides |= dict(parse_override(text) for text in given["settings"])
    config = given["config"] or Path("configs") / f"{kind}.yaml"
    return Request(
        kind=kind,
        config=config,
        overrides=overrides,
        as_json=given["as_json"],
        accepted=given["accept_inconclusive"],
        trusted=given["trust"],
    )


def _run(request: Request) -> int:
    from cv_yolo.container import Container
    from cv_yolo.pipelines.plan import new_run_name

    config = load_experiment(request.config, request.overrides)
    _require_one_run(request, config)
    run_name = new_run_name(request.kind, datetime.now(UTC))
    container = Container.of_pipeline_run(run_name)
    require_room(container.home, home=container.home)
    with stopping(container.stop), resumable():
        click.echo("Starting ZenML and MLflow …", err=True)
        if container.settings.connection is not None:
            _ = container.servers.stack_addresses  # before ZenML, whose import fails without its server, in its words
        from cv_yolo.pipelines import launch, plan, runtime

        with runtime.using(container):
            planned = plan.make_plan(config, container, accept_inconclusive=request.accepted, trusted=request.trusted)
            with following(container.journal(run_name)):
                outcome = launch.launch(planned, run_name, leave=leave_with)
        return _finish(outcome, request, container.settings.root)


def _require_one_run(request: Request, config: ExperimentConfig) -> None:
    runs = len(set(config.grid.epochs)) * len(set(config.grid.image_size_px))
    if request.kind == "baseline" and runs != 1:
        raise ConfigError(f"{request.config}: grid: {runs} runs, but a baseline has one", hint="use `cv-yolo grid`")


def _finish(outcome: "PipelineOutcome", request: Request, root: Path) -> int:
    """Print the outcome; raises what made the run fail, or `PolicyRefusedError`."""
    if request.as_json:
        click.echo(json.dumps(outcome.as_json(), indent=1))
    elif outcome.decision is not None:
        print_decision(outcome.decision, outcome.written, root)
    if outcome.failure is not None:
        raise outcome.failure
    if outcome.decision is not None:
        require_promotion(outcome.decision, outcome.written)
    return 0
