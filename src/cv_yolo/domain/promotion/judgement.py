"""The gate: a candidate against the policy and against the champion, on the same test images, check by check."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

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
from cv_yolo.domain.promotion.checks import class_floors
from cv_yolo.domain.promotion.decision import Champion, Check, Judgement, Outcome
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy, Rule
from cv_yolo.domain.promotion.versions import Stage

GROUPS: Final = {"class": "ap_50", "slice": "map_50"}  # what is compared in each class and each slice


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInput:
    """What the gate is asked: whether this candidate may enter the stage that the champion holds.

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
        """Whether there are enough test images to believe an interval."""
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
    checks = [_enough_images(case), *_floors(case, evaluation), *class_floors(case.gate, evaluation, _limit_of(case))]
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


def _enough_images(case: GateInput) -> Check:
    least, images = case.policy.min_images, case.images
    if images >= least:
        outcome, sentence = Outcome.PASSED, f"{images} test images are enough to believe an interval."
    elif case.waives:
        outcome = Outcome.WAIVED
        sentence = f"{images} test images are fewer than {least}: at most a provisional promotion to {case.stage}."
    elif images == 0:
        outcome, sentence = Outcome.UNDECIDED, "The data set has no test images: nothing can be judged."
    else:
        outcome, sentence = Outcome.UNDECIDED, f"{images} test images are fewer than {least}: no interval is believed."
    return Check(
        name="test images",
        required=f"at least {least}",
        measured=str(images),
        outcome=outcome,
        sentence=sentence,
        more_images=least - images if images < least else None,
    )


def _floors(case: GateInput, evaluation: Evaluation) -> Iterator[Check]:
    for figure, floor in case.gate.floors.items():
        found = evaluation.figures.get(figure)
        check = _limit_check(case, f"floor {figure}", found, limit=floor, waived_by=_value_above(floor))
        above = {
            Outcome.PASSED: f"surely above the floor of {floor:g}",
            Outcome.FAILED: f"not above the floor of {floor:g}",
            Outcome.WAIVED: f"above the floor of {floor:g}, as far as so few images can tell",
            Outcome.UNDECIDED: _unsettled(case, f"not shown to be above the floor of {floor:g}"),
        }[check.outcome]
        yield replace(check, sentence=f"{figure} of the candidate is {check.measured}: {above}.")


def _against_champion(case: GateInput, difference: Bootstrapped | None) -> Check:
    gate, champion = case.gate, case.champion
    required = f"{gate.metric}: {_rule_text(gate)}"
    if champion is None:
        return Check(
            name="champion",
            required=required,
            measured="no champion",
            outcome=Outcome.PASSED,
            sentence=f"No version is in {case.stage}: a first promotion, judged by its floors only.",
        )
    found = None
    if difference is not None:
        found = estimates(difference, confidence=case.policy.resampling.confidence).get(gate.metric)
    check = _limit_check(case, "champion", found, limit=gate.required_difference, waived_by=_may_be_as_good)
    told = {
        Outcome.PASSED: "surely better" if gate.rule is Rule.SUPERIORITY else f"not worse by more than {gate.margin:g}",
        Outcome.FAILED: "shown not to be better" if gate.rule is Rule.SUPERIORITY else "shown to be worse",
        Outcome.WAIVED: "not shown to be worse than a version that is there provisionally itself",
        Outcome.UNDECIDED: _unsettled(case, f"neither shown to be {_rule_text(gate)} nor shown not to be"),
    }[check.outcome]
    sentence = f"{gate.metric} minus that of version {champion.version} in {case.stage} is {check.measured}: {told}."
    return replace(check, required=required, sentence=sentence)


def _limit_check(
    case: GateInput, name: str, found: Estimate | None, *, limit: float, waived_by: Callable[[Estimate], bool]
) -> Check:
    """Whether an interval lies above a limit, below it, or about it; with too few images nothing is settled."""
    interval = None if found is None else found.interval
    if found is None or interval is None:
        outcome = Outcome.UNDECIDED
    elif not case.enough:
        outcome = Outcome.UNDECIDED
        if case.waives:
            outcome = Outcome.WAIVED if waived_by(found) else Outcome.FAILED
    elif interval.low > limit:
        outcome = Outcome.PASSED
    else:
        outcome = Outcome.FAILED if interval.high <= limit else Outcome.UNDECIDED
    settled = None if found is None else images_to_settle(found, limit, images=case.images)
    more = None if settled is None else max(settled, case.policy.min_images) - case.images
    return Check(
        name=name,
        required=f"above {limit:g}",
        measured="not known" if found is None else estimate_text(found),
        outcome=outcome,
        sentence="",
        estimate=found,
        limit=limit,
        more_images=more if outcome is Outcome.UNDECIDED else None,
    )


