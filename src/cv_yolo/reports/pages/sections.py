"""The building blocks of the pages: the table of runs, the curves, the sample predictions, lists of facts."""

import base64
from collections.abc import Iterable, Sequence
from typing import Final

from cv_yolo.reports.charts.curves import loss_charts, precision_recall_charts, score_chart
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.page import BLOCKS, paragraph
from cv_yolo.reports.tables.runs import NOTE, RunTable
from cv_yolo.reports.templates import render, render_macro
from cv_yolo.reports.text.formatting import count_text
from cv_yolo.reports.text.provenance import LabelledValue
from cv_yolo.reports.view_models import RunReport

MOST_OPEN: Final = 4  # classes
MOST_CHARTS: Final = 24
CURVES_NOTE = (
    "The curves by epoch are the trainer's own metrics during training; the table has the evaluator's, on the weights "
    "that were kept. Each run has the same colour, dash and marker in all charts."
)
RECALL_NOTE = (
    "Precision by recall at IoU 0.5 on the validation images. The marker is the operating point: the confidence at "
    "which the run's F1 is highest."
)
SAMPLES_CAPTION = (
    "Each image twice: annotated boxes on the left, detections on the right, at the confidence at which the run's F1 "
    "is highest."
)


def runs_table(table: RunTable, caption: str) -> Html:
    """The runs as a table that scrolls inside its own container, and why some of them did not finish."""
    unfinished = [line for line in table.lines if line.reason is not None]
    return render("runs.html.j2", table=table, caption=caption, note=NOTE, unfinished=unfinished)


def curves(runs: Sequence[RunReport]) -> Html:
    """All curves of the runs with what to know about them, or a sentence that there are none."""
    score, recall, losses = score_chart(runs), precision_recall_charts(runs), loss_charts(runs)
    notes = [CURVES_NOTE] if score or losses else []
    if recall:
        notes.append(RECALL_NOTE)
    if not notes:
        return paragraph("No curves were recorded.")
    return render(
        "curves.html.j2",
        drawn=(*([score] if score else []), *recall[:MOST_OPEN]),
        notes=notes,
        more=recall[MOST_OPEN:MOST_CHARTS],
        more_title=count_text(len(recall) - MOST_OPEN, "more class", "more classes"),
        losses=losses,
    )


def samples(run: RunReport) -> Html | None:
    """The run's sheet of sample predictions, inside the page itself; None where it has none."""
    if run.samples_jpeg is None:
        return None
    data = base64.b64encode(run.samples_jpeg).decode("ascii")
    alt = f"Sample predictions of run {run.run.name} next to the annotated boxes of the same images"
    return render_macro(BLOCKS, "samples", data, alt, SAMPLES_CAPTION)


def facts_list(facts: Iterable[LabelledValue]) -> Html:
    """Labels and values, a line each."""
    return render_macro(BLOCKS, "facts", facts)
