"""`cv-yolo data log`, `diff` and `where`: the revisions of data sets, what differs, and what used them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cv_yolo.cli.commands.models import as_json_option, model_option

if TYPE_CHECKING:
    from cv_yolo.container import Container
    from cv_yolo.workflows.dataset_revisions import RevisionSource

LOG_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data log data/mine
  cv-yolo data log data/mine --json

The history is that of git: the commits that changed data/mine.dvc, or the entry of the folder in dvc.lock. What a
revision holds is read from DVC's cache, and remembered in the home. "+3 −1 ~2" are images added, removed, relabelled.
"""

DIFF_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data diff data/mine                     the last recorded revision and the folder as it is now
  cv-yolo data diff mine@HEAD~1 mine@HEAD         what two commits record
  cv-yolo data diff 1a2b3c4d5e6f                  a revision from `data log`, and its folder as it is now
  cv-yolo data diff data/mine data/other          two folders
  cv-yolo data diff mine@v1 --report              a page with the pictures

Images are the same where path and file content are. Of the others, those of the same content belong together (renamed,
or moved to another split), then those of the same path (replaced). Boxes are paired one by one: first those at the same
place, then those that overlap with an IoU of at least 0.5, of the same class first; of all ways to pair them, the one
with the largest sum of overlaps is taken.
"""

WHERE_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data where 1a2b3c4d5e6f
  cv-yolo data where 1a2b3c4d5e6f --json

A revision is given by its beginning, of at least four characters; DVC's hash of a folder works, too.
"""


@click.command(epilog=LOG_EPILOGUE)
@click.argument("folder", type=click.Path(path_type=Path))
@as_json_option
def log(folder: Path, *, as_json: bool) -> None:
    """List the recorded revisions of the data set in FOLDER, newest first, and what changed in each.

    FOLDER may be the name of one below data/. What is not known is said, with how to get it.
    """
    from cv_yolo.cli.output.dataset_revisions import log_json, print_log
    from cv_yolo.workflows.compare_revisions import folder_of
    from cv_yolo.workflows.dataset_revisions import log_dataset

    with _reading(quiet=as_json) as (container, source):
        found = log_dataset(source, folder_of(str(folder), container.settings.root))
    if as_json:
        click.echo(json.dumps(log_json(found), indent=1))
    else:
        print_log(folder, found)


@click.command(epilog=DIFF_EPILOGUE)
@click.argument("one", metavar="A")
@click.argument("other", metavar="[B]", required=False)
@click.option("--report", is_flag=False, flag_value="", metavar="[DIR]", help="Write a page (default: in the home).")
@as_json_option
def diff(one: str, other: str | None, *, report: str | None, as_json: bool) -> None:
    """Compare two revisions of a data set: images, splits, classes, and labels box by box.

    A and B are folders, NAME@COMMIT (a commit, branch or tag of git), or revisions from `data log`. Without B, A is
    compared with its folder as it is now.
    """
    from cv_yolo.cli.output.dataset_difference import difference_json, print_difference
    from cv_yolo.workflows.compare_revisions import compared
    from cv_yolo.workflows.report_difference import write_difference_report

    with (
        _reading(quiet=as_json) as (container, source),
        compared(source, one, other, project=container.settings.root) as found,
    ):
        page = None
        if report is not None:
            names = f"{found.before.place.folder.name}-{found.before.content.revision[:12]}"
            out = Path(report) if report else container.settings.checks / f"{names}-{found.after.content.revision[:12]}"
            page = write_difference_report(found, renderer=container.renderer, folder=out, now=datetime.now(UTC))
    if as_json:
        click.echo(json.dumps(difference_json(found), indent=1))
        return
    print_difference(found)
    if page is not None:
        click.echo(f"  page {page}")


@click.command(epilog=WHERE_EPILOGUE)
@click.argument("revision")
@as_json_option
@model_option
def where(revision: str, *, as_json: bool, model: str) -> None:
    """Find what holds or used REVISION: commits, folders, DVC's cache, runs, versions, and decisions."""
    from cv_yolo.cli.output.dataset_revisions import print_use, use_json
    from cv_yolo.workflows.find_revision import Registers, find_revision

    with _reading(quiet=as_json) as (container, source):
        records = container.records
        registers = Registers(versions=lambda: records.version_reader(model), log=lambda: records.audit_log(model))
        folders = [path.parent for path in sorted(container.settings.root.glob("data/*/data.yaml"))]
        found = find_revision(source, revision, folders=folders, registers=registers)
    if as_json:
        click.echo(json.dumps(use_json(found), indent=1))
    else:
        print_use(found)


@contextmanager
def _reading(*, quiet: bool) -> Iterator[tuple["Container", "RevisionSource"]]:
    """The container, and revisions whose reading shows its progress."""
    from cv_yolo.cli.output.stages import stages
    from cv_yolo.container import Container

    container = Container()
    with stages(quiet=quiet, transient=True) as on_step:
        yield (
            container,
            container.datasets.revisions(
                container.records.tracker().runs, lambda what, done, total: on_step(f"Reading {what}", done, total)
            ),
        )
