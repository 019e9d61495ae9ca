"""Compare, decide, carry out: val chooses among the runs, test judges the chosen one, the register keeps it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cv_yolo.domain.data.data_policy import DataPolicy
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind
from cv_yolo.domain.data.gate import changed_test_set
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.all_metrics import main_measure
from cv_yolo.domain.evaluation.comparison import Comparison
from cv_yolo.domain.evaluation.comparison import compare as compare_scored
from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.evaluation.intervals import Bootstrapped, bootstrap
from cv_yolo.domain.evaluation.split_boxes import gather
from cv_yolo.domain.promotion.audit import Proposal, judgements_on, settled_by
from cv_yolo.domain.promotion.checks import AlreadyInStageCheck, Check, Outcome, ProofCheck, SelectionCheck
from cv_yolo.domain.promotion.decision import Champion, Decision, Judgement
from cv_yolo.domain.promotion.judgement import GateInput, judge
from cv_yolo.domain.promotion.policy import PromotionPolicy
from cv_yolo.domain.promotion.selection import Selection, rank, select
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.training.runs import RunRow, RunStatus, row_of
from cv_yolo.errors import ConfigError, InputError
from cv_yolo.ports.records import ExperimentTracker
from cv_yolo.ports.registry import NewVersion
from cv_yolo.workflows import register as registering
from cv_yolo.workflows.detectors import Sources, of_version
from cv_yolo.workflows.evaluate import Detector, Examination, detect, examine, with_classes
from cv_yolo.workflows.judged_data import last_test_revision
from cv_yolo.workflows.model_classes import require_model_of


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """Who decides and on what: the policy and the stage asked for, the data, and what is needed of the world.

    `accepted` is a person's reason for letting an inconclusive decision pass. `is_this_dataset` says whether a path of
    the records is that of the data set; by `data_policy`, a test set that changed since the last decision is reported.
    """

    policy: PromotionPolicy
    stage: Stage
    manifest: DatasetManifest
    examination: Examination
    sources: Sources
    id: str
    now: datetime
    accepted: str | None = None
    data_policy: DataPolicy = field(default_factory=DataPolicy)
    is_this_dataset: Callable[[str], bool] = lambda path: False

    def __post_init__(self) -> None:
        if self.stage not in self.policy.gates:
            raise ConfigError(
                f"{self.policy.source}: gates: none into {self.stage}", hint=f"add `gates.{self.stage}` to the policy"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecisionResult:
    """A decision with what it was made from, for its report; the comparison is absent without a champion."""

    decision: Decision
    candidate: Scored | None = None
    comparison: Comparison | None = None


def compare(run_ids: Sequence[str], tracker: ExperimentTracker) -> tuple[RunRow, ...]:
    """The table of the runs, each row made from its tracked run and nothing else."""
    return tuple(row_of(tracker.get(run_id)) for run_id in run_ids)


def decide_among(rows: Sequence[RunRow], detectors: Mapping[str, Detector], context: DecisionContext) -> DecisionResult:
    """Choose among the runs of a grid on val, and judge the chosen one on test."""
    require_model_of(context.manifest, context.sources)
    metric = context.policy.selection_metric
    figures = {
        row.run_id: _val_figures(detectors[row.run_id], context)
        for row in rank(rows, metric)
        if row.run_id in detectors
    }
    selection = select(rows, figures, metric=metric, confidence=context.policy.resampling.confidence)
    checks: list[Check] = [ProofCheck.of(rows, len(figures))]
    if selection is None:
        return DecisionResult(
            decision=_decision(rows, context, selection=None, chosen=None, champion=None, checks=checks)
        )
    checks.append(SelectionCheck.of(rows, selection))
    return _judged(rows, detectors[selection.chosen], context, selection=selection, checks=checks)


def decide_on(detector: Detector, context: DecisionContext) -> DecisionResult:
    """Judge one tracked detector on test, without a choice on val; a run without its proof is not judged."""
    if detector.run_id is None:
        raise InputError(
            f"{detector.name}: its training was not tracked, so it cannot be promoted",
            hint="name a version or a run; `cv-yolo runs` and `cv-yolo models` list them",
        )
    require_model_of(context.manifest, context.sources)
    rows = compare([detector.run_id], context.sources.tracker)
    proven = sum(row.status is RunStatus.FINISHED for row in rows)
    checks: list[Check] = [ProofCheck.of(rows, proven)]
    if not proven:
        return DecisionResult(
            decision=_decision(rows, context, selection=None, chosen=None, champion=None, checks=checks)
        )
    return _judged(rows, detector, context, selection=None, checks=checks)


def carry_out(
    result: DecisionResult, detector: Detector | None, context: DecisionContext, *, actor: str
) -> ModelVersion | None:
    """Register the chosen run as a version, and put on record, and into its stage, what was decided.

    None without a choice. Raises `PromotionConflictError` where another promotion came first.
    """
    decision = result.decision
    if detector is None or decision.chosen is None:
        return None
    register = context.sources.register
    new = NewVersion(
        run_id=decision.chosen,
        weights=detector.weights,
        weights_sha256=detector.weights_sha256,
        confidence_threshold=detector.confidence_threshold,
        classes=with_classes(detector, context.examination).classes,
    )
    version = registering.registered(new, register)
    if not decision.changes_nothing:
        record = registering.commit if decision.promotes else registering.judge
        record(_proposal(decision, version), register, actor=actor, now=context.now)
    return version


def _judged(
    rows: Sequence[RunRow],
    detector: Detector,
    context: DecisionContext,
    *,
    selection: Selection | None,
    checks: list[Check],
) -> DecisionResult:
    """Judge a detector on the test images, the champion beside it; the champion itself is not judged again."""
    version = registering.holder(context.stage, context.sources.register)
    champion = None if version is None else _champion(version, context)
    if champion is not None and champion.run_id == detector.run_id:
        checks.append(AlreadyInStageCheck(outcome=Outcome.PASSED, stage=context.stage, version=champion.version))
        return DecisionResult(
            decision=_decision(
                rows, context, selection=selection, chosen=detector.run_id, champion=champion, checks=checks
            )
        )
    candidate = incumbent = None
    if context.manifest.split(Split.TEST):
        candidate = examine(detector, context.manifest, Split.TEST, context.examination)
        if version is not None:
            incumbent = examine(of_version(version, context.sources), context.manifest, Split.TEST, context.examination)
    case = GateInput(
        stage=context.stage, policy=context.policy, candidate=candidate, champion=champion, incumbent=incumbent
    )
    verdicts, judgement = judge(case, use=_uses(context) + 1)
    return DecisionResult(
        decision=_decision(
            rows,
            context,
            selection=selection,
            chosen=detector.run_id,
            champion=champion,
            checks=[*checks, *verdicts],
            judgement=judgement,
        ),
        candidate=candidate,
        comparison=None if candidate is None or incumbent is None else compare_scored(incumbent, candidate),
    )


def _decision(
    rows: Sequence[RunRow],
    context: DecisionContext,
    *,
    selection: Selection | None,
    chosen: str | None,
    champion: Champion | None,
    checks: Sequence[Check],
    judgement: Judgement | None = None,
) -> Decision:
    return Decision(
        id=context.id,
        made_at=context.now,
        stage=context.stage,
        policy=context.policy,
        rows=tuple(rows),
        selection=selection,
        chosen=chosen,
        champion=champion,
        checks=tuple(checks),
        judgement=judgement,
        accepted=context.accepted,
        data_findings=() if judgement is None else _changed_test_set(context),
    )


def _changed_test_set(context: DecisionContext) -> tuple[DatasetFinding, ...]:
    """Whether the last decision on this data set judged by other test images, as far as the data policy reports it."""
    log, tracker = context.sources.register.log, context.sources.tracker
    judged = last_test_revision(log, tracker, context.is_this_dataset)
    found = changed_test_set(context.manifest.split_revision(Split.TEST), judged)
    applied = context.data_policy.applied(found)
    return tuple(finding for finding in applied if finding.kind is FindingKind.TEST_CHANGED)


def _val_figures(detector: Detector, context: DecisionContext) -> Bootstrapped:
    """The figures by which runs are chosen, on the draws that are the same for all of them."""
    manifest, examination = context.manifest, context.examination
    prediction = detect(detector, manifest, Split.VAL, examination).prediction
    truths = examination.folder.ground_truth(examination.dataset_root, manifest, Split.VAL)
    table = gather(truths, prediction.detections, classes=len(manifest.classes))
    measure = main_measure(table, confidence_threshold=detector.confidence_threshold)
    return bootstrap(measure, images=len(truths), resampling=context.policy.resampling)


def _champion(version: ModelVersion, context: DecisionContext) -> Champion:
    entry = settled_by(context.sources.register.log.entries(), context.stage)
    return Champion(
        version=version.version,
        run_id=version.run_id,
        name=context.sources.tracker.get(version.run_id).name,
        provisional=entry is not None and entry.provisional,
    )


def _uses(context: DecisionContext) -> int:
    """How many decisions these test images have judged before."""
    return judgements_on(context.sources.register.log.entries(), context.manifest.split_revision(Split.TEST))


def _proposal(decision: Decision, version: ModelVersion) -> Proposal:
    judgement = decision.judgement
    judged = [] if judgement is None else [judgement.candidate, *filter(None, [judgement.champion])]
    return Proposal(
        stage=decision.stage,
        version=version.version,
        run_id=version.run_id,
        expected=None if decision.champion is None else decision.champion.version,
        decision=decision.id,
        verdict=decision.verdict,
        policy=decision.policy.source,
        policy_sha256=decision.policy.sha256,
        evaluations=tuple(evaluation.id for evaluation in judged),
        test_revision=None if judgement is None else judgement.candidate.subject.split_revision,
        reason=decision.accepted,
        provisional=decision.provisional,
    )
