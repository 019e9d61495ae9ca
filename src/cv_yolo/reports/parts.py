"""The building blocks of the pages: the table of runs, the curves, the sample predictions, lists of facts."""

import base64
from collections.abc import Iterable, Sequence

from cv_yolo.reports.content import RunReport
from cv_yolo.reports.curves import loss_charts, precision_recall_charts, score_chart
from cv_yolo.reports.facts import Fact
from cv_yolo.reports.page import paragraph
from cv_yolo.reports.table import COLUMNS, NOTE, Line
from cv_yolo.reports.text import escaped

CURVES_NOTE = (
    "The curves by epoch are the trainer's own measurements while it trained; the table holds what the evaluator "
    "measured afterwards, on the weights that were kept. Each run has one colour, dash and marker throughout."
)
RECALL_NOTE = (
    "Precision at each recall, at IoU 0.5. The mark is where the run operates: the confidence at which its F1 is "
    "highest."
)
COMMON_POINT_NOTE = (
    "Precision at each recall, at IoU 0.5. The confidence at which F1 is highest is common to all classes and "
    "therefore marked on none of these curves."
)
SAMPLES_CAPTION = (
    "Each image twice: on the left with its annotated boxes, on the right with what the model detected at the "
    "confidence at which its F1 is highest."
)


def runs_table(lines: Sequence[Line], caption: str) -> str:
    """The runs as a table that scrolls inside its own container, and why some of them did not finish."""
    heads = "".join(f'<th scope="col">{name}</th>' for name in ("Run", *COLUMNS, "Status"))
    rows = "\n".join(_row(line) for line in lines)
    table = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">\n<table>\n'
        f"<caption>{escaped(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n"
        f"</table>\n</div>\n{paragraph(NOTE, kind='note')}"
    )
    return table + _reasons(lines)


def curves(runs: Sequence[RunReport]) -> str:
    """All curves of the runs with what to know about them, or a sentence that there are none."""
    score, recall, losses = score_chart(runs), precision_recall_charts(runs), loss_charts(runs)
    notes = [CURVES_NOTE] if score or losses else []
    if recall:
        notes.append(RECALL_NOTE if len(recall) == 1 else COMMON_POINT_NOTE)
    if not notes:
        return paragraph("No curves were recorded.")
    words = "".join(paragraph(note, kind="note") for note in notes)
    return _charts((*([score] if score else []), *recall, words)) + _charts(losses)


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


def facts_list(facts: Iterable[Fact]) -> str:
    """Labels and values, a line each."""
    items = "\n".join(f"<dt>{escaped(fact.label)}</dt><dd>{_value(fact)}</dd>" for fact in facts)
    return f'<dl class="facts">\n{items}\n</dl>'


def _row(line: Line) -> str:
    kind = ' class="best"' if line.best else ' class="unproven"' if line.reason is not None else ""
    mark = " <small>best</small>" if line.best else ""
    cells = "".join(f"<td>{escaped(cell)}</td>" for cell in (*line.cells, line.status))
    return f'<tr{kind}><th scope="row">{escaped(line.name)}{mark}</th>{cells}</tr>'


def _reasons(lines: Iterable[Line]) -> str:
    items = [
        f"<li><strong>{escaped(line.name)}</strong> ({escaped(line.status)}): {escaped(line.reason)}</li>"
        for line in lines
        if line.reason is not None
    ]
    listed = "\n".join(items)
    return f'\n<h3>Runs that did not finish</h3>\n<ul class="reasons">\n{listed}\n</ul>' if items else ""


def _charts(charts: Sequence[str]) -> str:
    cells = "\n".join(f"<div>{chart}</div>" for chart in charts)
    return f'<div class="charts">\n{cells}\n</div>' if charts else ""


def _value(fact: Fact) -> str:
    return f"<code>{escaped(fact.value)}</code>" if fact.exact else escaped(fact.value)
