"""`cv-yolo data push` and `cv-yolo data pull`: keep revisions of data sets on the remote, and fetch them."""

import json
from pathlib import Path
from typing import Final

import click

from cv_yolo.cli.options import root_of
from cv_yolo.domain.data.shards import SHARDED_FROM

REMOTE: Final = """
The remote is that of the stack this home is connected to, else the project's own (`dvc remote list`). DVC's own
commands use the same one in a shell with these variables:

\b
  export DVC_GLOBAL_CONFIG_DIR=$PWD/.cv-yolo/dvc/global DVC_SITE_CACHE_DIR=$PWD/.cv-yolo/dvc/site
  dvc push --remote minio
"""
PUSH_EPILOGUE: Final = f"""
\b
Examples:
  cv-yolo data push data/mine                 record this content, and upload what the remote lacks
  cv-yolo data push /mnt/images/mine          the same for a folder outside the project: data/mine.dvc
  cv-yolo data push /mnt/more/mine --name other
  cv-yolo data push data/mine --shards        many small files as a few large ones
{REMOTE}"""
PULL_EPILOGUE: Final = f"""
\b
Examples:
  cv-yolo data pull data/mine                 on another machine, or in a fresh clone
  cv-yolo data pull data/mine --out /mnt/images/mine
{REMOTE}"""


@click.command("push", epilog=PUSH_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the record of a folder outside the project (default: the folder's).")
@click.option(
    "--shards/--no-shards",
    default=None,
    help=f"Pack the files into large ones (default: as before; at first from {SHARDED_FROM} files on).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def push_data(folder: Path, *, name: str | None, shards: bool | None, as_json: bool) -> None:
    """Record the content of FOLDER, and upload what the remote lacks.

    The record is a small file, data/NAME.dvc, for git to keep. It is written last, so that whatever it records can be
    pulled. An interrupted push is continued by the next one. What a stage of dvc.yaml makes is uploaded as recorded.
    """
    from cv_yolo.cli.output.transfer import print_push, push_json, transferring
    from cv_yolo.container import Container
    from cv_yolo.disk import filling
    from cv_yolo.workflows.transfer_dataset import push_dataset

    container = Container()
    with filling(container.settings.root, home=container.home), transferring(quiet=as_json) as on_progress:
        pushed = push_dataset(
            root_of(folder), container.datasets.store, name=name, shards=shards, on_progress=on_progress
        )
    if as_json:
        click.echo(json.dumps(push_json(pushed), indent=1))
    else:
        print_push(folder, pushed)


@click.command("pull", epilog=PULL_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Another folder to write to, inside or outside.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def pull_data(folder: Path, *, out: Path | None, as_json: bool) -> None:
    """Fetch the recorded revision of FOLDER from the DVC remote.

    Every file is verified by its hash, and the folder is replaced as a whole. An interrupted pull is continued by the
    next one. Files that were never pushed are not overwritten.
    """
    from cv_yolo.cli.output.transfer import print_pull, pull_json, transferring
    from cv_yolo.container import Container
    from cv_yolo.disk import filling
    from cv_yolo.workflows.transfer_dataset import pull_dataset

    container = Container()
    target = None if out is None else root_of(out)
    with filling(target or root_of(folder), home=container.home), transferring(quiet=as_json) as on_progress:
        pulled = pull_dataset(root_of(folder), container.datasets.store, out=target, on_progress=on_progress)
    if as_json:
        click.echo(json.dumps(pull_json(pulled), indent=1))
    else:
        print_pull(out or folder, pulled)
