"""Whether the confidences mean what they say: the reliability diagram, its numbers, and the D-ECE."""

from collections.abc import Iterator
from typing import Final

from cv_yolo.domain.calibration import BINS
from cv_yolo.domain.evaluation import Evaluation
from cv_yolo.domain.intervals import Estimate
from cv_yolo.reports.charts import charts
from cv_yolo.reports.interval_table import Heads, interval_table, plain_table
from cv_yolo.reports.page import folded, paragraph
from cv_yolo.reports.scores import Scores, figure_row
from cv_yolo.reports.svg import FIRST, SECOND, Labels, Series, line_chart
from cv_yolo.reports.text import estimate_text, score_text

ERROR: Final = "calibration/d_ece"
DIAGRAM: Final = "Reliability: part right by confidence"
NOTE: Final = (
    "Detections are grouped by confidence, a tenth each. On the dashed line confidence means what it says; below it "
    "the model is too sure of itself. D-ECE is the mean distance from that line of the detections in use."
)


def reliability(scores: Scores) -> tuple[str, ...] | None:
    """The diagram, and a table with the expected error; None where nothing was detected."""
    row = figure_row(scores, ERROR, label="D-ECE", note="0 is perfect", lower_is_better=True)
    if all(value is None for value in row.values):
        return None
    heads = Heads(caption="Expected calibration error", row="figure", rows="figures", measure="D-ECE")
    return (
        charts((diagram(scores), paragraph(NOTE, kind="note"))),
        interval_table(scores, (row,), heads, bars=True),
        _numbers(scores),
    )


def diagram(scores: Scores) -> str:
    """Precision by mean confidence of each bin, with the intervals."""
    slots = (FIRST, SECOND) if scores.pair else (SECOND,)
    series = [
        _series(name, evaluation, slot)
        for name, evaluation, slot in zip(scores.names, scores.evaluations, slots, strict=True)
    ]
    labels = Labels(title=DIAGRAM, x="confidence", y="part right", description="The numbers are in the table below.")
    return line_chart(series, labels, x_range=(0.0, 1.0), y_range=(0.0, 1.0), diagonal=True)


def _series(name: str, evaluation: Evaluation, slot: int) -> Series:
    bins = tuple(_bins(evaluation))
    points = tuple((confidence.value, precision.value) for _, confidence, precision in bins)
    return Series(
        name=name,
        points=points,
        slot=slot,
        marked=points,
        whiskers=tuple(
            (confidence.value, precision.interval.low, precision.interval.high)
            for _, confidence, precision in bins
            if precision.interval
        ),
    )


def _bins(evaluation: Evaluation) -> Iterator[tuple[int, Estimate, Estimate]]:
    """The bins that hold detections: number, mean confidence, precision."""
    for place in range(BINS):
        confidence, precision = (
            evaluation.figures.get(f"calibration/{place}/{figure}") for figure in ("confidence", "precision")
        )
        if confidence is not None and precision is not None:
            yield place, confidence, precision


def _numbers(scores: Scores) -> str:
    columns = ["Confidence"]
    for name in scores.names:
        columns += [f"{name}: detections", "mean confidence", "part that is right"]
    rows = [(f"{place / BINS:.1f} to {(place + 1) / BINS:.1f}", *_cells(scores, place)) for place in range(BINS)]
    table = plain_table(columns, rows, "What each bin holds")
    return folded("The numbers of the diagram", table)


def _cells(scores: Scores, place: int) -> Iterator[str]:
    for evaluation in scores.evaluations:
        count, confidence, precision = (
            evaluation.figures.get(f"calibration/{place}/{figure}") for figure in ("count", "confidence", "precision")
        )
        yield "0" if count is None else f"{count.value:.0f}"
        yield score_text(None if confidence is None else confidence.value)
        yield estimate_text(precision)
