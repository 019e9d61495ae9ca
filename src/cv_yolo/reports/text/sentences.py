"""A decision in sentences: what was decided and why, how sure it is, and what to do next."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.checks import Outcome, SelectionCheck
from cv_yolo.domain.promotion.decision import Champion, Decision, Judgement, Verdict
from cv_yolo.reports.tables.metric_rows import meaning
from cv_yolo.reports.text.checks import check_text
from cv_yolo.reports.text.comparison import images_text
from cv_yolo.reports.text.formatting import (
    count_text,
    difference_text,
    estimate_text,
    list_text,
    metric_text,
    ordinal_text,
    percent_text,
)
from cv_yolo.reports.text.gaps import gap_title, gaps_json, missing_names
from cv_yolo.reports.view_models import DecisionReport

REVISION: Final = 12  # characters of a revision


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
        why = "nothing changes, and the test images were not used"
    elif decision.verdict is Verdict.REJECT:
        why = _shortfalls(decision)
    else:
        why = _merits(decision) if decision.verdict is Verdict.PROMOTE else _doubts(decision)
    return f"{_what_was_decided(report)}: {why}."


def certainty_sentences(report: DecisionReport) -> tuple[str, ...]:
    """What the test images showed, how sure that is, and how often they have been used."""
    decision = report.decision
    if decision.judgement is None:
        return ("The test images were not used.",)
    return tuple(_certainty(decision, decision.judgement))


def budget_warning(decision: Decision) -> str | None:
    """A warning where the test images have judged more often than the policy plans for."""
    use, budget = 0 if decision.judgement is None else decision.judgement.use, decision.policy.test_budget
    if use <= budget:
        return None
    return (
        f"This is the {ordinal_text(use)} decision on this test set, and the policy allows {budget}: each further "
        "one makes it more likely that a version passes by chance. Use new test images for the next decisions."
    )


def data_warnings(decision: Decision) -> tuple[str, ...]:
    """What the data policy reports about the test images: that they are not those of the last decision."""
    return tuple(
        f"The last decision on this data set judged by other test images (revision {finding.subject[:REVISION]}, now "
        f"{finding.places[0][:REVISION]}): its metrics cannot be compared with these, and decisions are counted for "
        "each revision of the test images."
        for finding in decision.data_findings
    )


def warnings_json(decision: Decision | None) -> dict[str, Any]:
    """`warnings` as sentences, and `gaps` as data."""
    found = gaps_json(None if decision is None else decision.evaluation)
    return found if decision is None else found | {"warnings": [*found["warnings"], *data_warnings(decision)]}


def selection_sentence(decision: Decision) -> str | None:
    """What val said about the runs; None where nothing had to be chosen."""
    selection = decision.selection
    if selection is None:
        return None
    return check_text(SelectionCheck.of(decision.rows, selection)).sentence


def _what_was_decided(report: DecisionReport) -> str:
    decision, version, row = report.decision, report.version, report.decision.chosen_row
    stage = decision.stage
    if row is None:
        return f"Nothing was promoted to {stage} and no version was registered"
    if decision.changes_nothing and decision.champion:
        return f"Version {decision.champion.version} (run {row.name}) is already in {stage}"
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
            f"it passed {len(decision.checks) - len(waived)} of {checks}, and the policy waives {list_text(waived)} "
            "until there are enough test images"
        )
    else:
        passed = f"it passed {checks}" if len(decision.checks) == 1 else f"it passed all {checks}"
    missing = "" if decision.evaluation is None else missing_names(decision.evaluation)
    return f"{passed}; the policy does not require {missing}" if missing else passed


def _doubts(decision: Decision) -> str:
    open_ = _named(decision, Outcome.UNDECIDED)
    checks, are = ("check", "is") if len(open_) == 1 else ("checks", "are")
    doubt = f"the {checks} {list_text(open_)} {are} undecided"
    return doubt if decision.accepted is None else f"{doubt}, and a person accepted it: “{decision.accepted}”"


def _shortfalls(decision: Decision) -> str:
    failed = [check_text(check) for check in decision.checks if check.outcome is Outcome.FAILED]
    return " and ".join(
        f"the check “{text.title}” failed (required: {text.required}; measured: {text.measured})" for text in failed
    )


def _difference(difference: Estimate | None, champion: Champion) -> str:
    if difference is None:
        return f"This metric could not be compared with that of version {champion.version}."
    apart = "unknown, since there is no interval" if difference.interval is None else meaning(difference)
    return (
        f"The difference from version {champion.version} on the same images is {difference_text(difference)}: {apart}."
    )


def _named(decision: Decision, outcome: Outcome) -> Sequence[str]:
    return [f"“{check_text(check).title}”" for check in decision.checks if check.outcome is outcome]


def _certainty(decision: Decision, judgement: Judgement) -> Iterator[str]:
    metric, candidate = decision.gate.metric, judgement.candidate
    name, sure = metric_text(metric), percent_text(candidate.resampling.confidence)
    yield (
        f"Its {name} on {images_text(candidate)} is {estimate_text(candidate.figures.get(metric))} "
        f"({sure} confidence interval)."
    )
    if decision.champion is not None:
        yield _difference(judgement.differences.get(metric), decision.champion)
    else:
        yield "There was no champion to compare with."
    if candidate.images < decision.policy.min_images:
        yield (
            f"The policy requires at least {count_text(decision.policy.min_images, 'test image')} "
            "to trust an interval: treat these metrics as indicative."
        )
    if budget_warning(decision) is None:
        budget = decision.policy.test_budget
        yield f"This is the {ordinal_text(judgement.use)} decision on this test set; the policy allows {budget}."


ROUNDED_ABOVE: Final = 20  # a forecast is not that exact
ADVICE: Final = {
    "proof": "No run finished with proof: see the reasons under Runs, fix them, and train again.",
    "floor": "{name}: train longer, on more images or on larger ones, or lower the floor in the policy.",
    "required_classes": "{name}: check their labels, add training images of them, or require others in the policy.",
    "class_floor": "{name}: By class shows which ones fall short. Add training images of them, or lower `class_floor`.",
    "champion": "{name}: the champion stays. By class, Errors and Images show where the candidate falls behind it: "
    "train on more of that.",
    "classes": "{name}: By class shows which ones fall behind. Add training images of them, or widen `class_margin`.",
    "slices": "{name}: By slice shows which ones fall behind. Add training images like them, or widen `slice_margin`.",
    "latency": "{name}: use a smaller image size or network, or raise `max_latency_ms`.",
    "size": "{name}: use a smaller network, or raise `max_size_bytes`.",
}
OTHER_ADVICE: Final = "{name}: see the check below."  # of a kind that always passes, or of a former version


def next_steps(report: DecisionReport) -> tuple[str, ...]:
    """What to do now; `` `…` `` is what a person types."""
    return tuple(_steps(report))


def _steps(report: DecisionReport) -> Iterator[str]:
    decision = report.decision
    missing = "" if decision.evaluation is None else missing_names(decision.evaluation)
    if missing and decision.promotes:
        yield _detecting_all(missing)
    if decision.changes_nothing:
        yield "Nothing to do. To challenge it, train more runs with `cv-yolo grid`."
    elif decision.verdict is Verdict.REJECT:
        yield from _improving(decision)
    elif not decision.promotes:
        yield _settling(decision)
        yield f"To accept it anyway, on the record: `{_accepting(report)}`."
    else:
        if decision.verdict is Verdict.INCONCLUSIVE:
            yield _settling(decision)
        elif decision.provisional:
            yield _completing(decision)
        elif not missing:
            yield "Nothing to do."
        yield _undoing(decision)


def _detecting_all(names: str) -> str:
    return (
        f"Check the labels and the training images of {names}, and train again. `required_classes` and `class_floor` "
        "in the policy reject such a version."
    )


def _undoing(decision: Decision) -> str:
    if decision.champion is not None:
        return f"To undo it: `cv-yolo rollback --stage {decision.stage}`."
    return f'To undo it: `cv-yolo withdraw {decision.stage} --reason "why"`.'


def _improving(decision: Decision) -> Iterator[str]:
    for check in decision.checks:
        if check.outcome is Outcome.FAILED:
            title = check_text(check).title
            yield ADVICE.get(check.kind, OTHER_ADVICE).format(name=title[0].upper() + title[1:])


def _settling(decision: Decision) -> str:
    images = 0 if decision.judgement is None else decision.judgement.candidate.images
    more = decision.more_images
    if not images:
        return f"Add test images to the data set, at least {decision.policy.min_images}, and decide again."
    if more is None:
        return "More test images narrow the intervals: add some, and decide again."
    about = more if more <= ROUNDED_ABOVE else round(more, -1)
    return f"About {count_text(about, 'more test image')} would settle it, if the metrics stay the same."


def _completing(decision: Decision) -> str:
    images = 0 if decision.judgement is None else decision.judgement.candidate.images
    least = decision.policy.min_images
    return (
        f"Add {count_text(least - images, 'test image')}, to reach {least}, and decide again: only then does "
        "the whole gate apply."
    )


def _accepting(report: DecisionReport) -> str:
    version = "" if report.version is None else f" {report.version.version}"
    return f'cv-yolo promote{version} --to {report.decision.stage} --accept-inconclusive "reason"'
