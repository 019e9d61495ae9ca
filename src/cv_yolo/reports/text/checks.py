"""The checks of a decision in words: the same in HTML, in Markdown, in the terminal and in `--json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.checks import (
    AlreadyInStageCheck,
    BudgetCheck,
    ChampionCheck,
    Check,
    ClassFloorCheck,
    ClassResult,
    FloorCheck,
    GroupsCheck,
    ImageCountCheck,
    Outcome,
    ProofCheck,
    RecordedCheck,
    SelectionCheck,
)
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.reports.text.formatting import count_text, difference_text, estimate_text, metric_text, number_text

UNKNOWN: Final = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckText:
    """What a report prints about one check; `estimate` and `limit` are what a chart draws, where there is one."""

    title: str
    required: str
    measured: str
    sentence: str
    estimate: Estimate | None = None
    limit: float | None = None


def check_text(check: Check) -> CheckText:  # noqa: PLR0911 - one case for each kind, and mypy counts them
    """One check in words."""
    match check:
        case ProofCheck():
            return _proof(check)
        case SelectionCheck():
            return _selection(check)
        case AlreadyInStageCheck():
            return _already_in_stage(check)
        case ImageCountCheck():
            return _test_images(check)
        case FloorCheck():
            return _floor(check)
        case ChampionCheck():
            return _champion(check)
        case ClassFloorCheck():
            return _class_floor(check)
        case GroupsCheck():
            return _groups(check)
        case BudgetCheck():
            return _budget(check)
        case _:
            return _recorded(check)


def checks_json(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks for machines: as text, as numbers, and in `data` everything that its kind holds."""
    return [_check_json(check, check_text(check)) for check in checks]


def _check_json(check: Check, text: CheckText) -> dict[str, Any]:
    return {
        "kind": check.kind,
        "name": check_name(check),
        "required": text.required,
        "measured": text.measured,
        "outcome": check.outcome,
        "sentence": text.sentence,
        "estimate": None if text.estimate is None else asdict(text.estimate),
        "limit": text.limit,
        "more_images": check.more_images,
        "data": asdict(check),
    }


def check_name(check: Check) -> str:
    """A check's stable name in `--json`: its kind, for a floor with the metric."""
    match check:
        case RecordedCheck():
            return check.name
        case FloorCheck():
            return f"floor {check.metric}"
        case AlreadyInStageCheck():
            return "champion"
        case _:
            return check.kind.replace("_", " ")


def _proof(check: ProofCheck) -> CheckText:
    measured = f"{check.proven} of {count_text(check.runs, 'run')}"
    return CheckText(
        title="proof",
        required="at least one run with weights that load and an evaluation",
        measured=measured,
        sentence=f"{measured} finished with weights that load and an evaluation.",
    )


def _selection(check: SelectionCheck) -> CheckText:
    metric = metric_text(check.metric)
    return CheckText(
        title="selection",
        required=f"the cheapest run within noise of the best {metric} on val",
        measured=f"{check.within_noise} of {count_text(check.runs, 'run')} within noise",
        sentence=selection_text(check.chosen, metric, within_noise=check.within_noise, scored=check.scored),
    )


def selection_text(chosen: str, metric: str, *, within_noise: int, scored: int) -> str:
    """Why this run was chosen on val."""
    if scored == 1:
        return f"{chosen} is the only run with scores."
    if within_noise == 1:
        return f"{chosen} has the best {metric} on val, and no other run is within noise of it."
    return f"{within_noise} runs are within noise of the best {metric} on val; {chosen} is the cheapest of them."


def _already_in_stage(check: AlreadyInStageCheck) -> CheckText:
    return CheckText(
        title="champion",
        required=f"a version that is not in {check.stage} yet",
        measured="the same run",
        sentence=f"Version {check.version} in {check.stage} is this run: nothing changes, and no test image was used.",
    )


def _test_images(check: ImageCountCheck) -> CheckText:
    images = f"{count_text(check.measured, 'test image')} {'is' if check.measured == 1 else 'are'}"
    if check.passed:
        sentence = f"{images} enough to trust an interval."
    elif not check.measured:
        sentence = "The data set has no test images, so nothing can be judged."
    elif check.outcome is Outcome.WAIVED:
        sentence = f"{images} fewer than {check.required}: a promotion to {check.stage} can only be provisional."
    else:
        sentence = f"{images} fewer than {check.required}: too few to trust an interval."
    return CheckText(
        title="test images", required=f"at least {check.required}", measured=str(check.measured), sentence=sentence
    )


def _floor(check: FloorCheck) -> CheckText:
    metric, floor = metric_text(check.metric), f"the floor of {number_text(check.required)}"
    measured = UNKNOWN if check.measured is None else estimate_text(check.measured)
    position = {
        Outcome.PASSED: f"above {floor}",
        Outcome.FAILED: f"not above {floor}",
        Outcome.WAIVED: f"above {floor}, but on too few images to be sure",
        Outcome.UNDECIDED: _undecided(check.measured, floor, few_images=check.few_images),
    }[check.outcome]
    return CheckText(
        title=f"floor {metric}",
        required=f"above {number_text(check.required)}",
        measured=measured,
        sentence=f"{metric} is {measured}: {position}.",
        estimate=check.measured,
        limit=check.required,
    )


