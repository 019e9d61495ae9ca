"""Promote a detector: decide, put the decision on record and into effect, and write it down.

A grid's best run and a version that a person names go the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.ports.datasets import ImageRenderer
from cv_yolo.workflows.decide import DecisionContext, carry_out, compare, decide_among, decide_on
from cv_yolo.workflows.evaluate import Detector, detector_of
from cv_yolo.workflows.report import (
    Origin,
    RunEvidence,
    decision_path,
    keep_evaluation,
    report_decision,
    write_decision,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridCandidates:
    """The models of a grid, of which val chooses one, and what is known of all of its runs."""

    models: Sequence[TrainedModel]
    evidence: RunEvidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """A decision that is on record and in effect, with its page: the file, and its HTML."""

    decision: Decision
    page: Path
    html: str


def promote(
    candidates: GridCandidates | Detector,
    context: DecisionContext,
    *,
    actor: str,
    origin: Origin,
    renderer: ImageRenderer,
    folder: Path,
) -> Promotion:
    """Judge one detector, or the one that val chooses among a grid's, and do what the policy says.

    The page goes to `folder` and to the chosen run. Raises `PromotionConflictError` where another promotion came first
    meanwhile.
    """
    tracker = context.examination.tracker
    if isinstance(candidates, Detector):
        chosen: Detector | None = candidates
        result = decide_on(candidates, context)
        run_ids = [row.run_id for row in result.decision.rows]
        evidence = RunEvidence(run_ids=run_ids, evaluations={}, failures={})
    else:
        evidence = candidates.evidence
        rows = compare(evidence.run_ids, tracker)
        thresholds = {row.run_id: row.scores.get("confidence_threshold") for row in rows}
        detectors = {
            model.run_id: detector_of(model, confidence_threshold=thresholds[model.run_id])
            for model in candidates.models
        }
        result = decide_among(rows, detectors, context)
        chosen = None if result.decision.chosen is None else detectors[result.decision.chosen]
    version = carry_out(result, chosen, context, actor=actor)
    report = report_decision(result, version, context, renderer=renderer, origin=origin, evidence=evidence)
    keep_evaluation(result.decision, context.examination.workdir, tracker)
    html = write_decision(report, folder, tracker)
    return Promotion(decision=result.decision, page=decision_path(result.decision, folder), html=html)
