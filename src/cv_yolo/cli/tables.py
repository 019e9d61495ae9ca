"""Tables that people read in a terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cv_yolo.domain.promotion import Decision, Verdict
from cv_yolo.domain.runs import Run, RunRow, RunStatus, row_of
from cv_yolo.domain.versions import ModelVersion
from cv_yolo.reports.text import duration_text, score_text

STATUS_STYLES = {
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "yellow",
    RunStatus.RUNNING: "cyan",
}
SCORES = {"mAP50": "map_50", "mAP50-95": "map_50_95", "precision": "precision", "recall": "recall"}
WIDTH_WITH_START = 100
SHORT_ID = 8  # the beginning of an MLflow id, which `cv-yolo show` takes; `--json` and `show` tell all of it


def console() -> Console:
    """Standard output; wide enough for the tables where it is a file or a pipe."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def rows_table(rows: Sequence[RunRow], *, chosen: str | None = None) -> Table:
    """The comparison's table; the chosen run is marked."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("run", no_wrap=True)
    for name in ("epochs", "px", *SCORES, "duration"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("id", no_wrap=True)
    for row in rows:
        mark = " ←" if row.run_id == chosen else ""
        table.add_row(
            f"{escape(row.name)}{mark}",
            str(row.epochs),
            str(row.image_size_px),
            *(score_text(row.scores.get(score)) for score in SCORES.values()),
            duration_text(row.duration_s),
            f"[{STATUS_STYLES[row.status]}]{row.status}[/]",
            row.run_id[:SHORT_ID],
            style="bold" if mark else None,
        )
    return table


def print_decision(decision: Decision, written: Path | None, root: Path) -> None:
    """The last lines of a grid: the table, the decision, where to look next."""
    out = console()
    out.print()
    out.print(rows_table(decision.rows, chosen=decision.chosen))
    for row in decision.failed_rows:
        out.print(f"[red]{escape(row.name)} {row.status}:[/] {escape(row.reason or 'no reason recorded')}")
    out.print()
    promoted = decision.verdict is Verdict.PROMOTE
    colour, chosen = ("green" if promoted else "yellow"), decision.chosen_row
    name = "no run" if chosen is None else escape(chosen.name)
    where = f"→ {decision.policy.alias} of {decision.policy.model}" if promoted else "not promoted"
    out.print(f"[bold {colour}]Decision {decision.id}: {decision.verdict}: {name} {where}[/]")
    for check in decision.checks:
        out.print(f"  {'[green]✓[/]' if check.passed else '[red]✗[/]'} {escape(check.sentence)}")
    out.print()
    if written is not None:
        page = written.relative_to(root) if written.is_relative_to(root) else written
        out.print(f"The decision:     {page} (and .md)")
    out.print("All runs:         cv-yolo runs          One run:  cv-yolo show RUN")
    out.print("Versions:         cv-yolo models        Pages of MLflow and ZenML:  cv-yolo ui")


def runs_table(runs: Sequence[Run], *, width: int) -> Table:
    """All tracked runs, newest first; when they started is left out where it would cost the other columns room."""
    table = rows_table([row_of(run) for run in runs])
    if width < WIDTH_WITH_START:
        return table
    table.add_column("started", no_wrap=True)
    cells = table.columns[-1]._cells  # rich has no way to add a column with cells  # noqa: SLF001
    cells.extend(f"{run.started_at.astimezone():%Y-%m-%d %H:%M}" for run in runs)
    return table


def run_details(out: Console, run: Run) -> None:
    """Everything about one run."""
    if run.is_training:
        out.print(rows_table([row_of(run)]))
    out.print(f"\nMLflow run {run.run_id}")
    if run.reason:
        out.print(f"[red]{escape(run.reason)}[/]")
    for title, content in (
        ("scores", {name: score_text(value) for name, value in run.scores.items()}),
        ("parameters", run.params),
        ("origin", run.tags),
    ):
        out.print(f"\n[bold]{title}[/]")
        for name, value in sorted(content.items()):
            out.print(f"  {escape(name):24} {escape(value)}", soft_wrap=True)


def versions_table(versions: Sequence[ModelVersion]) -> Table:
    """All registered versions, newest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "version", "stage", "MLflow run", "weights sha256"):
        table.add_column(name)
    for version in versions:
        stages = ", ".join(alias.value for alias in version.aliases)
        table.add_row(
            escape(version.model), version.version, f"[green]{stages}[/]", version.run_id, version.weights_sha256[:12]
        )
    return table
