"""Rows of figures as a table: each value with its interval drawn beside it, and the difference with its zero line.

On a phone each row becomes a small block; the roles keep it a table for those who hear it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.confusion import BACKGROUND
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.reports.charts.axes import Axis, axis_over
from cv_yolo.reports.charts.forest_plot import Lane, interval_plot, scale, swatch
from cv_yolo.reports.tables.metric_rows import FigureRow, Scores
from cv_yolo.reports.text.formatting import (
    ABSENT,
    count_text,
    counted_text,
    difference_text,
    escaped,
    interval_text,
    score_text,
)

MOST_ROWS: Final = 12  # more are folded away
FOLD_FROM: Final = 3  # fewer are not worth a fold
STRIP_TICKS: Final = 3
NEXT_TO_NOTHING: Final = 0.01
TELLING: Final = {"better": "good", "worse": "bad", "": "open"}
SIGNS: Final = {"better": "▲ ", "worse": "▼ "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """What a table of intervals says above its rows: its caption, what a row is (one, many), and what is measured."""

    caption: str
    row: str
    rows: str
    measure: str


def interval_table(scores: Scores, rows: Sequence[FigureRow], heads: Heads, *, bars: bool = False) -> str:
    """The rows as a table; of a long one only the first are open. `bars` begin at 0."""
    axes = (
        _axis((value for row in rows for value in row.values), zero=bars),
        _axis((row.difference for row in rows), zero=True),
    )
    table = _IntervalTable(scores=scores, heads=heads, axes=axes, bars=bars)
    if len(rows) < MOST_ROWS + FOLD_FROM:
        return table.html(rows, heads.caption)
    more = count_text(len(rows) - MOST_ROWS, f"more {heads.row}", f"more {heads.rows}")
    return (
        f"{table.html(rows[:MOST_ROWS], heads.caption)}\n<details><summary>{escaped(more)}</summary>\n"
        f"{table.html(rows[MOST_ROWS:], more)}\n</details>"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _IntervalTable:
    """A table with the axes that all its rows share: of the values, and of the differences."""

    scores: Scores
    heads: Heads
    axes: tuple[Axis, Axis]
    bars: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("first", "second") if self.scores.pair else ("second",)

    def html(self, rows: Sequence[FigureRow], caption: str) -> str:
        kind = "pair" if self.scores.pair else "single"
        body = "\n".join(self._row(row) for row in rows)
        return (
            f'<table class="intervals {kind}" role="table">\n<caption>{escaped(caption)}{self._key()}</caption>\n'
            f'<thead role="rowgroup">{self._head()}</thead>\n<tbody role="rowgroup">\n{body}\n</tbody>\n</table>'
        )

    def _key(self) -> str:
        """The names of two models where the heads are not seen."""
        names = zip(self.kinds, self.scores.names, strict=True) if self.scores.pair else ()
        inner = "".join(f"<span>{swatch(kind)}{escaped(name)}</span>" for kind, name in names)
        return f'<span class="key" aria-hidden="true">{inner}</span>' if inner else ""

    def _head(self) -> str:
        cells = [_heading("label", escaped(self.heads.row.capitalize()))]
        cells += [
            _heading(f"value {kind}", f"{swatch(kind)}{escaped(name)}")
            for kind, name in zip(self.kinds, self.scores.names, strict=True)
        ]
        cells.append(_heading("drawn", scale(self.axes[0], self.heads.measure)))
        if self.scores.pair:
            cells += [_heading("apart", "Difference"), _heading("drawn", scale(self.axes[1], "second − first"))]
        return f'<tr role="row">{"".join(cells)}</tr>'

    def _row(self, row: FigureRow) -> str:
        note = f' <small class="muted">{escaped(row.note)}</small>' if row.note else ""
        cells = [f'<th role="rowheader" scope="row" class="label"><span>{escaped(row.label)}</span>{note}</th>']
        cells += [
            _cell(f"value {kind}", f"{swatch(kind)}{_figures(value)}")
            for kind, value in zip(self.kinds, row.values, strict=True)
        ]
        lanes = [Lane(estimate=value, kind=kind) for kind, value in zip(self.kinds, row.values, strict=True)]
        cells.append(_cell("drawn", interval_plot(self.axes[0], lanes, bars=self.bars)))
        if self.scores.pair:
            cells += self._difference(row)
        return f'<tr role="row">{"".join(cells)}</tr>'

    def _difference(self, row: FigureRow) -> Iterable[str]:
        kind = TELLING[row.told_apart]
        sign = SIGNS.get(row.meaning, "")
        word = f'<span class="telling is-{kind}">{sign}{row.meaning}</span>' if row.meaning else ""
        yield _cell("apart", f"{_figures(row.difference, signed=True)} {word}")
        yield _cell("drawn", interval_plot(self.axes[1], [Lane(estimate=row.difference, kind=kind)], line_at=0.0))


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    """A table of texts that scrolls inside its own container; the first cell of a row names it."""
    heads = "".join(f'<th scope="col">{escaped(column)}</th>' for column in columns)
    body = "\n".join(
        f'<tr><th scope="row">{escaped(name)}</th>{"".join(f"<td>{escaped(cell)}</td>" for cell in cells)}</tr>'
        for name, *cells in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">\n<table class="plain">\n'
        f"<caption>{escaped(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        f"</table>\n</div>"
    )


def _axis(estimates: Iterable[Estimate | None], *, zero: bool) -> Axis:
    known = [estimate for estimate in estimates if estimate is not None]
    ends = [end for each in known if each.interval for end in (each.interval.low, each.interval.high)]
    values = [*(each.value for each in known), *ends]
    least = (0.0, 0.0) if zero else None
    if zero and all(abs(value) < NEXT_TO_NOTHING for value in values):
        least = (-NEXT_TO_NOTHING, NEXT_TO_NOTHING)  # a closer look would make much of it
    return axis_over(values, least, rounded=True, ticks=STRIP_TICKS)


def _figures(estimate: Estimate | None, *, signed: bool = False) -> str:
    """The value, and under it its interval."""
    if estimate is None:
        return f'<span class="figure">{ABSENT}</span>'
    alone = Estimate(value=estimate.value)
    value = difference_text(alone) if signed else score_text(estimate.value)
    interval = estimate.interval
    ends = f' <small class="muted">{interval_text(interval, signed=signed)}</small>' if interval else ""
    return f'<span class="figure">{value}{ends}</span>'


def _heading(kind: str, inner: str) -> str:
    return f'<th role="columnheader" scope="col" class="{kind}">{inner}</th>'


def _cell(kind: str, inner: str) -> str:
    return f'<td role="cell" class="{kind}">{inner}</td>'


MOST_CLASSES: Final = 12
MOST_LISTED: Final = 20
DEEPEST: Final = 42  # the colour's strength, in percent, where a cell holds its whole row: its number stays legible
MISSED: Final = "missed"
NOTHING: Final = "nothing there"
NOTE: Final = (
    "Detections in use, matched to annotated boxes at IoU 0.5 without regard to class. Under each number the interval "
    "in which it lies; the deeper the colour, the larger the part of its row."
)


def confusion(scores: Scores) -> str | None:
    """The confusions of each model; None where nothing was detected."""
    known = [(name, each) for name, each in zip(scores.names, scores.evaluations, strict=True) if each.confusion]
    if not known:
        return None
    if len(scores.subject.subject.classes) > MOST_CLASSES:
        return _largest(scores)
    tables = "\n".join(f"<div>{_matrix(name, evaluation)}</div>" for name, evaluation in known)
    return f'<div class="matrices">\n{tables}\n</div>'


def _matrix(name: str, evaluation: Evaluation) -> str:
    labels = _labels(evaluation)
    heads = "".join(f'<th scope="col">{escaped(label)}</th>' for label in (*evaluation.subject.classes, MISSED))
    rows = "\n".join(
        f'<tr><th scope="row">{escaped(label)}</th>{_cells(evaluation, truth)}</tr>' for truth, label in labels.items()
    )
    caption = f"{name}: annotated class (row) by detected class (column)"
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(caption)}">\n<table class="heat">\n'
        f"<caption>{escaped(caption)}</caption>\n"
        f'<thead><tr><th scope="col">annotated</th>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>\n</div>'
    )


def _cells(evaluation: Evaluation, truth: str) -> str:
    found = {predicted: evaluation.confusion.get(f"confusion/{truth}/{predicted}") for predicted in _labels(evaluation)}
    whole = sum(estimate.value for estimate in found.values() if estimate)
    return "".join(_confusion_cell(estimate, whole, right=predicted == truth) for predicted, estimate in found.items())


def _confusion_cell(estimate: Estimate | None, whole: float, *, right: bool) -> str:
    if estimate is None:
        return f'<td class="muted">{ABSENT}</td>'
    depth = DEEPEST * estimate.value / whole
    colour = "--good" if right else "--bad"
    return (
        f'<td style="background: color-mix(in srgb, var({colour}) {depth:.0f}%, transparent)">'
        f"{estimate.value:.0f}{_ends(estimate)}</td>"
    )


def _ends(estimate: Estimate) -> str:
    interval = estimate.interval
    return "" if interval is None else f" <small>{interval.low:.0f} to {interval.high:.0f}</small>"


def _largest(scores: Scores) -> str:
    """The most frequent confusions, misses and false alarms of all models, in a table."""
    counts = {pair: _counts(scores, pair) for pair in dict.fromkeys(_wrong_pairs(scores))}
    largest = sorted(counts, key=lambda pair: -max(_value(estimate) for estimate in counts[pair]))[:MOST_LISTED]
    labels = _labels(scores.subject)
    rows = [
        (
            labels[truth],
            labels[predicted] if predicted != BACKGROUND else MISSED,
            *(counted_text(each) for each in counts[truth, predicted]),
        )
        for truth, predicted in largest
    ]
    return plain_table(
        ("Annotated", "Detected as", *scores.names), rows, f"The {len(rows)} largest confusions of {len(counts)}"
    )


def _wrong_pairs(scores: Scores) -> list[tuple[str, str]]:
    found = [tuple(name.split("/")[1:]) for evaluation in scores.evaluations for name in evaluation.confusion]
    return [(truth, predicted) for truth, predicted in found if truth != predicted]


def _counts(scores: Scores, pair: tuple[str, str]) -> tuple[Estimate | None, ...]:
    return tuple(evaluation.confusion.get(f"confusion/{pair[0]}/{pair[1]}") for evaluation in scores.evaluations)


def _value(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else estimate.value


def _labels(evaluation: Evaluation) -> dict[str, str]:
    """What each row and column of the confusion is called, by its key."""
    return {str(index): name for index, name in enumerate(evaluation.subject.classes)} | {BACKGROUND: NOTHING}
