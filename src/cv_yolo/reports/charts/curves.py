"""Curves as charts: scores and losses by epoch, precision by recall, and whether confidences mean what they say."""

from collections.abc import Iterator, Sequence
from typing import Final

from cv_yolo.domain.evaluation.calibration import BINS
from cv_yolo.domain.evaluation.evaluation import Evaluation, PrecisionRecallCurve
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.reports.charts.axes import Range
from cv_yolo.reports.charts.line_chart import FIRST, SECOND, Labels, Points, Series, Spread, line_chart
from cv_yolo.reports.markup import Html
from cv_yolo.reports.tables.metric_rows import Scores, class_rows
from cv_yolo.reports.text.formatting import score_text
from cv_yolo.reports.view_models import RunReport

SCORE: Final = "val/map_50"
LOSSES: Final = {
    "train/box_loss": "Training loss: boxes (box)",
    "train/cls_loss": "Training loss: classes (cls)",
    "train/dfl_loss": "Training loss: edges (dfl)",
}
DIAGRAM: Final = "Reliability: precision by confidence"
MOST_MARKED: Final = 15
NEVER: Final = "never detected"
DESCRIBED_RECALLS: Final = (20, 50, 80)  # places of the recalls that a chart's description names


def score_chart(runs: Sequence[RunReport]) -> Html | None:
    """Validation mAP50 by epoch, a line for each run; None where no run has one."""
    return _by_epoch(runs, SCORE, Labels(title="Validation mAP50 by epoch", x="epoch", y="mAP50"), y_range=(0.0, 0.0))


def loss_charts(runs: Sequence[RunReport]) -> tuple[Html, ...]:
    """Training losses by epoch, a chart for each kind of loss that any run has."""
    charts = (_by_epoch(runs, name, Labels(title=title, x="epoch", y="loss")) for name, title in LOSSES.items())
    return tuple(chart for chart in charts if chart is not None)


def precision_recall_charts(runs: Sequence[RunReport]) -> tuple[Html, ...]:
    """Precision by recall at IoU 0.5, a chart for each class, a line for each run that was evaluated."""
    named = [(run.run.name, run.evaluation) for run in runs]
    classes = dict.fromkeys(curve.name for _, found in named if found for curve in found.curves)
    return tuple(
        _precision_by_recall(name, [_line(run, found, slot, name) for slot, (run, found) in enumerate(named)])
        for name in classes
    )


def compared_charts(scores: Scores) -> tuple[Html, ...]:
    """Precision by recall of one or two models, with the bands in which they lie; a class that loses most first."""
    slots = (FIRST, SECOND) if scores.pair else (SECOND,)
    models = tuple(zip(scores.names, scores.evaluations, slots, strict=True))
    return tuple(
        _precision_by_recall(
            row.label, [_line(name, found, slot, row.label, band=True) for name, found, slot in models]
        )
        for row in class_rows(scores)
    )


def _by_epoch(runs: Sequence[RunReport], metric: str, labels: Labels, *, y_range: Range | None = None) -> Html | None:
    series = [_history(run, slot, metric) for slot, run in enumerate(runs)]
    return line_chart(series, labels, y_range=y_range) if any(each.points for each in series) else None


def _history(run: RunReport, slot: int, metric: str) -> Series:
    points = run.history.get(metric, ())
    marked = points if len(points) <= MOST_MARKED else points[-1:]
    return Series(name=run.run.name, points=points, slot=slot, marked=marked)


def _precision_by_recall(class_name: str, series: Sequence[Series]) -> Html:
    labels = Labels(
        title=f"Precision and recall: {class_name}",
        x="recall",
        y="precision",
        description=" ".join(_description(each) for each in series if each.points or each.without),
        empty=NEVER if any(each.without for each in series) else "no values",
    )
    return line_chart(series, labels, x_range=(0.0, 1.0), y_range=(0.0, 1.0))


def _line(name: str, evaluation: Evaluation | None, slot: int, class_name: str, *, band: bool = False) -> Series:
    curve = _curve(evaluation, class_name)
    if evaluation is None or curve is None:
        return Series(name=name, points=(), slot=slot)
    if not any(curve.precision):
        return Series(name=name, points=(), slot=slot, without=NEVER)
    return Series(
        name=name,
        points=_reached(curve),
        slot=slot,
        marked=_operating_point(evaluation, class_name),
        band=_band(curve) if band else (),
    )


def _reached(curve: PrecisionRecallCurve) -> Points:
    """The curve as (recall, precision), up to the first recall that is not reached."""
    precisions = curve.precision
    end = next((index for index, precision in enumerate(precisions) if precision == 0), len(precisions) - 1)
    return tuple((index / (len(precisions) - 1), precisions[index]) for index in range(end + 1))


def _band(curve: PrecisionRecallCurve) -> Spread:
    last = len(curve.precision) - 1
    return tuple((index / last, low, high) for index, (low, high) in enumerate(zip(curve.low, curve.high, strict=True)))


def _curve(evaluation: Evaluation | None, class_name: str) -> PrecisionRecallCurve | None:
    found = evaluation.curves if evaluation else ()
    return next((curve for curve in found if curve.name == class_name), None)


def _operating_point(evaluation: Evaluation, class_name: str) -> Points:
    """Where the model operates on this class: its recall and precision in use."""
    found = [evaluation.figures.get(f"class/{class_name}/{figure}") for figure in ("recall", "precision")]
    known = [estimate.value for estimate in found if estimate is not None]
    return ((known[0], known[1]),) if len(known) == len(found) else ()


def _description(series: Series) -> str:
    """`e3_s320: precision 0.970 at recall 0.20, …; the curve ends at recall 0.83.` for those who hear it."""
    reached = [point for point in series.points if point[1] > 0]
    if not reached:
        return f"{series.name}: no correct detection."
    places = [place for place in DESCRIBED_RECALLS if place < len(reached)] or [0]
    values = [f"{score_text(reached[place][1])} at recall {reached[place][0]:.2f}" for place in places]
    return f"{series.name}: precision {', '.join(values)}; the curve ends at recall {reached[-1][0]:.2f}."


def diagram(scores: Scores) -> Html:
    """Precision by mean confidence of each bin, with the intervals."""
    slots = (FIRST, SECOND) if scores.pair else (SECOND,)
    series = [
        _series(name, evaluation, slot)
        for name, evaluation, slot in zip(scores.names, scores.evaluations, slots, strict=True)
    ]
    labels = Labels(title=DIAGRAM, x="confidence", y="precision", description="The numbers are in the table below.")
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
