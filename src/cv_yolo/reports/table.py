"""The comparison of the runs as lines of text, the same in Markdown and in HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cv_yolo.domain.promotion import Decision, rank
from cv_yolo.domain.runs import RunRow, RunStatus
from cv_yolo.reports.text import ABSENT, duration_text, score_text

COLUMNS = ("Epochs", "Image size", "mAP50", "mAP50-95", "Precision", "Recall", "Confidence", "Duration")
SCORES = ("map_50", "map_50_95", "precision", "recall", "confidence_threshold")
NOTE = (
    "Precision and recall are those at IoU 0.5 of the detections with at least the confidence given beside them, "
    "which is where the run's F1 is highest. – stands for what could not be computed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One run of the table; `cells` pair up with `COLUMNS`, `reason` says why it did not finish."""

    name: str
    cells: tuple[str, ...]
    status: str
    best: bool = False
    reason: str | None = None


def table_lines(rows: Sequence[RunRow], failures: Mapping[str, str], *, best: str | None = None) -> tuple[Line, ...]:
    """A line for each run, and one for each failure that no run tells of already; `best` is a run's id."""
    told = {row.name for row in rows if row.status is not RunStatus.FINISHED}
    return (
        *(_line(row, best=row.run_id == best) for row in rows),
        *(_without_run(name, reason) for name, reason in failures.items() if name not in told),
    )


def decision_lines(decision: Decision, failures: Mapping[str, str]) -> tuple[Line, ...]:
    """The table of a decision: best first, then the runs that could not be ranked."""
    ranked = rank(decision.rows, decision.policy.metric)
    others = tuple(row for row in decision.rows if row not in ranked)
    return table_lines(ranked + others, failures, best=decision.chosen)


def _line(row: RunRow, *, best: bool) -> Line:
    return Line(
        name=row.name,
        cells=(
            str(row.epochs),
            f"{row.image_size_px} px",
            *(score_text(row.scores.get(name)) for name in SCORES),
            duration_text(row.duration_s),
        ),
        status=row.status,
        best=best,
        reason=None if row.status is RunStatus.FINISHED else row.reason or "no reason was recorded",
    )


def _without_run(name: str, reason: str) -> Line:
    return Line(name=name, cells=(ABSENT,) * len(COLUMNS), status=RunStatus.FAILED, reason=reason)
