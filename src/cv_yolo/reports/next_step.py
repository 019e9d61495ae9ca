"""What a person does after a decision, in one to three sentences."""

from collections.abc import Iterator
from typing import Final

from cv_yolo.domain.promotion import Check, Decision, Outcome, Verdict
from cv_yolo.reports.content import DecisionReport
from cv_yolo.reports.gap_text import missing_names
from cv_yolo.reports.text import count_text
from cv_yolo.reports.wording import check_name

ROUNDED_ABOVE: Final = 20  # a forecast is not that exact
ADVICE: Final = {
    "proof": "No run ended with proof: the reasons stand under Runs. Mend them, and train again.",
    "floor": "{name}: train longer, on more images or with larger ones, or lower the floor in the policy.",
    "required": "{name}: look at their labels, add training images of them, or require others in the policy.",
    "class": "{name}: By class shows which ones fall short. Add training images of them, or lower `class_floor`.",
    "champion": "{name}: the champion stays. By class, Errors and Images show where the candidate falls behind it: "
    "train on more of that.",
    "classes": "{name}: By class shows which ones fall behind. Add training images of them, or widen `class_margin`.",
    "slices": "{name}: By slice shows which ones fall behind. Add training images like them, or widen `slice_margin`.",
    "latency": "{name}: take a smaller image size or network, or raise `max_latency_ms`.",
    "size": "{name}: take a smaller network, or raise `max_size_bytes`.",
}


def next_steps(report: DecisionReport) -> tuple[str, ...]:
    """What to do now; `` `…` `` is what a person types."""
    return tuple(_steps(report))


def _steps(report: DecisionReport) -> Iterator[str]:
    decision = report.decision
    missing = "" if decision.evaluation is None else missing_names(decision.evaluation)
    if missing and decision.promotes:
        yield _missing(missing)
    if decision.changes_nothing:
        yield "Nothing to do. `cv-yolo grid` trains other runs to challenge it."
    elif decision.verdict is Verdict.REJECT:
        yield from _mending(decision)
    elif not decision.promotes:
        yield _settling(decision)
        yield f"`{_accepting(report)}` lets it pass, on the record."
    else:
        if decision.verdict is Verdict.INCONCLUSIVE:
            yield _settling(decision)
        elif decision.provisional:
            yield _completing(decision)
        elif not missing:
            yield "Nothing to do."
        yield _taking_back(decision)


def _missing(names: str) -> str:
    return (
        f"Look at the labels and the training images of what is missing ({names}), and train again; `required_classes` "
        "and `class_floor` in the policy refuse such a version."
    )


def _taking_back(decision: Decision) -> str:
    if decision.champion is not None:
        return f"`cv-yolo rollback --stage {decision.stage}` takes it back."
    return f'`cv-yolo withdraw {decision.stage} --reason "why"` takes it out again.'


def _mending(decision: Decision) -> Iterator[str]:
    for check in decision.checks:
        if check.outcome is Outcome.FAILED:
            name = check_name(check)
            yield ADVICE.get(_kind(check), "{name}: see the check below.").format(name=name[0].upper() + name[1:])


def _kind(check: Check) -> str:
    return check.name.split(" ", 1)[0]


def _settling(decision: Decision) -> str:
    images = 0 if decision.judgement is None else decision.judgement.candidate.images
    more = decision.more_images
    if not images:
        return f"Add test images to the data set, at least {decision.policy.min_images}, and decide again."
    if more is None:
        return "More test images make the intervals shorter: add some, and decide again."
    about = more if more <= ROUNDED_ABOVE else round(more, -1)
    return f"About {count_text(about, 'more test image')} would settle it, if the figures stay as they are."


def _completing(decision: Decision) -> str:
    images = 0 if decision.judgement is None else decision.judgement.candidate.images
    least = decision.policy.min_images
    return (
        f"Add {count_text(least - images, 'test image')}, so that there are {least}, and decide again: only then is "
        "the whole gate asked."
    )


def _accepting(report: DecisionReport) -> str:
    version = "" if report.version is None else f" {report.version.version}"
    return f'cv-yolo promote{version} --to {report.decision.stage} --accept-inconclusive "reason"'
