"""`cv-yolo backup` and `restore`: back up everything of a project to a folder, restore it, verify the backup."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo_stack.cli.servers import PORTS, as_json_option, port_options

if TYPE_CHECKING:
    from cv_yolo_stack.backup.content_store import Progress, Report
    from cv_yolo_stack.backup.drill import Drill
    from cv_yolo_stack.backup.restore import Restored
    from cv_yolo_stack.domain.backup_manifest import BackupManifest
    from cv_yolo_stack.domain.snapshot import KindComparison

DIFFERS: Final = 1
NAMED: Final = 3
WARNING: Final = "It holds passwords and keys: protect it as you protect those. Without it, ZenML's secrets are lost."

BACKUP_EPILOGUE: Final = """
\b
Examples:
  cv-yolo backup /mnt/backups/2026-11-26          back up to a new folder
  cv-yolo backup --drill                          verify a temporary backup, and remove it
  cv-yolo backup --drill /mnt/backups/2026-11-26  create it, or use the one that exists, and verify it

\b
Exit codes: 0 done · 1 the drill found differences · 2 the folder or the backup cannot be used
            3 the servers are not running, or the disk is full
"""

RESTORE_EPILOGUE: Final = """
\b
Examples:
  cv-yolo restore /mnt/backups/2026-11-26
  cv-yolo restore /mnt/backups/2026-11-26 --up
  cv-yolo restore /mnt/backups/2026-11-26 --zenml-port 8081 --mlflow-port 5001

