"""Tables that people read in a terminal."""

from collections.abc import Collection, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cv_yolo.domain.data.class_names import CLASSES_TAG, listed
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.training.runs import Run, RunRow, RunStatus, row_of
from cv_yolo.reports.text.formatting import duration_text, score_text
from cv_yolo.reports.text.gaps import gap_sentences

STATUS_STYLES = {
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.LOST: "magenta",
}
SCORES = {"mAP50": "map_50", "mAP50-95": "map_50_95", "precision": "precision", "recall": "recall"}
WIDTH_WITH_START = 100
SHORT_ID = 8  # the beginning of an MLflow id, which `cv-yolo show` takes; `--json` and `show` tell all of it


def console() -> Console:
    """Standard output; wide enough for the tables where it is a file or a pipe."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def rows_table(rows: Sequence[RunRow], *, chosen: str | None = None, within_noise: Collection[str] = ()) -> Table:
    """The comparison's table; the chosen run is marked `←`, those that cannot be told from the best `≈`."""
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("run", no_wrap=True)
    for name in ("epochs", "px", *SCORES, "duration"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("id", no_wrap=True)
    for row in rows:
        marks = ("≈" if row.run_id in within_noise else "") + ("←" if row.run_id == chosen else "")
        table.add_row(
            f"{escape(row.name)} {marks}".rstrip(),
            str(row.epochs),
            str(row.image_size_px),
            *(score_text(row.scores.get(score)) for score in SCORES.values()),
            duration_text(row.duration_s),
            f"[{STATUS_STYLES[row.status]}]{row.status}[/]",
            row.run_id[:SHORT_ID],
            style="bold" if row.run_id == chosen else None,
        )
    return table


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
    tags = run.tags if run.classes is None else run.tags | {CLASSES_TAG: listed(run.classes)}
    for title, content in (
        ("scores", {name: score_text(value) for name, value in run.scores.items()}),
        ("parameters", run.params),
        ("origin", tags),
    ):
        out.print(f"\n[bold]{title}[/]")
        for name, value in sorted(content.items()):
            out.print(f"  {escape(name):24} {escape(value)}", soft_wrap=True)


def versions_table(versions: Sequence[ModelVersion]) -> Table:
    """All registered versions, newest first."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "version", "stage", "MLflow run", "weights sha256", "classes"):
        table.add_column(name, no_wrap=name != "classes")
    for version in versions:
        stage = version.stage or ""
        table.add_row(
            escape(version.model),
            version.version,
            f"[green]{stage}[/]",
            version.run_id,
            version.weights_sha256[:12],
            "not recorded" if version.classes is None else escape(listed(version.classes)),
        )
    return table


def print_gaps(out: Console, evaluation: Evaluation | None, *, name: str | None = None) -> None:
    """A line for each way in which classes, slices or sizes are missing; nothing where all is found."""
    for sentence in () if evaluation is None else gap_sentences(evaluation):
        said = sentence if name is None else f"{name}: {sentence}"
        out.print(f"[bold red]Warning:[/] {escape(said)}", soft_wrap=True)
