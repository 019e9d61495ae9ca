"""The runs' curves as charts: scores and losses by epoch, precision by recall."""

from collections.abc import Sequence

from cv_yolo.domain.evaluation import ClassScores, Evaluation
from cv_yolo.reports.content import RunReport
from cv_yolo.reports.svg import Points, Range, Series, line_chart

SCORE = "val/map_50"
LOSSES = {
    "train/box_loss": "Training loss: boxes (box)",
    "train/cls_loss": "Training loss: classes (cls)",
    "train/dfl_loss": "Training loss: edges (dfl)",
}
MOST_MARKED = 15


def score_chart(runs: Sequence[RunReport]) -> str | None:
    """Validation mAP50 by epoch, a line for each run; None where no run has one."""
    return _by_epoch(runs, SCORE, title="Validation mAP50 by epoch", y_label="mAP50", y_range=(0.0, 0.0))


def loss_charts(runs: Sequence[RunReport]) -> tuple[str, ...]:
    """Training losses by epoch, a chart for each kind of loss that any run has."""
    charts = (_by_epoch(runs, name, title=title, y_label="loss") for name, title in LOSSES.items())
    return tuple(chart for chart in charts if chart is not None)


def precision_recall_charts(runs: Sequence[RunReport]) -> tuple[str, ...]:
    """Precision by recall at IoU 0.5, a chart for each class, a line for each run that was evaluated."""
    classes = dict.fromkeys(scores.name for run in runs if run.evaluation for scores in run.evaluation.per_class)
    return tuple(
        line_chart(
            [_precision_recall(run, slot, name) for slot, run in enumerate(runs)],
            title=f"Precision and recall: {name}",
            x_label="recall",
            y_label="precision",
            x_range=(0.0, 1.0),
            y_range=(0.0, 1.0),
        )
        for name in classes
    )


def _by_epoch(
    runs: Sequence[RunReport], metric: str, *, title: str, y_label: str, y_range: Range | None = None
) -> str | None:
    series = [_history(run, slot, metric) for slot, run in enumerate(runs)]
    if not any(each.points for each in series):
        return None
    return line_chart(series, title=title, x_label="epoch", y_label=y_label, y_range=y_range)


def _history(run: RunReport, slot: int, metric: str) -> Series:
    points = run.history.get(metric, ())
    marked = points if len(points) <= MOST_MARKED else points[-1:]
    return Series(name=run.run.name, points=points, slot=slot, marked=marked)


def _precision_recall(run: RunReport, slot: int, class_name: str) -> Series:
    evaluation = run.evaluation
    scores = _scores_of(evaluation, class_name)
    if evaluation is None or scores is None:
        return Series(name=run.run.name, points=(), slot=slot)
    return Series(name=run.run.name, points=_reached(scores), slot=slot, marked=_operating_point(evaluation))


def _reached(scores: ClassScores) -> Points:
    """The curve as (recall, precision), up to the first recall that is not reached."""
    precisions = scores.precision_at_recall
    end = next((index for index, precision in enumerate(precisions) if precision == 0), len(precisions) - 1)
    return tuple((index / (len(precisions) - 1), precisions[index]) for index in range(end + 1))


def _scores_of(evaluation: Evaluation | None, class_name: str) -> ClassScores | None:
    found = evaluation.per_class if evaluation else ()
    return next((scores for scores in found if scores.name == class_name), None)


def _operating_point(evaluation: Evaluation) -> Points:
    """Where the run operates; of several classes it is common to all and lies on no class's curve."""
    point = evaluation.operating_point
    return () if point is None or len(evaluation.per_class) > 1 else ((point.recall, point.precision),)
