"""Rows of figures as a table: each value with its interval drawn beside it, and the difference with its zero line.

On a phone each row becomes a small block; the roles keep it a table for those who hear it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.confusion import BACKGROUND
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.reports.charts.axes import Axis, axis_over
from cv_yolo.reports.charts.forest_plot import Lane, interval_plot, scale, swatch
from cv_yolo.reports.markup import Html
from cv_yolo.reports.tables.metric_rows import FigureRow, Scores
from cv_yolo.reports.templates import render, render_macro
from cv_yolo.reports.text.formatting import (
    ABSENT,
    count_text,
    counted_text,
    difference_text,
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


def interval_table(scores: Scores, rows: Sequence[FigureRow], heads: Heads, *, bars: bool = False) -> Html:
    """The rows as a table; of a long one only the first are open. `bars` begin at 0."""
    axes = (
        _axis((value for row in rows for value in row.values), zero=bars),
        _axis((row.difference for row in rows), zero=True),
    )
    table = _IntervalTable(scores=scores, axes=axes, bars=bars)
    shown = MOST_ROWS if len(rows) >= MOST_ROWS + FOLD_FROM else len(rows)
    return render(
        "intervals.html.j2",
        caption=heads.caption,
        row_title=heads.row.capitalize(),
        models=[
            {"kind": kind, "swatch": swatch(kind), "name": name}
            for kind, name in zip(table.kinds, scores.names, strict=True)
        ],
        scale=scale(axes[0], heads.measure),
        difference_scale=scale(axes[1], "second − first"),
        rows=[table.row(row) for row in rows[:shown]],
        more=[table.row(row) for row in rows[shown:]],
        more_title=count_text(len(rows) - shown, f"more {heads.row}", f"more {heads.rows}"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _FigureView:
    """A value, and its interval under it."""

    value: str
    ends: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _DifferenceView:
    """How two models differ, what it means, and the interval; `kind` is how it looks."""

    figure: _FigureView
    kind: str
    sign: str
    meaning: str
    plot: Html


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowView:
    """One row as it is shown."""

    label: str
    note: str
    figures: tuple[_FigureView, ...]
    plot: Html
    difference: _DifferenceView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _IntervalTable:
    """The axes that all rows of a table share: of the values, and of the differences."""

    scores: Scores
    axes: tuple[Axis, Axis]
    bars: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("first", "second") if self.scores.pair else ("second",)

    def row(self, row: FigureRow) -> _RowView:
        lanes = [Lane(estimate=value, kind=kind) for kind, value in zip(self.kinds, row.values, strict=True)]
        return _RowView(
            label=row.label,
            note=row.note,
            figures=tuple(_figure(value) for value in row.values),
            plot=interval_plot(self.axes[0], lanes, bars=self.bars),
            difference=self._difference(row) if self.scores.pair else None,
        )

    def _difference(self, row: FigureRow) -> _DifferenceView:
        kind = TELLING[row.better_or_worse]
        return _DifferenceView(
            figure=_figure(row.difference, signed=True),
            kind=kind,
            sign=SIGNS.get(row.meaning, ""),
            meaning=row.meaning,
            plot=interval_plot(self.axes[1], [Lane(estimate=row.difference, kind=kind)], line_at=0.0),
        )


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> Html:
    """A table of texts that scrolls inside its own container; the first cell of a row names it."""
    return render_macro("blocks.html.j2", "plain_table", columns, [tuple(row) for row in rows], caption)


def _axis(estimates: Iterable[Estimate | None], *, zero: bool) -> Axis:
    known = [estimate for estimate in estimates if estimate is not None]
    ends = [end for each in known if each.interval for end in (each.interval.low, each.interval.high)]
    values = [*(each.value for each in known), *ends]
    least = (0.0, 0.0) if zero else None
    if zero and all(abs(value) < NEXT_TO_NOTHING for value in values):
        least = (-NEXT_TO_NOTHING, NEXT_TO_NOTHING)  # a closer look would make much of it
    return axis_over(values, least, rounded=True, ticks=STRIP_TICKS)


def _figure(estimate: Estimate | None, *, signed: bool = False) -> _FigureView:
    if estimate is None:
        return _FigureView(value=ABSENT)
    alone, interval = Estimate(value=estimate.value), estimate.interval
    return _FigureView(
        value=difference_text(alone) if signed else score_text(estimate.value),
        ends=interval_text(interval, signed=signed) if interval else "",
    )


MOST_CLASSES: Final = 12
MOST_LISTED: Final = 20
DEEPEST: Final = 42  # the colour's strength, in percent, where a cell holds its whole row: its number stays legible
MISSED: Final = "missed"
NOTHING: Final = "background"
NOTE: Final = (
    "Detections above the confidence threshold, matched to annotated boxes at IoU 0.5, ignoring the class. Below each "
    "count is its interval; a darker cell is a larger share of its row."
)


def confusion(scores: Scores) -> Html | None:
    """The confusions of each model; None where nothing was detected."""
    known = [(name, each) for name, each in zip(scores.names, scores.evaluations, strict=True) if each.confusion]
    if not known:
        return None
    if len(scores.subject.subject.classes) > MOST_CLASSES:
        return _largest(scores)
    return render("confusion.html.j2", matrices=[_matrix(name, evaluation) for name, evaluation in known])


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConfusionCell:
    """A count with its interval; `percent` is how deep its colour is, `kind` which one it has, if any."""

    count: str
    ends: str = ""
    kind: str = ""
    percent: int = 0


def _matrix(name: str, evaluation: Evaluation) -> dict[str, object]:
    return {
        "caption": f"{name}: annotated class (rows) by detected class (columns)",
        "columns": (*evaluation.subject.classes, MISSED),
        "rows": [
            {"label": label, "cells": tuple(_cells(evaluation, truth))} for truth, label in _labels(evaluation).items()
        ],
    }


def _cells(evaluation: Evaluation, truth: str) -> Iterator[_ConfusionCell]:
    found = {predicted: evaluation.confusion.get(f"confusion/{truth}/{predicted}") for predicted in _labels(evaluation)}
    whole = sum(estimate.value for estimate in found.values() if estimate)
    for predicted, estimate in found.items():
        yield _confusion_cell(estimate, whole, right=predicted == truth)


def _confusion_cell(estimate: Estimate | None, whole: float, *, right: bool) -> _ConfusionCell:
    if estimate is None:
        return _ConfusionCell(count=ABSENT)
    interval = estimate.interval
    return _ConfusionCell(
        count=f"{estimate.value:.0f}",
        ends="" if interval is None else f"{interval.low:.0f} to {interval.high:.0f}",
        kind="good" if right else "bad",
        percent=round(DEEPEST * estimate.value / whole),
    )


def _largest(scores: Scores) -> Html:
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
