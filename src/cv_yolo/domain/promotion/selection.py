"""Which run of a grid is chosen: on val, the cheapest of those within noise of the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cv_yolo.domain.evaluation.intervals import Bootstrapped, Estimate, estimates
from cv_yolo.domain.training.runs import RunRow, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What was chosen among the runs, by their figures on the validation images.

    `differences` maps a run to the figure of the best minus its own, paired by image; `within_noise` are the runs whose
    difference may be 0, the best itself among them.
    """

    metric: str
    best: str
    chosen: str
    differences: dict[str, Estimate]
    within_noise: tuple[str, ...]


def rank(rows: Sequence[RunRow], metric: str) -> tuple[RunRow, ...]:
    """The runs that have the score, best first; of equal ones the cheaper, then the one with the smaller name."""
    scored = [row for row in rows if row.status is RunStatus.FINISHED and metric in row.scores]
    return tuple(sorted(scored, key=lambda row: (-row.scores[metric], *_cost(row))))


def select(
    rows: Sequence[RunRow], figures: Mapping[str, Bootstrapped], *, metric: str, confidence: float
) -> Selection | None:
    """Choose one of the runs, `figures` being those of each run on the same draws; None where no run was scored.

    A run whose figures are missing cannot be compared and is not chosen.
    """
    ranked = [row for row in rank(rows, metric) if row.run_id in figures]
    if not ranked:
        return None
    best = ranked[0]
    asked = {row.run_id: figures[row.run_id].only({metric}) for row in ranked}  # one that found nothing lacks others
    differences = {
        row.run_id: estimates(asked[best.run_id].minus(asked[row.run_id]), confidence=confidence)[metric]
        for row in ranked[1:]
    }
    close = [best, *(row for row in ranked[1:] if _may_be_nothing(differences[row.run_id]))]
    return Selection(
        metric=metric,
        best=best.run_id,
        chosen=min(close, key=_cost).run_id,
        differences=differences,
        within_noise=tuple(row.run_id for row in close),
    )


def _may_be_nothing(difference: Estimate) -> bool:
    interval = difference.interval
    return interval is None or interval.low <= 0 <= interval.high


def _cost(row: RunRow) -> tuple[float, float, str]:
    """Images times pixels times epochs, then latency; the data, and so the images, are the same for all runs."""
    return row.cost, row.latency_ms if row.latency_ms is not None else float("inf"), row.name
