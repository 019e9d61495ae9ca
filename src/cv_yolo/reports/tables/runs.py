"""The comparison of the runs as lines of text, the same in Markdown and in HTML."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.selection import Selection, rank
from cv_yolo.domain.training.runs import RunRow, RunStatus
from cv_yolo.reports.text.formatting import (
    ABSENT,
    difference_text,
    duration_text,
    estimate_text,
    latency_text,
    metric_text,
)
from cv_yolo.reports.text.formatting import score_text as score
from cv_yolo.reports.view_models import DecisionReport, RunReport

SCORES: Final = ("map_50", "map_50_95", "precision", "recall", "confidence_threshold")
NOTE: Final = (
    "Scores on the validation images. Precision and recall are at IoU 0.5 and the confidence threshold shown next to "
    "them, at which the run's F1 is highest. – means that the value could not be computed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run of the table; `cells` pair up with its columns, `marks` say what the selection made of the run.

    `chosen` is the run that was put forward; `reason` says why a run did not finish.
    """

    name: str
    cells: tuple[str, ...]
    status: str
    chosen: bool = False
    marks: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTable:
    """The runs under the columns' names; name and status of a run stand before and after its cells."""

    columns: tuple[str, ...]
    lines: tuple[RunLine, ...]


def run_table(runs: Sequence[RunReport], rows: Sequence[RunRow], failures: Mapping[str, str]) -> RunTable:
    """A line for each run, and one for each failure without a run."""
    return _table(rows, runs, failures, _Choice(metric="map_50", selection=None, chosen=None))


def decision_table(report: DecisionReport) -> RunTable:
    """The runs that a decision was about: best on val first, then those that could not be ranked."""
    decision = report.decision
    metric = decision.policy.selection_metric
    ranked = rank(decision.rows, metric)
    others = tuple(row for row in decision.rows if row not in ranked)
    choice = _Choice(metric=metric, selection=decision.selection, chosen=decision.chosen)
    return _table((*ranked, *others), report.runs, report.failures, choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """By which figure the runs are compared, what was selected on val, and which run was put forward."""

    metric: str
    selection: Selection | None
    chosen: str | None

    def marks(self, run_id: str) -> Iterator[str]:
        if run_id == self.chosen:
            yield "chosen"
        if self.selection is None:
            return
        if run_id == self.selection.best:
            yield "best on val"
        elif run_id in self.selection.within_noise:
            yield "within noise"

    def behind(self, run_id: str) -> tuple[str, ...]:
        """How far the run is behind the best: no cell without a selection."""
        if self.selection is None:
            return ()
        return (difference_text(self.selection.differences.get(run_id)),)


def _table(rows: Sequence[RunRow], runs: Sequence[RunReport], failures: Mapping[str, str], choice: _Choice) -> RunTable:
    found = {run.run.run_id: run.evaluation.figures for run in runs if run.evaluation}
    names = (choice.metric, *(name for name in SCORES if name != choice.metric))
    first, *others = (_title(name) for name in names)
    behind = () if choice.selection is None else ("Behind the best",)
    listed = {row.name for row in rows if row.status is not RunStatus.FINISHED}
    lines = [_line(row, found.get(row.run_id, {}).get(choice.metric), names, choice) for row in rows]
    columns = (first, *behind, *others, "Latency", "Epochs", "Image size", "Duration")
    lines += [_without_run(name, reason, len(columns)) for name, reason in failures.items() if name not in listed]
    return RunTable(columns=columns, lines=tuple(lines))


def _line(row: RunRow, estimate: Estimate | None, names: Sequence[str], choice: _Choice) -> RunLine:
    main = row.scores.get(names[0])
    interval = None if estimate is None else estimate.interval
    return RunLine(
        name=row.name,
        cells=(
            estimate_text(None if main is None else Estimate(value=main, interval=interval)),
            *choice.behind(row.run_id),
            *(score(row.scores.get(name)) for name in names[1:]),
            latency_text(row.latency_ms),
            str(row.epochs),
            f"{row.image_size_px} px",
            duration_text(row.duration_s),
        ),
        status=row.status,
        chosen=row.run_id == choice.chosen,
        marks=tuple(choice.marks(row.run_id)),
        reason=None if row.status is RunStatus.FINISHED else row.reason or "no reason recorded",
    )


def _without_run(name: str, reason: str, cells: int) -> RunLine:
    return RunLine(name=name, cells=(ABSENT,) * cells, status=RunStatus.FAILED, reason=reason)


def _title(name: str) -> str:
    text = metric_text(name)
    return text if text.startswith("mAP") else text[0].upper() + text[1:]