def _limit_of(case: GateInput) -> Callable[[Estimate | None, float], Check]:
    """The check of one estimate against a limit, in this case."""
    return lambda found, limit: _limit_check(case, "", found, limit=limit, waived_by=_value_above(limit))


def _groups(case: GateInput, difference: Bootstrapped) -> Iterator[Check]:
    """No class and no slice may be shown to be worse by more than its margin, taken together after Holm.

    One that is in too few images for an interval shows nothing, and is named; where that is so of all, or the resamples
    are too few for any to fail, the guard settles nothing.
    """
    level = 1 - case.policy.resampling.confidence
    for kind, margin in (("class", case.gate.class_margin), ("slice", case.gate.slice_margin)):
        names = [name for name in difference.names if name.startswith(f"{kind}/") and name.endswith(GROUPS[kind])]
        found = estimates(difference.only(names), confidence=case.policy.resampling.confidence)
        known = {name: estimate for name, estimate in found.items() if estimate.interval is not None}
        if margin is None or not found:
            continue
        samples = difference.only(known).samples
        chances = holm([chance_of_at_least(-margin, samples[:, column]) for column in range(len(known))])
        worse = [name for name, chance in zip(known, chances, strict=True) if chance < level]
        blind = _blindness(kind, samples, case.policy.resampling.confidence)
        unknown = [name for name in found if name not in known]
        lowest = min(known or found, key=lambda name: found[name].value)
        yield Check(
            name="classes" if kind == "class" else "slices",
            required=f"none shown to be worse by more than {margin:g} (Holm over {len(known)})",
            measured=f"lowest: {_group_name(lowest)} {estimate_text(found[lowest])}",
            outcome=Outcome.FAILED if worse else Outcome.UNDECIDED if blind else Outcome.PASSED,
            sentence=_groups_sentence(kind, worse, margin, blind=blind, unknown=unknown),
            estimate=found[lowest],
            limit=-margin,
        )


def _blindness(kind: str, samples: Floats, confidence: float) -> str:
    """Why the guard could not fail whatever happened; nothing where it could."""
    if not samples.shape[1]:
        return f"The guard cannot fail: no {kind} is in enough test images for an interval."
    chance = 1 / (1 + np.count_nonzero(~np.isnan(samples), axis=0).min())
    if samples.shape[1] * chance < 1 - confidence:
        return ""
    least = least_resamples(samples.shape[1], confidence)
    return f"The guard cannot fail with {len(samples)} resamples: it takes at least {least}."


def _groups_sentence(kind: str, worse: Sequence[str], margin: float, *, blind: str, unknown: Sequence[str]) -> str:
    said = blind or f"No {kind} is shown to be worse than the champion's by more than {margin:g}."
    if worse:
        said = f"Worse than the champion by more than {margin:g}: {', '.join(map(_group_name, worse))}."
    if unknown:
        said += f" In too few test images to be compared: {', '.join(map(_group_name, unknown))}."
    return said


def _budgets(evaluation: Evaluation, gate: Gate) -> Iterator[Check]:
    subject = evaluation.subject
    for name, measured, most, unit in (
        ("latency", subject.latency_ms, gate.max_latency_ms, "ms"),
        ("size", subject.size_bytes, gate.max_size_bytes, "bytes"),
    ):
        if most is None:
            continue
        text = "not measured" if measured is None else f"{measured:.4g} {unit}" if unit == "ms" else f"{measured} bytes"
        within = measured is not None and measured <= most
        yield Check(
            name=name,
            required=f"at most {most:g} {unit}",
            measured=text,
            outcome=Outcome.PASSED if within else Outcome.UNDECIDED if measured is None else Outcome.FAILED,
            sentence=f"The {name} of the candidate is {text}; the policy allows {most:g} {unit}.",
        )


def estimate_text(estimate: Estimate) -> str:
    """`0.612 [0.550, 0.671]`."""
    interval = estimate.interval
    return f"{estimate.value:.3f}" + ("" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]")


def _unsettled(case: GateInput, open_question: str) -> str:
    return open_question if case.enough else "not settled on so few images"


def _rule_text(gate: Gate) -> str:
    return "better" if gate.rule is Rule.SUPERIORITY else f"not worse by more than {gate.margin:g}"


def _value_above(limit: float) -> Callable[[Estimate], bool]:
    return lambda found: found.value > limit


def _may_be_as_good(found: Estimate) -> bool:
    return found.interval is None or found.interval.high >= 0


def _group_name(figure: str) -> str:
    return figure.split("/", 1)[1].rsplit("/", 1)[0]
