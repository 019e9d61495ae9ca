"""A decision in plain sentences: what was decided and why, and how sure it is."""

from collections.abc import Iterator, Sequence
from typing import Final

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.decision import Champion, Check, Decision, Judgement, Outcome, Verdict
from cv_yolo.reports.tables.metric_rows import meaning
from cv_yolo.reports.text.comparison import images_text
from cv_yolo.reports.text.formatting import (
    count_text,
    difference_text,
    estimate_text,
    list_text,
    metric_text,
    ordinal_text,
    percent_text,
    plain_text,
)
from cv_yolo.reports.text.gaps import gap_title, missing_names
from cv_yolo.reports.view_models import DecisionReport


def verdict_title(decision: Decision) -> str:
    """The verdict as a heading, with what the candidate never finds."""
    missing = gap_title(decision.evaluation)
    if not missing:
        return _title(decision)
    return f"{_title(decision)}{', but ' if decision.promotes else '; '}{missing}"


def _title(decision: Decision) -> str:
    stage = decision.stage
    if decision.chosen is None:
        return "Nothing to promote"
    if decision.changes_nothing:
        return f"Already in {stage}: nothing changes"
    if decision.verdict is Verdict.REJECT:
        return f"Rejected: not promoted to {stage}"
    if not decision.promotes:
        return f"Inconclusive: not promoted to {stage}"
    if decision.verdict is Verdict.INCONCLUSIVE:
        return f"Promoted to {stage}, although inconclusive"
    return f"Promoted to {stage}, provisionally" if decision.provisional else f"Promoted to {stage}"


def verdict_sentence(report: DecisionReport) -> str:
    """What was decided, for which version, and why, in one sentence."""
    decision = report.decision
    if decision.changes_nothing:
        why = "nothing changes, and no test image was looked at"
    elif decision.verdict is Verdict.REJECT:
        why = _shortfalls(decision)
    else:
        why = _merits(decision) if decision.verdict is Verdict.PROMOTE else _doubts(decision)
    return f"{_what_was_decided(report)}: {why}."


def certainty_sentences(report: DecisionReport) -> tuple[str, ...]:
    """What the test images said, how sure that is, and how often they have been asked."""
    decision = report.decision
    if decision.judgement is None:
        return ("No test image was looked at.",)
    return tuple(_certainty(decision, decision.judgement))


def budget_warning(decision: Decision) -> str | None:
    """A warning where the test images have judged more often than the policy plans for."""
    use, budget = 0 if decision.judgement is None else decision.judgement.use, decision.policy.test_budget
    if use <= budget:
        return None
    return (
        f"This is the {ordinal_text(use)} decision on this test set, and the policy plans for {budget}: with each "
        "further one it is likelier that a version passes by luck. Judge the next ones on new test images."
    )


def selection_sentence(decision: Decision) -> str | None:
    """What val said about the runs; None where nothing had to be chosen."""
    selection = decision.selection
    if selection is None:
        return None
    names = {row.run_id: row.name for row in decision.rows}
    metric, close = metric_text(selection.metric), len(selection.within_noise)
    if not selection.differences:
        return f"{names[selection.chosen]} is the only run that was scored."
    if close == 1:
        return f"{names[selection.chosen]} has the best {metric} on the validation images, beyond noise."
    return (
        f"{count_text(close, 'run')} cannot be told apart by {metric} on the validation images; the cheapest of them, "
        f"{names[selection.chosen]}, was put forward."
    )


def _what_was_decided(report: DecisionReport) -> str:
    decision, version, row = report.decision, report.version, report.decision.chosen_row
    stage = decision.stage
    if row is None:
        return f"Nothing was promoted to {stage} and no version was registered"
    if decision.changes_nothing and decision.champion:
        return f"Version {decision.champion.version} (run {row.name}) holds {stage} already"
    if decision.promotes:
        if version is None:
            return f"Run {row.name} is to be promoted to {stage}, but no version is recorded"
        place = "" if decision.champion is None else f" in place of version {decision.champion.version}"
        return f"Version {version.version} (run {row.name}) was promoted to {stage}{place}"
    if version is None:
        return f"Run {row.name} was not promoted to {stage}"
    return f"Version {version.version} (run {row.name}) was registered but not promoted to {stage}"


def _merits(decision: Decision) -> str:
    waived = _named(decision, Outcome.WAIVED)
    checks = count_text(len(decision.checks), "check")
    if waived:
        passed = (
            f"it passed {len(decision.checks) - len(waived)} of {checks}, and the policy let {list_text(waived)} pass "
            "until there are enough test images"
        )
    else:
        passed = f"it passed {checks}" if len(decision.checks) == 1 else f"it passed all {checks}"
    missing = "" if decision.evaluation is None else missing_names(decision.evaluation)
    return f"{passed}; the policy does not require {missing}" if missing else passed


def _doubts(decision: Decision) -> str:
    open_ = _named(decision, Outcome.UNDECIDED)
    doubt = f"the {'check' if len(open_) == 1 else 'checks'} {list_text(open_)} could not be settled"
    return doubt if decision.accepted is None else f"{doubt}, and a person let it pass: “{decision.accepted}”"


def _shortfalls(decision: Decision) -> str:
    failed = [check for check in decision.checks if check.outcome is Outcome.FAILED]
    return " and ".join(
        f"the check “{check_name(check)}” failed (required: {plain_text(check.required)}; measured: "
        f"{plain_text(check.measured)})"
        for check in failed
    )


def _difference(difference: Estimate | None, champion: Champion) -> str:
    if difference is None:
        return f"It could not be compared with version {champion.version} by this figure."
    told = "unknown, since there is no interval" if difference.interval is None else meaning(difference)
    return (
        f"The difference from version {champion.version} on the same images is {difference_text(difference)}: {told}."
    )


def check_name(check: Check) -> str:
    """A check's name as people write it."""
    return plain_text(check.name)


def _named(decision: Decision, outcome: Outcome) -> Sequence[str]:
    return [f"“{check_name(check)}”" for check in decision.checks if check.outcome is outcome]


def _certainty(decision: Decision, judgement: Judgement) -> Iterator[str]:
    metric, candidate = decision.gate.metric, judgement.candidate
    name, sure = metric_text(metric), percent_text(candidate.resampling.confidence)
    yield (
        f"On {images_text(candidate)} its {name} is {estimate_text(candidate.figures.get(metric))}, with an interval "
        f"at {sure}."
    )
    if decision.champion is not None:
        yield _difference(judgement.differences.get(metric), decision.champion)
    else:
        yield "There was no champion to compare it with."
    if candidate.images < decision.policy.min_images:
        yield (
            f"The policy believes no interval on fewer than {count_text(decision.policy.min_images, 'test image')}: "
            "read these as hints."
        )
    if budget_warning(decision) is None:
        budget = decision.policy.test_budget
        yield f"This is the {ordinal_text(judgement.use)} decision on this test set; the policy plans for {budget}."


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
