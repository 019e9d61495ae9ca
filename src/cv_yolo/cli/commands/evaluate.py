"""`cv-yolo evaluate` and `compare`: the metrics of a detector, and the differences between two."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cv_yolo.cli.commands.runs import registered_model_option
from cv_yolo.cli.options import numbers
from cv_yolo.cli.output.metric_tables import print_comparison, print_evaluation
from cv_yolo.cli.output.tables import console
from cv_yolo.cli.scoring_session import Choices, session
from cv_yolo.container import EXPERIMENT
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.specs import STRIDE_PX
from cv_yolo.reports.text.gaps import gaps_json

RANKED_BY: Final = ("map_50_95", "map_50", "map_75")
OF_FILES: Final = ("slice_by", "metric", "csv")
OF_DATA_SETS: Final = ("data", "split", "image_size", "categories", "first_class", "trust", "experiment", "model")
EVALUATE_EPILOGUE: Final = """
\b
Examples:
  cv-yolo evaluate staging --split test
  cv-yolo evaluate e5_s320 --split val --html reports/e5.html
  cv-yolo evaluate runs/best.onnx --image-size 640 --data data/mine --json
  cv-yolo evaluate results.json --data data/mine --categories instances_val.json
  cv-yolo evaluate results.json --data data/mine --first-class 1
  cv-yolo evaluate results.json --truth instances_val.json --html page.html
  cv-yolo evaluate results.json --truth instances_val.json --slice-by weather --json

MODEL is a stage, a version, `newest`, a run (its name or the beginning of its id), a .pt or .onnx file, or a COCO
results file. Classes are compared by name; those that the data set does not name are left out.

With --truth, COCO annotations are all that is needed: no project, no images. Ids and names are those of the file.
"""
COMPARE_EPILOGUE: Final = """
\b
Examples:
  cv-yolo compare staging e5_s416
  cv-yolo compare 3 4 --split test --html reports/3-4.html
  cv-yolo compare production new.onnx --data data/mine --json
  cv-yolo compare a.json b.json --truth instances_val.json --html page.html
  cv-yolo compare a.json b.json c.json --truth instances_val.json --csv ranking.csv

The difference is SECOND minus FIRST, paired by image. A comparison does not count against the test budget. With
--truth, COCO results are compared on COCO annotations; more than two are ranked, each compared with the best.
"""


def _image_size(_context: click.Context, _option: click.Parameter, pixels: int | None) -> int | None:
    if pixels is not None and (pixels < STRIDE_PX or pixels % STRIDE_PX):
        raise click.BadParameter(f"{pixels}: not a multiple of {STRIDE_PX}")
    return pixels


def _scoring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--data", help="Folder of the data set; by default the one the model was trained on."),
        click.option("--split", type=click.Choice(list(map(str, Split))), default=str(Split.TEST), show_default=True),
        click.option("--image-size", type=int, callback=_image_size, help="Pixels, for a weights file (default: 640)."),
        click.option(
            "--confidence", type=click.FloatRange(0, 1), help="Confidence threshold (default: the one selected on val)."
        ),
        click.option(
            "--categories",
            "--annotations",
            "categories",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Class ids of a results file: COCO annotations, or a JSON list of id and name.",
        ),
        click.option(
            "--first-class",
            type=click.IntRange(0),
            help="The ids in a results file are the data set's classes in order, counted from here.",
        ),
        click.option(
            "--max-detections",
            callback=numbers,
            metavar="N[,N…]",
            default="1,10,100",
            show_default=True,
            help="Per image and class: for average recall; AP takes the largest.",
        ),
        click.option(
            "--trust",
            is_flag=True,
            help="Allow a .pt file that can execute code when it is loaded; recorded with the metrics.",
        ),
        click.option("--resamples", type=click.IntRange(100, 10_000), default=2000, show_default=True),
        click.option("--experiment", default=EXPERIMENT, show_default=True, help="MLflow's experiment."),
        registered_model_option,
        click.option(
            "--truth",
            type=click.Path(path_type=Path, dir_okay=False),
            help="COCO annotations to score COCO results on, without a project.",
        ),
        click.option(
            "--slice-by", multiple=True, metavar="ATTRIBUTE", help="With --truth: metrics by an attribute of `images`."
        ),
        click.option(
            "--metric",
            type=click.Choice(RANKED_BY),
            default=RANKED_BY[0],
            show_default=True,
            help="With --truth: the metric in headings, which ranks.",
        ),
        click.option("--csv", type=click.Path(path_type=Path, dir_okay=False), help="With --truth: metrics as CSV."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables."),
        click.option(
            "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML page that works offline."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _on_files(given: dict[str, Any]) -> bool:
    """Whether files are scored without a data set; options of the other way are refused."""
    files = given["truth"] is not None
    context = click.get_current_context()
    for name in OF_DATA_SETS if files else OF_FILES:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = "--registered-model" if name == "model" else f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} cannot be given {'with' if files else 'without'} --truth")
    if min(given["max_detections"]) < 1:
        raise click.BadParameter("--max-detections: at least 1")
    return files


def _choices(given: dict[str, Any]) -> Choices:
    if given["categories"] is not None and given["first_class"] is not None:
        raise click.BadParameter("--first-class and --categories both define the ids: give only one of them")
    return Choices(
        split=Split(given["split"]),
        data=given["data"],
        image_size_px=given["image_size"],
        confidence_threshold=given["confidence"],
        first_class=given["first_class"],
        categories=given["categories"],
        exact_classes=False,
        resampling=Resampling(resamples=given["resamples"]),
        detection_limits=tuple(sorted(set(given["max_detections"]))),
        experiment=given["experiment"],
        trusted=given["trust"],
        model=given["model"],
    )


@click.command(epilog=EVALUATE_EPILOGUE)
@click.argument("name", metavar="MODEL")
@_scoring_options
def evaluate(name: str, **given: Any) -> None:
    """Evaluate MODEL on a split, with a confidence interval for every metric."""
    if _on_files(given):
        from cv_yolo.cli.commands.coco_files import evaluate_file

        evaluate_file(name, given)
        return
    with session(_choices(given), [name]) as here:
        scored = here.score(name)
    if given["html"]:
        here.write_evaluation(given["html"], name, scored)
    if given["as_json"]:
        evaluation = scored.evaluation
        click.echo(json.dumps(gaps_json(evaluation) | {"id": evaluation.id} | asdict(evaluation), indent=1))
    else:
        print_evaluation(console(), scored.evaluation, name=name)


@click.command(epilog=COMPARE_EPILOGUE)
@click.argument("first")
@click.argument("second")
@click.argument("more", nargs=-1)
@_scoring_options
def compare(first: str, second: str, more: tuple[str, ...], **given: Any) -> None:
    """Compare FIRST and SECOND on the same images; with --truth, rank as many COCO results as are given."""
    if _on_files(given):
        from cv_yolo.cli.commands.coco_files import compare_files

        compare_files((first, second, *more), given)
        return
    if more:
        plural = "s" if len(more) > 1 else ""
        raise click.UsageError(f"Got unexpected extra argument{plural} ({' '.join(more)})")
    with session(_choices(given), [first, second]) as here:
        found = here.compare(first, second)
    if given["html"]:
        here.write_comparison(given["html"], (first, second), found)
    if given["as_json"]:
        missing = {name: gaps_json(each) for name, each in (("first", found.first), ("second", found.second))}
        said = {"missing": missing, "figure_changes": found.figure_changes}
        click.echo(json.dumps(said | asdict(found), indent=1))
    else:
        print_comparison(console(), found, names=(first, second))
