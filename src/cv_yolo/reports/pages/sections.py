"""The building blocks of the pages: the table of runs, the curves, the sample predictions, lists of facts."""

import base64
from collections.abc import Iterable, Sequence
from typing import Final

from cv_yolo.reports.charts.axes import charts
from cv_yolo.reports.charts.curves import loss_charts, precision_recall_charts, score_chart
from cv_yolo.reports.pages.page import folded, paragraph
from cv_yolo.reports.tables.runs import NOTE, RunLine, RunTable
from cv_yolo.reports.text.formatting import count_text, escaped
from cv_yolo.reports.text.provenance import LabelledValue
from cv_yolo.reports.view_models import RunReport

MOST_OPEN: Final = 4  # classes
MOST_CHARTS: Final = 24
CURVES_NOTE = (
    "The curves by epoch are the trainer's own measurements while it trained; the table holds what the evaluator "
    "measured afterwards, on the weights that were kept. Each run has one colour, dash and marker throughout."
)
RECALL_NOTE = (
    "Precision at each recall, at IoU 0.5, on the validation images. The mark is where the run operates: at the "
    "confidence at which its F1 is highest."
)
SAMPLES_CAPTION = (
    "Each image twice: on the left with its annotated boxes, on the right with what the model detected at the "
    "confidence at which its F1 is highest."
)


def runs_table(table: RunTable, caption: str) -> str:
    """The runs as a table that scrolls inside its own container, and why some of them did not finish."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Run", *table.columns, "Status"))
    rows = "\n".join(_row(line) for line in table.lines)
    shown = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">\n<table class="runs">\n'
        f"<caption>{escaped(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        f"</table>\n</div>\n{paragraph(NOTE, kind='note')}"
    )
    return shown + _reasons(table.lines)


def curves(runs: Sequence[RunReport]) -> str:
    """All curves of the runs with what to know about them, or a sentence that there are none."""
    score, recall, losses = score_chart(runs), precision_recall_charts(runs), loss_charts(runs)
    notes = [CURVES_NOTE] if score or losses else []
    if recall:
        notes.append(RECALL_NOTE)
    if not notes:
        return paragraph("No curves were recorded.")
    words = "".join(paragraph(note, kind="note") for note in notes)
    more = folded(
        count_text(len(recall) - MOST_OPEN, "more class", "more classes"), charts(recall[MOST_OPEN:MOST_CHARTS])
    )
    shown = charts((*([score] if score else []), *recall[:MOST_OPEN], words))
    return shown + (more if len(recall) > MOST_OPEN else "") + charts(losses)


def samples(run: RunReport) -> str | None:
    """The run's sheet of sample predictions, inside the page itself; None where it has none."""
    if run.samples_jpeg is None:
        return None
    data = base64.b64encode(run.samples_jpeg).decode("ascii")
    alt = escaped(f"Sample predictions of the run {run.run.name} beside the annotated boxes of the same images")
    return (
        f'<figure>\n<img alt="{alt}" src="data:image/jpeg;base64,{data}">\n'
        f"<figcaption>{escaped(SAMPLES_CAPTION)}</figcaption>\n</figure>"
    )


def facts_list(facts: Iterable[LabelledValue]) -> str:
    """Labels and values, a line each."""
    items = "\n".join(f"<dt>{escaped(fact.label)}</dt><dd>{_value(fact)}</dd>" for fact in facts)
    return f'<dl class="facts">\n{items}\n</dl>'


def _row(line: RunLine) -> str:
    kind = ' class="best"' if line.chosen else ' class="unproven"' if line.reason is not None else ""
    mark = f" <small>{escaped(', '.join(line.marks))}</small>" if line.marks else ""
    cells = "".join(f"<td>{_cell(cell)}</td>" for cell in (*line.cells, line.status))
    return f'<tr{kind}><th scope="row">{escaped(line.name)}{mark}</th>{cells}</tr>'


def _cell(text: str) -> str:
    """A cell's text; an interval stands under its value."""
    value, bracket, ends = text.partition(" [")
    return escaped(value) + (f" <small>{escaped(f'[{ends}')}</small>" if bracket else "")


def _reasons(lines: Iterable[RunLine]) -> str:
    items = [
        f"<li><strong>{escaped(line.name)}</strong> ({escaped(line.status)}): {escaped(line.reason)}</li>"
        for line in lines
        if line.reason is not None
    ]
    listed = "\n".join(items)
    return f'\n<h3>Runs that did not finish</h3>\n<ul class="reasons">\n{listed}\n</ul>' if items else ""


def _value(fact: LabelledValue) -> str:
    return f"<code>{escaped(fact.value)}</code>" if fact.exact else escaped(fact.value)