\b
The project must be empty: use another folder, or another home (CV_YOLO_HOME). Run the same command again to
finish an interrupted restore.
"""


@click.command(epilog=BACKUP_EPILOGUE)
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--drill", "is_drill", is_flag=True, help="Restore the backup into a scratch stack, and compare.")
@as_json_option
def backup(folder: Path | None, is_drill: bool, as_json: bool) -> int:
    """Back up all records, files and keys of this project to DIR, a new folder. Servers and runs continue.

    Databases are copied at one point in time, then all objects and files, deduplicated by SHA-256.
    """
    if folder is None and not is_drill:
        raise click.UsageError("give a folder, or --drill")
    from cv_yolo_stack.backup.drill import backup as keep
    from cv_yolo_stack.backup.drill import drill
    from cv_yolo_stack.container import StackContainer

    began, where = time.monotonic(), folder.absolute() if folder else None
    with showing() as report:
        if is_drill:
            return print_drill(drill(StackContainer(), where, report=report), began, as_json=as_json)
        assert where is not None, "asked for above"
        container = StackContainer()
        manifest = keep(container, where, report=report)
    _print_backup(manifest, where, began, as_json=as_json)
    server = container.settings.connection
    if server is not None and not manifest.has_servers:
        click.echo(f"The records at {server.url} are not in it: run `cv-yolo backup` there.", err=True)
    return 0


@click.command(epilog=RESTORE_EPILOGUE)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--up", "start", is_flag=True, help="Start the servers afterwards.")
@port_options
@as_json_option
@click.pass_context
def restore(context: click.Context, /, folder: Path, start: bool, as_json: bool, **ports: int | None) -> None:
    """Restore the backup in DIR into this project, which must be empty.

    The backup is verified before anything is changed. No server is left running.
    """
    from cv_yolo_stack.backup.restore import restore as bring_back
    from cv_yolo_stack.cli.servers import up
    from cv_yolo_stack.container import StackContainer

    container = StackContainer()
    wanted = {name: port for name in PORTS if (port := ports[f"{name}_port"]) is not None}
    with showing() as report:
        restored = bring_back(container, container.settings, folder.absolute(), ports=wanted, report=report)
    _print_restored(restored, container.home, as_json=as_json)
    if start and restored.stack is not None:
        context.invoke(up, as_json=False)


def print_drill(drill: "Drill", began: float, *, as_json: bool) -> int:
    """Print what a drill found, and return its exit code."""
    took_s = round(time.monotonic() - began, 1)
    if as_json:
        kinds = [asdict(each) | {"same": each.same} for each in drill.tallies]
        summary = _figures(drill.manifest) | {"folder": str(drill.kept) if drill.kept else None, "took_s": took_s}
        click.echo(json.dumps({"passed": drill.passed, "kinds": kinds} | summary, indent=1))
    else:
        from cv_yolo.cli.output.tables import console

        console().print(_table(drill.tallies))
        for each in drill.tallies:
            _name(each)
        verdict = "everything was restored unchanged" if drill.passed else "NOT everything was restored unchanged"
        click.echo(f"{verdict}: {_words(drill.manifest)}; the drill took {took_s:.0f} s")
    return 0 if drill.passed else DIFFERS


def _print_backup(manifest: "BackupManifest", folder: Path, began: float, *, as_json: bool) -> None:
    summary = _figures(manifest) | {"folder": str(folder), "took_s": round(time.monotonic() - began, 1)}
    if as_json:
        click.echo(json.dumps(summary, indent=1))
        return
    click.echo(f"{folder}: {_words(manifest)}")
    click.echo(f"sha256 of the manifest: {manifest.sha256}")
    click.echo(WARNING, err=True)


def _print_restored(restored: "Restored", home: Path, *, as_json: bool) -> None:
    follow = ["cv-yolo up"] if restored.stack else []
    follow += ["cv-yolo stack register"] if restored.moved else []
    if as_json:
        click.echo(json.dumps(_figures(restored.manifest) | {"home": str(home), "next": follow}, indent=1))
        return
    click.echo(f"{home}: {_words(restored.manifest)}, of {restored.manifest.made_at:%Y-%m-%d %H:%M} UTC")
    if follow:
        why = "; the second registers the new addresses" if restored.moved else ""
        click.echo(f"Next: `{'` and `'.join(follow)}`{why}.", err=True)


def _figures(manifest: "BackupManifest") -> dict[str, Any]:
    return {
        "made_at": manifest.made_at.isoformat(),
        "sha256": manifest.sha256,
        "software": dict(manifest.software),
        "objects": sum(1 for _ in manifest.area("objects")),
        "files": sum(1 for _ in manifest.area("home")) + sum(1 for _ in manifest.area("project")),
        "size_bytes": manifest.size_bytes,
    }


def _words(manifest: "BackupManifest") -> str:

    figures = _figures(manifest)
    return f"{figures['objects']} objects and {figures['files']} files, {size_text(manifest.size_bytes)}"


def _table(tallies: "Sequence[KindComparison]") -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for column in ("in the backup", "restored", "missing", "different", "unexpected", "being written"):
        table.add_column(column, justify="right")
    for each in tallies:
        numbers = (len(each.missing), len(each.different), len(each.unknown), each.moving)
        cells = [str(number) if number else "·" for number in numbers]
        sign = "[green]✓[/]" if each.agrees else "[red]✗[/]"
        table.add_row(f"{sign} {each.kind}", str(each.expected), str(each.same), *cells)
    return table


def _name(tally: "KindComparison") -> None:
    for word, names in (("missing", tally.missing), ("different", tally.different), ("unexpected", tally.unknown)):
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            click.echo(f"{tally.kind}, {word}: {', '.join(names[:NAMED])}{more}")


EVERY_S: Final = {True: 0.1, False: 10.0}  # in a terminal, and elsewhere
CLEAR: Final = "\r\x1b[K"


@contextmanager
def showing() -> Iterator["Report"]:
    """Show progress inside the block on stderr."""
    shown = _Shown(terminal=sys.stderr.isatty())
    try:
        yield shown.show
    finally:
        shown.close()


def size_text(size_bytes: int) -> str:
    """`1.2 GB`, `45 MB`, `3 kB`."""
    for unit, name in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.3g} {name}"
    return f"{size_bytes} B"


class _Shown:
    def __init__(self, *, terminal: bool) -> None:
        self._terminal, self._what, self._next = terminal, "", 0.0

    def show(self, progress: "Progress") -> None:
        now = time.monotonic()
        if progress.what == self._what and now < self._next:
            return
        self._what, self._next = progress.what, now + EVERY_S[self._terminal]
        if self._terminal:
            click.echo(f"{CLEAR}{_step_words(progress)} …", nl=False, err=True)
        else:
            click.echo(f"{datetime.now():%H:%M:%S} {_step_words(progress)}", err=True)

    def close(self) -> None:
        if self._terminal and self._what:
            click.echo(CLEAR, nl=False, err=True)


def _step_words(progress: "Progress") -> str:
    counted = f": {progress.done} of {progress.total}" if progress.total else ""
    sizes = f", {size_text(progress.done_bytes)} of {size_text(progress.total_bytes)}" if progress.total_bytes else ""
    return f"{progress.what}{counted}{sizes}"
