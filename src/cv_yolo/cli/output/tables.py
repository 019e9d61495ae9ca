"""Tables that people read in a terminal."""

import re
from collections.abc import Collection, Sequence

import click
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cv_yolo.domain.data.class_names import CLASSES_TAG, listed
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.training.runs import Run, RunRow, RunStatus, row_of
from cv_yolo.reports.text.formatting import duration_text, score_text

STATUS_STYLES = {
    RunStatus.FINISHED: "green",
    RunStatus.FAILED: "red",
    RunStatus.STOPPED: "yellow",
    RunStatus.RUNNING: "cyan",
    RunStatus.LOST: "magenta",
}
SCORES = {"mAP50": "map_50", "mAP50-95": "map_50_95", "precision": "precision", "recall": "recall"}
NUMBERS = ("epochs", "px", *SCORES, "duration")
STATUS = 1 + len(NUMBERS)  # the place of its column
WIDTH_WITH_START = 100
SHORT_ID = 8  # the beginning of an MLflow id, which `cv-yolo show` takes; `--json` and `show` print all of it
FIRST_FILLER = 0xE000  # of Unicode's private use
REPLACED = re.compile(r"\\|:.*:|[\ue000-\uf8ff]")  # of markup and emoji codes, and our fillers


def console() -> Console:
    """Standard output; wide enough for the tables where it is a file or a pipe."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=120)


def rows_table(rows: Sequence[RunRow], *, chosen: str | None = None, within_noise: Collection[str] = ()) -> Table:
    """The comparison's table; the chosen run is marked `←`, those within noise of the best `≈`."""
    table = _table()
    for row in rows:
        marks = ("≈" if row.run_id in within_noise else "") + ("←" if row.run_id == chosen else "")
        table.add_row(*_markup(row, marks), style="bold" if row.run_id == chosen else None)
    return table


def runs_table(runs: Sequence[Run], *, width: int) -> Table:
    """All tracked runs, newest first; when they started is left out where it would cost the other columns room."""
    started = width >= WIDTH_WITH_START
    table = _table(started=started)
    for run in runs:
        table.add_row(*_markup(row_of(run)), *([_started(run)] if started else []))
    return table


def print_runs(out: Console, runs: Sequence[Run]) -> None:
    """Print `runs_table`, also of thousands of runs: Rich takes about a millisecond to lay out each row.

    It lays out one row for each status, and the runs are written into copies of it. Where Rich would shorten a cell, or
    a name holds what it may replace, it lays out all of them.
    """
    started = out.width >= WIDTH_WITH_START
    lines = [(*_cells(row_of(run)), *([_started(run)] if started else [])) for run in runs]
    plain = bool(lines) and all(run.name.isprintable() and not REPLACED.search(run.name) for run in runs)
    forms = _forms(out, lines, started=started) if plain else None
    if forms is None:
        out.print(runs_table(runs, width=out.width))
        return
    heading, form_of, widths = forms
    text = "".join(form_of[line[STATUS]] % _padded(line, widths) for line in lines)
    click.echo(heading + text, file=out.file, nl=False, color=True)


def _forms(
    out: Console, lines: Sequence[Sequence[str]], *, started: bool
) -> tuple[str, dict[str, str], list[int]] | None:
    """The heading, a line for each status with a `%s` in place of each other cell, and the widths of the columns.

    None where a row takes more room than there is.
    """
    table = _table(started=started)
    titles = [cell_len(str(column.header)) for column in table.columns]
    widths = [max(title, *map(cell_len, cells)) for title, cells in zip(titles, zip(*lines, strict=True), strict=True)]
    fillers = [chr(FIRST_FILLER + place) * width for place, width in enumerate(widths)]
    statuses = sorted({line[STATUS] for line in lines})
    for status in statuses:
        table.add_row(*fillers[:STATUS], _coloured(status), *fillers[STATUS + 1 :])
    with out.capture() as captured:
        out.print(table)
    heading, *rows = captured.get().splitlines(keepends=True)
    forms = {}
    for status, row in zip(statuses, rows, strict=True):
        form = row.replace("%", "%%")
        for filler in (*fillers[:STATUS], *fillers[STATUS + 1 :]):
            if filler not in form:
                return None
            form = form.replace(filler, "%s")
        forms[status] = form
    return heading, forms, widths


def _padded(line: Sequence[str], widths: Sequence[int]) -> tuple[str, ...]:
    """The cells next to the status, as wide as their columns: numbers to the right."""
    return tuple(
        " " * (width - cell_len(cell)) + cell if 0 < place < STATUS else cell + " " * (width - cell_len(cell))
        for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        if place != STATUS
    )


def _table(*, started: bool = False) -> Table:
    table = Table(box=None, pad_edge=False, collapse_padding=True, header_style="bold")
    table.add_column("run", no_wrap=True)
    for name in NUMBERS:
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("status", "id", *(["started"] if started else [])):
        table.add_column(name, no_wrap=True)
    return table


def _cells(row: RunRow) -> list[str]:
    return [
        row.name.rstrip(),
        str(row.epochs),
        str(row.image_size_px),
        *(score_text(row.scores.get(score)) for score in SCORES.values()),
        duration_text(row.duration_s),
        row.status.value,
        row.run_id[:SHORT_ID],
    ]


def _markup(row: RunRow, marks: str = "") -> list[str]:
    cells = _cells(row)
    return [f"{escape(row.name)} {marks}".rstrip(), *cells[1:STATUS], _coloured(row.status), *cells[STATUS + 1 :]]


def _coloured(status: str) -> str:
    return f"[{STATUS_STYLES[RunStatus(status)]}]{status}[/]"


def _started(run: Run) -> str:
    return f"{run.started_at.astimezone():%Y-%m-%d %H:%M}"


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
