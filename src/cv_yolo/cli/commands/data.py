"""`cv-yolo data`: make, bring in or check a data set; keep its revisions, and fetch them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cv_yolo.cli.commands.data_import import export_data, import_data
from cv_yolo.cli.commands.data_transfer import pull_data, push_data
from cv_yolo.cli.commands.data_versions import diff, log, where
from cv_yolo.cli.options import root_of
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.training.specs import STRIDE_PX
from cv_yolo.errors import DatasetError

CHECK_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data check data/mine
  cv-yolo data check data/mine --report        a page with the pictures
  cv-yolo data check data/mine --fix           remove repeated label lines, orphaned labels, exact copies
  cv-yolo data check data/mine --json
"""


@click.group()
def data() -> None:
    """Import, check, compare, generate, export, push and pull data sets."""


data.add_command(import_data)
data.add_command(export_data)
for command in (push_data, pull_data, log, diff, where):
    data.add_command(command)


@data.command(
    epilog="\b\nExamples:\n  cv-yolo data synth\n  cv-yolo data synth --out data/more --counts 400 50 50 --seed 7"
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("data/demo"), show_default=True, help="Folder.")
@click.option(
    "--counts", nargs=3, type=click.IntRange(min=0), default=(40, 10, 10), show_default=True, help="Train, val, test."
)
@click.option("--size", type=click.IntRange(min=64, max=2048), default=320, show_default=True, help="Pixels.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's summary as JSON.")
def synth(out: Path, counts: tuple[int, int, int], size: int, seed: int, as_json: bool) -> None:
    """Generate images of persons with exact boxes: a data set that needs no download.

    An existing folder is replaced only if it was generated, too.
    """
    from cv_yolo.cli.output.stages import stages
    from cv_yolo.container import Container
    from cv_yolo.disk import filling
    from cv_yolo.workflows.draw_dataset import draw_dataset

    if size % STRIDE_PX:
        raise click.BadParameter(f"--size {size}: not a multiple of {STRIDE_PX}")
    _refuse_foreign_folder(out)
    container = Container()
    with filling(out, home=container.home), stages(quiet=as_json) as on_step:
        manifest = draw_dataset(
            out.resolve(),
            painter=container.datasets.paint,
            folder=container.datasets.folder,
            counts=dict(zip(Split, counts, strict=True)),
            size_px=size,
            seed=seed,
            on_picture=lambda done: on_step("Drawing", done, sum(counts)),
        )
    _print(manifest, out, as_json)


@data.command(epilog=CHECK_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--fix", is_flag=True, help="Make the fixes that change nothing that is read; keep copies.")
@click.option("--report", is_flag=False, flag_value="", metavar="[DIR]", help="Write a page (default: in the home).")
@click.option("--policy", type=click.Path(path_type=Path), help="Rules (default: configs/data_policy.yaml, if any).")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, each finding with all places.")
def check(folder: Path, *, fix: bool, report: str | None, policy: Path | None, as_json: bool) -> None:
    """Check every image and label, and print the revision.

    Whatever training and evaluation cannot use, and what the data policy forbids, is an error (exit code 2); all errors
    are listed at once. Warnings are counted, with examples. Files that did not change since the last check are not read
    again.
    """
    from cv_yolo.cli.output.dataset_check import check_json, print_check, print_fixes, reading
    from cv_yolo.container import Container
    from cv_yolo.domain.data.refusals import gathered
    from cv_yolo.workflows.fix_dataset import FixedDataset, fix_dataset
    from cv_yolo.workflows.prepare_dataset import inspect_dataset

    container, root = Container(), root_of(folder)
    datasets = container.datasets
    with reading(quiet=as_json) as on_image:
        source = datasets.checked_source(root, _say, policy=datasets.policy(policy), on_image=on_image)
        done = FixedDataset(fixes=(), backup=None, inspected=inspect_dataset(source))
        if fix:
            backup = container.settings.checks / f"{root.name}-{datetime.now():%Y%m%d-%H%M%S}"
            done = fix_dataset(source, done.inspected, fixer=datasets.fixer, backup=backup)
    page = None
    if report is not None:
        from cv_yolo.workflows.report_dataset import write_dataset_report

        out = Path(report) if report else container.settings.checks / root.name
        page = write_dataset_report(
            source, done.inspected, renderer=container.renderer, folder=out, now=datetime.now(UTC)
        )
    if as_json:
        content = check_json(root.name, done.inspected, fixes=done.fixes, backup=done.backup)
        click.echo(json.dumps(content, indent=1))
    else:
        print_check(folder, done.inspected)
        if fix:
            print_fixes(done.fixes, done.backup, folder)
        if page is not None:
            click.echo(f"  page {page}")
    if done.inspected.errors:
        raise gathered(done.inspected.errors)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _refuse_foreign_folder(out: Path) -> None:
    """Refuse to replace what `data synth` did not generate."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        origin = json.loads((out / "manifest.json").read_bytes())["origin"]["tool"]
    except (OSError, ValueError, KeyError, TypeError):
        origin = None
    if origin != "cv-yolo data synth":
        raise DatasetError(f"{out}: was not generated by `cv-yolo data synth`", hint="give another --out")


def _print(manifest: DatasetManifest, out: Path, as_json: bool) -> None:
    summary: dict[str, Any] = {
        "name": manifest.name,
        "classes": list(manifest.classes),
        "images": manifest.counts(),
        "boxes": manifest.box_counts(),
        "revision": manifest.revision,
        "dvc_hash": manifest.dvc_hash,
        "versioned": manifest.versioned,
    }
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    click.echo(f"{out}: {', '.join(manifest.classes)}")
    for split, images in manifest.counts().items():
        click.echo(f"  {split:5} {images:6} images {manifest.box_counts()[split]:6} boxes")
    click.echo(f"  revision {manifest.revision[:16]}")
