"""`cv-yolo data`: make, bring in or check a data set; keep its revisions, and fetch them."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.cli.commands.data_import import export_data, import_data
from cv_yolo.domain.data.findings import DatasetFinding
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.training.specs import STRIDE_PX
from cv_yolo.errors import DatasetError

if TYPE_CHECKING:
    from cv_yolo.workflows.prepare_dataset import DatasetSource

REMOTE_EPILOGUE: Final = """
\b
Examples:
  dvc add data/mine && cv-yolo data push data/mine     record a revision, and upload it
  cv-yolo data pull data/mine                          on another machine, or in a fresh clone

The remote is that of the stack this home is connected to, else the project's own (`dvc remote list`). DVC's own
commands use the same one in a shell with these variables:

\b
  export DVC_GLOBAL_CONFIG_DIR=$PWD/.cv-yolo/dvc/global DVC_SITE_CACHE_DIR=$PWD/.cv-yolo/dvc/site
  dvc push --remote minio
"""


@click.group()
def data() -> None:
    """Import, check, generate, export, push and pull data sets."""


data.add_command(import_data)
data.add_command(export_data)


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
            painter=container.paint,
            folder=container.dataset_folder,
            counts=dict(zip(Split, counts, strict=True)),
            size_px=size,
            seed=seed,
            on_picture=lambda done: on_step("Drawing", done, sum(counts)),
        )
    _print(manifest, out, as_json)


@data.command(epilog="\b\nExamples:\n  cv-yolo data check data/tiny_coco\n  cv-yolo data check data/mine --json")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest's summary as JSON.")
def check(folder: Path, as_json: bool) -> None:
    """Check every image and label, and print the revision.

    Whatever training and evaluation cannot use is an error (exit code 2); all errors are listed at once. Warnings are
    counted, with examples: boxes clipped to their image or too small to count, images without a label file, labels
    without an image, ignored files, and near-duplicates across splits.
    """
    from cv_yolo.workflows.prepare_dataset import check_dataset

    checked = check_dataset(_source(folder))
    _print(checked.manifest, folder, as_json, checked.findings)


@data.command(epilog=REMOTE_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
def push(folder: Path) -> None:
    """Upload the recorded revision of FOLDER to the DVC remote."""
    from cv_yolo.workflows.prepare_dataset import push_dataset

    push_dataset(_source(folder))
    click.echo(f"{folder}: the recorded revision is on the remote.")


@data.command(epilog=REMOTE_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
def pull(folder: Path) -> None:
    """Fetch the recorded revision of FOLDER from the DVC remote."""
    from cv_yolo.workflows.prepare_dataset import pull_dataset

    pull_dataset(_source(folder))
    click.echo(f"{folder}: the recorded revision is here.")


def _source(folder: Path) -> "DatasetSource":
    from cv_yolo.container import Container

    root = folder.resolve() if ".." in folder.parts else folder.absolute()
    return Container().dataset_source(root, lambda text: click.echo(text, err=True))


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


def _print(
    manifest: DatasetManifest, folder: Path, as_json: bool, findings: tuple[DatasetFinding, ...] | None = None
) -> None:
    summary: dict[str, Any] = {
        "name": manifest.name,
        "classes": list(manifest.classes),
        "images": manifest.counts(),
        "boxes": manifest.box_counts(),
        "revision": manifest.revision,
        "dvc_hash": manifest.dvc_hash,
        "versioned": manifest.versioned,
    }
    if findings is not None:
        summary["findings"] = [asdict(finding) | {"sentence": finding.sentence} for finding in findings]
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    click.echo(f"{folder}: {', '.join(manifest.classes)}")
    for split, images in manifest.counts().items():
        click.echo(f"  {split:5} {images:6} images {manifest.box_counts()[split]:6} boxes")
    for finding in findings or ():
        click.echo(f"  note: {finding.sentence}")
    click.echo(f"  revision {manifest.revision[:16]}")
    if manifest.dvc_hash:
        click.echo(f"  DVC {manifest.dvc_hash} ({'recorded' if manifest.versioned else 'not recorded by DVC'})")
