"""The gate: a candidate against the policy and against the champion, on the same test images, check by check."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from cv_yolo.domain.evaluation.catalogue import Scope, split
from cv_yolo.domain.evaluation.comparison import difference_of
from cv_yolo.domain.evaluation.evaluation import Evaluation, Scored
from cv_yolo.domain.evaluation.intervals import (
    Bootstrapped,
    Estimate,
    Floats,
    chance_of_at_least,
    estimates,
    holm,
    images_to_settle,
    least_resamples,
)
from cv_yolo.domain.promotion.checks import (
    WORST_FIRST,
    BudgetCheck,
    ChampionCheck,
    Check,
    ClassFloorCheck,
    ClassResult,
    FloorCheck,
    GroupsCheck,
    ImageCountCheck,
    Outcome,
    images_to_settle_all,
)
from cv_yolo.domain.promotion.decision import Champion, Judgement
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy
from cv_yolo.domain.promotion.versions import Stage

CLASS_METRIC: Final = "ap_50"
GroupKind = Literal["classes", "slices"]
GROUPS: Final[Mapping[GroupKind, tuple[Scope, str]]] = {  # what is compared in each class and each slice
    "classes": (Scope.CLASS, CLASS_METRIC),
    "slices": (Scope.SLICE, "map_50"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInput:
    """What the gate judges: whether this candidate may enter the stage that the champion holds.

    `candidate` is None where there are no test images; `incumbent` is the champion's score on the same test images.
    """

    stage: Stage
    policy: PromotionPolicy
    candidate: Scored | None
    champion: Champion | None
    incumbent: Scored | None

    @property
    def gate(self) -> Gate:
        """The gate into the stage."""
        return self.policy.gates[self.stage]

    @property
    def images(self) -> int:
        """The test images."""
        return 0 if self.candidate is None else self.candidate.evaluation.images

    @property
    def enough(self) -> bool:
        """Whether there are enough test images to trust an interval."""
        return self.images >= self.policy.min_images

    @property
    def waives(self) -> bool:
        """Whether the policy lets a candidate pass on too few images, nothing better being there."""
        unproven = self.champion is None or self.champion.provisional
        return not self.enough and self.images > 0 and self.gate.provisional and unproven


def judge(case: GateInput, *, use: int) -> tuple[tuple[Check, ...], Judgement | None]:
    """Every check of the gate, and what the test images said; `use` counts the decisions on them, this one included."""
    if case.candidate is None:
        return (_enough_images(case),), None
    difference = None if case.incumbent is None else difference_of(case.incumbent, case.candidate)
    evaluation = case.candidate.evaluation
    checks: list[Check] = [_enough_images(case), *_floors(case, evaluation), *_class_floors(case, evaluation)]
    checks.append(_against_champion(case, difference))
    if difference is not None and case.enough:
        checks += _groups(case, difference)
    checks += _budgets(evaluation, case.gate)
    confidence = case.policy.resampling.confidence
    return tuple(checks), Judgement(
        candidate=evaluation,
        champion=None if case.incumbent is None else case.incumbent.evaluation,
        differences={} if difference is None else estimates(difference, confidence=confidence),
        use=use,
    )


def _enough_images(case: GateInput) -> ImageCountCheck:
    least, images = case.policy.min_images, case.images
    return ImageCountCheck(
        outcome=Outcome.PASSED if case.enough else Outcome.WAIVED if case.waives else Outcome.UNDECIDED,
        more_images=None if case.enough else least - images,
        stage=case.stage,
        required=least,
        measured=images,
    )


def _floors(case: GateInput, evaluation: Evaluation) -> Iterator[FloorCheck]:
    for metric, floor in case.gate.floors.items():
        found = evaluation.figures.get(metric)
        outcome = _against_limit(case, found, floor, may_be_waived=_value_above(floor))
        yield FloorCheck(
            outcome=outcome,
            more_images=_more_images(case, found, floor, outcome),
            metric=metric,
            required=floor,
            measured=found,
            few_images=not case.enough,
        )


def _class_floors(case: GateInput, evaluation: Evaluation) -> Iterator[ClassFloorCheck]:
    """One check for the required classes and one for the floor under each class, as far as the policy asks for them."""
    gate, classes = case.gate, evaluation.subject.classes
    if required := gate.required_of(classes):
        yield _class_floor(case, evaluation, "required_classes", required, limit=0.0, least_boxes=gate.required_boxes)
    if floored := gate.floored_of(classes):
        yield _class_floor(case, evaluation, "class_floor", floored, limit=gate.class_floor or 0.0, least_boxes=1)


def _class_floor(
    case: GateInput,
    evaluation: Evaluation,
    kind: Literal["required_classes", "class_floor"],
    names: tuple[str, ...],
    *,
    limit: float,
    least_boxes: int,
) -> ClassFloorCheck:
    boxes = {curve.name: curve.truths for curve in evaluation.curves}
    classes = []
    for name in names:
        found = evaluation.figures.get(f"class/{name}/{CLASS_METRIC}")
        outcome = _against_limit(case, found, limit, may_be_waived=_value_above(limit))
        more = _more_images(case, found, limit, outcome)
        if outcome is Outcome.PASSED and boxes.get(name, 0) < least_boxes:
            outcome = Outcome.UNDECIDED
        classes.append(
            ClassResult(outcome=outcome, more_images=more, name=name, boxes=boxes.get(name, 0), measured=found)
        )
    worst = next(outcome for outcome in WORST_FIRST if outcome in {each.outcome for each in classes})
    return ClassFloorCheck(
        outcome=worst,
        more_images=images_to_settle_all(classes) if worst is Outcome.UNDECIDED else None,
        kind=kind,
        metric=CLASS_METRIC,
        required=limit,
        required_boxes=least_boxes,
        classes=tuple(classes),
    )


def _against_champion(case: GateInput, difference: Bootstrapped | None) -> ChampionCheck:
    gate, champion, limit = case.gate, case.champion, case.gate.required_difference
    found = None
    if difference is not None:
        found = estimates(difference, confidence=case.policy.resampling.confidence).get(gate.metric)
    outcome = Outcome.PASSED
    if champion is not None:
        outcome = _against_limit(case, found, limit, may_be_waived=_may_be_as_good)
    return ChampionCheck(
        outcome=outcome,
        more_images=_more_images(case, found, limit, outcome),
        stage=case.stage,
        metric=gate.metric,
        rule=gate.rule,
        required=limit,
        version=None if champion is None else champion.version,
        measured=found,
        few_images=not case.enough,
    )


def _against_limit(
    case: GateInput, found: Estimate | None, limit: float, *, may_be_waived: Callable[[Estimate], bool]
) -> Outcome:
    """Whether an interval lies above a limit, below it, or about it; with too few images nothing is settled."""
    interval = None if found is None else found.interval
    if found is None or interval is None:
        return Outcome.UNDECIDED
    if not case.enough:
        if not case.waives:
            return Outcome.UNDECIDED
        return Outcome.WAIVED if may_be_waived(found) else Outcome.FAILED
    if interval.low > limit:
        return Outcome.PASSED
    return Outcome.FAILED if interval.high <= limit else Outcome.UNDECIDED


def _more_images(case: GateInput, found: Estimate | None, limit: float, outcome: Outcome) -> int | None:
    """How many further test images would settle an undecided outcome; None where it is settled, or not known."""
    if found is None or outcome is not Outcome.UNDECIDED:
        return None
    settled = images_to_settle(found, limit, images=case.images)
    return None if settled is None else max(settled, case.policy.min_images) - case.images


def _groups(case: GateInput, difference: Bootstrapped) -> Iterator[GroupsCheck]:
    """No class and no slice may be shown to be worse by more than its margin, as far as the policy asks for it."""
    margins = {"classes": case.gate.class_margin, "slices": case.gate.slice_margin}
    for kind, (scope, metric) in GROUPS.items():
        margin = margins[kind]
        names = [name for name in difference.names if split(name)[::2] == (scope, metric)]
        found = estimates(difference.only(names), confidence=case.policy.resampling.confidence)
        if margin is not None and found:
            yield _group_check(kind, difference, found, margin, confidence=case.policy.resampling.confidence)


def _group_check(
    kind: GroupKind, difference: Bootstrapped, found: Mapping[str, Estimate], margin: float, *, confidence: float
) -> GroupsCheck:
    """One that is in too few images for an interval shows nothing; where no group could fail, nothing is settled."""
    known = {name: estimate for name, estimate in found.items() if estimate.interval is not None}
    samples = difference.only(known).samples
    chances = holm([chance_of_at_least(-margin, samples[:, column]) for column in range(len(known))])
    worse = [name for name, chance in zip(known, chances, strict=True) if chance < 1 - confidence]
    could_fail = bool(known) and _could_fail(samples, confidence)
    lowest = min(known or found, key=lambda name: found[name].value)
    return GroupsCheck(
        outcome=Outcome.FAILED if worse else Outcome.PASSED if could_fail else Outcome.UNDECIDED,
        kind=kind,
        metric=GROUPS[kind][1],
        required=-margin,
        lowest=split(lowest)[1],
        measured=found[lowest],
        worse=tuple(split(name)[1] for name in worse),
        compared=len(known),
        not_compared=tuple(split(name)[1] for name in found if name not in known),
        resamples=len(samples),
        least_resamples=least_resamples(len(known), confidence) if known and not could_fail else None,
    )


def _could_fail(samples: Floats, confidence: float) -> bool:
    """Whether the lowest possible p-value of these resamples, (B, K), would be significant after Holm."""
    lowest = 1 / (1 + np.count_nonzero(~np.isnan(samples), axis=0).min())
    return bool(samples.shape[1] * lowest < 1 - confidence)


def _budgets(evaluation: Evaluation, gate: Gate) -> Iterator[BudgetCheck]:
    subject = evaluation.subject
    if gate.max_latency_ms is not None:
        yield _budget("latency", subject.latency_ms, gate.max_latency_ms)
    if gate.max_size_bytes is not None:
        yield _budget("size", subject.size_bytes, gate.max_size_bytes)


def _budget(kind: Literal["latency", "size"], measured: float | None, most: float) -> BudgetCheck:
    outcome = Outcome.UNDECIDED if measured is None else Outcome.PASSED if measured <= most else Outcome.FAILED
    return BudgetCheck(outcome=outcome, kind=kind, required=most, measured=measured)


def _value_above(limit: float) -> Callable[[Estimate], bool]:
    return lambda found: found.value > limit


def _may_be_as_good(found: Estimate) -> bool:
    return found.interval is None or found.interval.high >= 0
