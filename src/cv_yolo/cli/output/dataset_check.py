"""What `cv-yolo data check` shows: counts, classes, findings, fixes; as text, as JSON, and while it reads."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from cv_yolo.domain.data.findings import Severity
from cv_yolo.domain.data.gate import class_counts
from cv_yolo.domain.data.manifest import Split
from cv_yolo.reports.text.formatting import count_text, duration_text

if TYPE_CHECKING:
    from cv_yolo.domain.data.fixes import Fix
    from cv_yolo.workflows.prepare_dataset import InspectedDataset

MOST_CLASSES: Final = 20
MOST_FIXES: Final = 10
LINE_EVERY_S: Final = 15.0


class OnImage(Protocol):
    """Takes the numbers of images that are read and that there are."""

    def __call__(self, done: int, total: int) -> None: ...


@contextmanager
def reading(*, quiet: bool) -> Iterator[OnImage]:
    """Progress with the remaining time on standard error: a bar in a terminal, else a line now and then."""
    if quiet or not sys.stderr.isatty():
        yield _ProgressLines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Reading"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class _ProgressLines:
    def __init__(self) -> None:
        self._started_s = self._said_s = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._said_s < LINE_EVERY_S or done == total:
            return
        self._said_s = now
        left_s = (now - self._started_s) / done * (total - done)
        click.echo(f"read {done} of {total} images, about {duration_text(left_s)} left", err=True)


def print_check(folder: Path, inspected: "InspectedDataset") -> None:
    """The counts, the classes, the warnings, and the revision where there are no errors."""
    found, manifest = inspected.found, inspected.manifest
    click.echo(f"{folder}: {', '.join(found.classes)}" if found.classes else f"{folder}:")
    for split in Split:
        records = inspected.gated.split(split)
        click.echo(f"  {split:5} {len(records):6} images {sum(record.boxes for record in records):6} boxes")
    if len(found.classes) > 1 and found.images:
        _print_classes(inspected)
    for finding in inspected.findings:
        if finding.severity is Severity.WARNING:
            click.echo(f"  note: {finding.sentence}")
    if inspected.excepted:
        click.echo(f"  {count_text(inspected.excepted, 'finding')} accepted by exceptions of the data policy")
    if manifest is not None:
        click.echo(f"  revision {manifest.revision[:16]}")
        if manifest.dvc_hash:
            click.echo(f"  DVC {manifest.dvc_hash} ({'recorded' if manifest.versioned else 'not recorded by DVC'})")


def print_fixes(fixes: Sequence["Fix"], backup: Path | None, folder: Path) -> None:
    """What was changed, and how to put it back."""
    if backup is None:
        click.echo("nothing that can be fixed without changing what training and evaluation read")
        return
    for fix in fixes[:MOST_FIXES]:
        click.echo(f"  fixed: {fix.image or fix.path}: {fix.what}")
    if len(fixes) > MOST_FIXES:
        click.echo(f"  … and {len(fixes) - MOST_FIXES} more: {backup / 'fixes.json'}")
    click.echo(f"  to put everything back: cp -r {backup / 'files'}/. {folder}")


def check_json(
    name: str, inspected: "InspectedDataset", *, fixes: Sequence["Fix"] = (), backup: Path | None = None
) -> dict[str, Any]:
    """All of it for programs: every finding with all its places."""
    manifest, gated = inspected.manifest, inspected.gated
    records = {split: gated.split(split) for split in Split}
    return {
        "name": name,
        "classes": list(inspected.found.classes),
        "images": {split.value: len(records[split]) for split in Split},
        "boxes": {split.value: sum(record.boxes for record in records[split]) for split in Split},
        "revision": None if manifest is None else manifest.revision,
        "dvc_hash": None if manifest is None else manifest.dvc_hash,
        "versioned": manifest is not None and manifest.versioned,
        "findings": [
            asdict(finding) | {"sentence": finding.sentence, "remedy": finding.remedy} for finding in inspected.findings
        ],
        "gate": {
            "class_counts": [asdict(count) for count in class_counts(gated)],
            "errors": [{"message": error.message, "hint": error.hint} for error in inspected.errors],
            "excepted": inspected.excepted,
            "fixes": [asdict(fix) for fix in fixes],
            "backup": None if backup is None else str(backup),
        },
    }


def _print_classes(inspected: "InspectedDataset") -> None:
    """Boxes of each class in each split, and in how many images; the most frequent classes first."""
    cells: dict[str, list[str]] = {}
    boxes: dict[str, int] = {}
    for count in class_counts(inspected.gated):
        cells.setdefault(count.name, []).append(f"{count.boxes} in {count.images}" if count.boxes else "–")
        boxes[count.name] = boxes.get(count.name, 0) + count.boxes
    shown = sorted(cells, key=lambda name: -boxes[name])[:MOST_CLASSES]
    width = max(len("boxes in images"), *map(len, shown))
    click.echo(f"  {'boxes in images':{width}}" + "".join(f"{split.value:>14}" for split in Split))
    for name in shown:
        click.echo(f"  {name:{width}}" + "".join(f"{cell:>14}" for cell in cells[name]))
    if len(cells) > len(shown):
        click.echo(f"  … and {len(cells) - len(shown)} more classes: `--json` and `--report` have all of them")