def _champion(check: ChampionCheck) -> CheckText:
    metric, margin, superior = metric_text(check.metric), number_text(-check.required), check.rule is Rule.SUPERIORITY
    rule = "better" if superior else f"not worse by more than {margin}"
    if check.version is None:
        return CheckText(
            title="champion",
            required=f"{metric}: {rule}",
            measured="no champion",
            sentence=f"No version is in {check.stage}: a first promotion is judged by its floors only.",
        )
    measured = UNKNOWN if check.measured is None else difference_text(check.measured)
    limit = number_text(check.required)
    position = {
        Outcome.PASSED: rule,
        Outcome.FAILED: "not better" if superior else "worse" if check.few_images else f"worse by more than {margin}",
        Outcome.WAIVED: "not shown to be worse than a champion that is provisional itself",
        Outcome.UNDECIDED: _undecided(check.measured, f"the limit of {limit}", few_images=check.few_images),
    }[check.outcome]
    return CheckText(
        title="champion",
        required=f"{metric}: {rule}",
        measured=measured,
        sentence=f"The difference in {metric} from version {check.version} in {check.stage} is {measured}: {position}.",
        estimate=check.measured,
        limit=check.required,
    )


def _undecided(measured: Estimate | None, limit: str, *, few_images: bool) -> str:
    if measured is None:
        return "it could not be measured"
    if measured.interval is None:
        return "there is no interval to compare with the limit"
    return "too few images to decide" if few_images else f"the interval includes {limit}, so it is undecided"


def _class_floor(check: ClassFloorCheck) -> CheckText:
    count, metric, limit = len(check.classes), metric_text(check.metric), number_text(check.required)
    names = f"the class {check.classes[0].name}" if count == 1 else f"each of {count} classes"
    if check.kind == "required_classes":
        boxes = count_text(check.required_boxes, "test box", "test boxes")
        required = f"{names} with at least {boxes}, and {metric} above {limit}"
    else:
        required = f"{metric} above {limit} for {names}"
    parts = [
        f"{words}: {', '.join(_class_text(each, check.required_boxes) for each in check.by_outcome[outcome])}."
        for outcome, words in (
            (Outcome.FAILED, "Not above the limit"),
            (Outcome.UNDECIDED, "Undecided"),
            (Outcome.WAIVED, "Above the limit, but on too few images to be sure"),
        )
        if check.by_outcome[outcome]
    ]
    all_above = f"The {metric} of {check.classes[0].name if count == 1 else f'all {count} classes'} is above {limit}."
    return CheckText(
        title=check.kind.replace("_", " "),
        required=required,
        measured=f"{len(check.by_outcome[Outcome.PASSED])} of {count} passed; "
        f"lowest: {_class_text(check.lowest, check.required_boxes)}",
        sentence=" ".join(parts) or all_above,
        estimate=check.lowest.measured,
        limit=check.required,
    )


def _class_text(result: ClassResult, least: int) -> str:
    """`helmet (0.512 [0.400, 0.610])`, or what is missing to judge it."""
    if result.boxes == 0:
        return f"{result.name} (no test boxes)"
    if result.boxes < least:
        return f"{result.name} ({result.boxes} of {count_text(least, 'test box', 'test boxes')})"
    return f"{result.name} ({UNKNOWN if result.measured is None else estimate_text(result.measured)})"


def _groups(check: GroupsCheck) -> CheckText:
    one, margin = {"classes": "class", "slices": "slice"}[check.kind], number_text(-check.required)
    if check.worse:
        sentence = f"Worse than the champion by more than {margin}: {', '.join(check.worse)}."
    elif not check.compared:
        sentence = f"Undecided: no {one} is in enough test images for an interval."
    elif check.least_resamples is not None:
        sentence = (
            f"Undecided: {check.resamples} resamples are too few for any {one} to fail; "
            f"at least {check.least_resamples} are needed."
        )
    else:
        sentence = f"No {one} is shown to be worse than the champion's by more than {margin}."
    if check.not_compared:
        sentence += f" In too few test images to be compared: {', '.join(check.not_compared)}."
    return CheckText(
        title=check.kind,
        required=f"no {one} shown to be worse by more than {margin} (Holm correction for {check.compared})",
        measured=f"lowest: {check.lowest} {difference_text(check.measured)}",
        sentence=sentence,
        estimate=check.measured,
        limit=check.required,
    )


def _budget(check: BudgetCheck) -> CheckText:
    measured = "not measured" if check.measured is None else _amount(check, check.measured)
    most = _amount(check, check.required)
    return CheckText(
        title=check.kind,
        required=f"at most {most}",
        measured=measured,
        sentence=f"The {check.kind} is {measured}; the policy allows {most}.",
    )


def _amount(check: BudgetCheck, value: float) -> str:
    return f"{value:.4g} ms" if check.kind == "latency" else f"{value:.0f} bytes"


def _recorded(check: RecordedCheck) -> CheckText:
    return CheckText(
        title=check.name,
        required=check.required,
        measured=check.measured,
        sentence=check.sentence,
        estimate=check.estimate,
        limit=check.limit,
    )
