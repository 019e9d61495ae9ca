"""The checks of a decision that need no test image: proof, choice on val, and a candidate that is there already.

The classes that a policy requires, and the floor under each class, as checks of a decision.

Every class must be above its limit by its own interval: a candidate that is bad in one class passes with at most the
error rate of that class's interval, however many classes are asked for, so that nothing has to be corrected.

Source: Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics 1982 (intersection-union).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.decision import Champion, Check, Outcome
from cv_yolo.domain.promotion.policy import Gate
from cv_yolo.domain.promotion.selection import Selection
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunRow


def proof(rows: Sequence[RunRow], proven: int) -> Check:
    """Whether any of the runs ended with weights that load and an evaluation."""
    return Check(
        name="proof",
        required="at least one run with weights that load and an evaluation",
        measured=f"{proven} of {len(rows)} runs",
        outcome=Outcome.PASSED if proven else Outcome.FAILED,
        sentence=f"{proven} of {len(rows)} runs ended with weights that load and an evaluation of their own.",
    )


def chosen_on_val(rows: Sequence[RunRow], selection: Selection) -> Check:
    """Which run val chose, and how far that can be told; choosing refuses nobody."""
    names = {row.run_id: row.name for row in rows}
    close = len(selection.within_noise)
    if not selection.differences:
        sentence = f"{names[selection.chosen]} is the only run that was scored."
    elif close == 1:
        sentence = f"{names[selection.chosen]} has the best {selection.metric} on val, beyond noise."
    else:
        sentence = f"{close} runs cannot be told apart by {selection.metric} on val; the cheapest of them is "
        sentence += f"{names[selection.chosen]}."
    return Check(
        name="selection",
        required=f"the cheapest of the runs that cannot be told from the best {selection.metric} on val",
        measured=f"{close} of {len(rows)} runs within noise",
        outcome=Outcome.PASSED,
        sentence=sentence,
    )


def is_champion(champion: Champion, stage: Stage) -> Check:
    """That the candidate is in the stage already."""
    return Check(
        name="champion",
        required=f"a version that is not in {stage} yet",
        measured="the same run",
        outcome=Outcome.PASSED,
        sentence=f"Version {champion.version} in {stage} is this run: nothing changes, no test image was looked at.",
    )


WORST_FIRST: Final = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED, Outcome.PASSED)

LimitCheck = Callable[[Estimate | None, float], Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    """One class of a check: how it ended, and what to say of it."""

    name: str
    check: Check
    outcome: Outcome
    text: str


def class_floors(gate: Gate, evaluation: Evaluation, check_limit: LimitCheck) -> Iterator[Check]:
    """One check for the required classes and one for the floor under each class, as far as the policy asks for them.

    `check_limit` checks one estimate against a limit.
    """
    classes = evaluation.subject.classes
    if required := gate.required_of(classes):
        least = dict.fromkeys(required, gate.required_boxes)
        yield _together(
            "required classes",
            f"{_counted(required)} with at least {gate.required_boxes} boxes in test, and ap_50 above 0",
            _each(evaluation, least, 0.0, check_limit),
        )
    if floored := gate.floored_of(classes):
        floor = gate.class_floor or 0.0
        yield _together(
            "class floor",
            f"ap_50 above {floor:g} for {_counted(floored)}",
            _each(evaluation, dict.fromkeys(floored, 1), floor, check_limit),
        )


def _each(
    evaluation: Evaluation, least_boxes: Mapping[str, int], limit: float, check_limit: LimitCheck
) -> tuple[_One, ...]:
    boxes = {curve.name: curve.truths for curve in evaluation.curves}
    found = []
    for name, least in least_boxes.items():
        check = check_limit(evaluation.figures.get(f"class/{name}/ap_50"), limit)
        outcome, text = check.outcome, f"{name} ({check.measured})"
        count = boxes.get(name, 0)
        if count < least and outcome is Outcome.PASSED:
            outcome = Outcome.UNDECIDED
        if count < least:
            text = f"{name} ({count} of {least} boxes)" if count else f"{name} (no boxes in test)"
        found.append(_One(name=name, check=check, outcome=outcome, text=text))
    return tuple(found)


def _together(name: str, required: str, each: Sequence[_One]) -> Check:
    """All classes of a check as one check: as bad as the worst of them."""
    by_outcome = {outcome: [one for one in each if one.outcome is outcome] for outcome in WORST_FIRST}
    worst = next(outcome for outcome in WORST_FIRST if by_outcome[outcome])
    lowest = min(by_outcome[worst], key=lambda one: one.check.estimate.value if one.check.estimate else -1.0)
    more = [one.check.more_images for one in by_outcome[Outcome.UNDECIDED]]
    known = [images for images in more if images is not None]
    return Check(
        name=name,
        required=required,
        measured=f"{len(by_outcome[Outcome.PASSED])} of {len(each)} shown; lowest: {lowest.text}",
        outcome=worst,
        sentence=_sentence(by_outcome, len(each)),
        estimate=lowest.check.estimate,
        limit=lowest.check.limit,
        more_images=max(known) if worst is Outcome.UNDECIDED and known and len(known) == len(more) else None,
    )


def _sentence(by_outcome: Mapping[Outcome, Sequence[_One]], count: int) -> str:
    said = {
        Outcome.FAILED: "Not above the limit",
        Outcome.UNDECIDED: "Not settled",
        Outcome.WAIVED: "Above the limit as far as so few images show",
    }
    parts = [
        f"{words}: {', '.join(one.text for one in by_outcome[outcome])}."
        for outcome, words in said.items()
        if by_outcome[outcome]
    ]
    return " ".join(parts) or ("The class is surely above." if count == 1 else f"All {count} classes are surely above.")


def _counted(names: Sequence[str]) -> str:
    return f"the class {names[0]}" if len(names) == 1 else f"each of {len(names)} classes"
