"""What `cv-yolo data push` and `data pull` show: progress with files, bytes and the remaining time, and the result."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from cv_yolo.ports.datasets import OnTransfer, PulledDataset, PushedDataset, TransferProgress
from cv_yolo.reports.text.formatting import bytes_text, count_text, duration_text

QUIET_S: Final = 10.0


@contextmanager
def transferring(*, quiet: bool) -> Iterator[OnTransfer]:
    """Progress on standard error: a bar for each stage in a terminal, else a line now and then."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bars() as on_progress:
            yield on_progress
    else:
        yield _TransferLines().show


@contextmanager
def _bars() -> Iterator[OnTransfer]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.fields[amount]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        tasks = {}

        def show(progress: TransferProgress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=None, amount="")
            done, total = _measure(progress)
            bars.update(tasks[progress.stage], completed=done, total=total or None, amount=_amount(progress))

        yield show


class _TransferLines:
    """A line for a stage that takes long, with the remaining time."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._stage, self._since_s, self._written_s = "", 0.0, 0.0

    def show(self, progress: TransferProgress) -> None:
        """Write a line if nothing was written for a while."""
        now_s = self._now_s()
        if progress.stage != self._stage:
            self._stage, self._since_s, self._written_s = progress.stage, now_s, now_s
        done, total = _measure(progress)
        if now_s - self._written_s < QUIET_S or not done:
            return
        self._written_s = now_s
        left = f" (about {duration_text((now_s - self._since_s) / done * (total - done))} left)" if total else ""
        click.echo(f"{datetime.now():%H:%M:%S} {progress.stage.lower()}: {_amount(progress)}{left}", err=True)


def _measure(progress: TransferProgress) -> tuple[int, int]:
    """What is done of how much: bytes where they are known, as their number says most about the time."""
    if progress.total_bytes:
        return progress.done_bytes, progress.total_bytes
    return progress.done, progress.files


def _amount(progress: TransferProgress) -> str:
    if not progress.files:
        return count_text(progress.done, "file") if progress.done else ""
    files = f"{progress.done} of {progress.files} files"
    if not progress.total_bytes:
        return files
    return f"{files}, {bytes_text(progress.done_bytes)} of {bytes_text(progress.total_bytes)}"


def print_push(folder: Path, pushed: PushedDataset) -> None:
    """The result in words, and what is left to do."""
    content = f"{count_text(pushed.files, 'file')}, {bytes_text(pushed.bytes)}"
    if pushed.recorded:
        click.echo(f"{folder}: recorded {pushed.record} ({content}); commit it with git")
    if pushed.why and pushed.recorded:
        form = f"{count_text(pushed.shards, 'shard')}" if pushed.shards else "single files"
        click.echo(f"  as {form}: {pushed.why}")
    if pushed.repacked:
        click.echo(f"  {count_text(pushed.repacked, 'shard')} packed again, since much of it was out of date")
    if pushed.uploaded_objects:
        uploaded = f"{count_text(pushed.uploaded_objects, 'object')}, {bytes_text(pushed.uploaded_bytes)}"
        click.echo(f"  uploaded {uploaded} to the remote {pushed.remote}")
    elif pushed.recorded:
        click.echo(f"  nothing to upload: the remote {pushed.remote} has all of it")
    else:
        click.echo(f"{folder}: nothing to do: this content is recorded, and on the remote {pushed.remote}")


def print_pull(folder: Path, pulled: PulledDataset) -> None:
    """The result in words."""
    content = f"{count_text(pulled.files, 'file')}, {bytes_text(pulled.bytes)}"
    click.echo(f"{folder}: the recorded revision is here ({content}).")
    if pulled.downloaded_objects:
        downloaded = f"{count_text(pulled.downloaded_objects, 'object')}, {bytes_text(pulled.downloaded_bytes)}"
        click.echo(f"  downloaded {downloaded} from the remote {pulled.remote}")
    else:
        click.echo("  nothing to download")


def push_json(pushed: PushedDataset) -> dict[str, Any]:
    """The result for programs."""
    return asdict(pushed)


def pull_json(pulled: PulledDataset) -> dict[str, Any]:
    """The result for programs."""
    return asdict(pulled) | {"folder": str(pulled.folder)}
