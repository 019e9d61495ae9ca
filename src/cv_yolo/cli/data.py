"""`cv-yolo data`: make or check a data set."""

import json
from pathlib import Path

import click

from cv_yolo.domain.dataset import DatasetManifest, Split
from cv_yolo.domain.training import STRIDE_PX
from cv_yolo.errors import DatasetError


@click.group()
def data() -> None:
    """Make or check a data set."""


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
    """Draw small person scenes with exact boxes: a data set that needs no download.

    An existing folder is replaced in whole, if it was drawn too; any other is left alone.
    """
    from rich.console import Console
    from rich.progress import Progress

    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.workflows.draw_dataset import draw_dataset

    if size % STRIDE_PX:
        raise click.BadParameter(f"--size {size}: not a multiple of {STRIDE_PX}")
    _refuse_foreign_folder(out)
    parts = Bootstrap()
    with Progress(console=Console(stderr=True), disable=as_json) as progress:
        task = progress.add_task("Drawing", total=sum(counts))
        manifest = draw_dataset(
            out.resolve(),
            painter=parts.paint,
            folder=parts.dataset_folder,
            counts=dict(zip(Split, counts, strict=True)),
            size_px=size,
            seed=seed,
            on_picture=lambda done: progress.update(task, completed=done),
        )
    _print(manifest, out, as_json)


@data.command(epilog="\b\nExamples:\n  cv-yolo data check data/tiny_coco\n  cv-yolo data check data/mine --json")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's summary as JSON.")
def check(folder: Path, as_json: bool) -> None:
    """Decode every image, check every label, and name the revision."""
    from cv_yolo.bootstrap import Bootstrap
    from cv_yolo.workflows.prepare_dataset import DatasetSource, prepare_dataset

    parts = Bootstrap()

    def report(text: str) -> None:
        click.echo(text, err=True)

    source = DatasetSource(root=folder.resolve(), folder=parts.dataset_folder, store=parts.dataset_store, report=report)
    _print(prepare_dataset(source), folder, as_json)


def _refuse_foreign_folder(out: Path) -> None:
    """What `data synth` did not draw is not replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        origin = json.loads((out / "manifest.json").read_bytes())["origin"]["tool"]
    except (OSError, ValueError, KeyError, TypeError):
        origin = None
    if origin != "cv-yolo data synth":
        raise DatasetError(f"{out}: holds something that `cv-yolo data synth` did not draw", hint="give another --out")


def _print(manifest: DatasetManifest, folder: Path, as_json: bool) -> None:
    summary = {
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
    click.echo(f"{folder}: {', '.join(manifest.classes)}")
    for split, images in manifest.counts().items():
        click.echo(f"  {split:5} {images:6} images {manifest.box_counts()[split]:6} boxes")
    click.echo(f"  revision {manifest.revision[:16]}")
    if manifest.dvc_hash:
        click.echo(f"  DVC {manifest.dvc_hash} ({'recorded' if manifest.versioned else 'not recorded by DVC'})")
