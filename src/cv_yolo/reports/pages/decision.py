"""A decision as a page: the self-contained twin of its Markdown."""

from collections.abc import Iterator
from typing import Final

from cv_yolo.domain.promotion.decision import Check, Decision, Outcome, Verdict
from cv_yolo.reports.charts.axes import Axis, axis_over
from cv_yolo.reports.charts.forest_plot import Lane, interval_plot, scale
from cv_yolo.reports.charts.icons import icon
from cv_yolo.reports.pages.evaluation import measured_parts
from cv_yolo.reports.pages.image_gallery import Gallery, changed_images, gallery_style, worst_images
from cv_yolo.reports.pages.page import Part, folded, page, paragraph, parts_html, warnings
from cv_yolo.reports.pages.sections import curves, facts_list, runs_table, samples
from cv_yolo.reports.tables.metric_rows import Scores, of_decision
from cv_yolo.reports.tables.runs import decision_table
from cv_yolo.reports.text.formatting import escaped, plain_text, time_text
from cv_yolo.reports.text.gaps import beside_title, gap_title
from cv_yolo.reports.text.provenance import data_facts, evaluation_facts, other_data, policy_facts, provenance_facts
from cv_yolo.reports.text.sentences import (
    budget_warning,
    certainty_sentences,
    check_name,
    next_steps,
    selection_sentence,
    verdict_sentence,
    verdict_title,
)
from cv_yolo.reports.view_models import DecisionReport

KINDS: Final = {
    Outcome.PASSED: "good",
    Outcome.WAIVED: "open",
    Outcome.UNDECIDED: "open",
    Outcome.FAILED: "bad",
}


def decision_html(report: DecisionReport) -> str:
    """The written decision as one file that needs nothing else: the verdict first, the provenance last."""
    decision = report.decision
    scores = of_decision(decision)
    gallery = None if scores is None else _gallery(report, scores)
    parts = (
        Part(id="checks", heading="Checks", contents=(_checks(decision.checks),)),
        *(() if scores is None else measured_parts(scores, gallery)),
        *_runs(report),
        *_records(report, scores),
    )
    return page(
        f"{verdict_title(decision)} · {decision.policy.model}",
        f"{_banner(report)}\n{parts_html(parts)}",
        style="" if gallery is None else gallery_style(gallery),
    )


def outcome_of(decision: Decision) -> Outcome:
    """The whole decision as one outcome: how its page looks."""
    if decision.verdict is Verdict.REJECT or decision.chosen is None:
        return Outcome.FAILED
    if not decision.promotes:
        return Outcome.UNDECIDED
    return Outcome.WAIVED if decision.provisional else Outcome.PASSED


def _banner(report: DecisionReport) -> str:
    decision = report.decision
    outcome, warning = outcome_of(decision), budget_warning(decision)
    missing = gap_title(decision.evaluation)
    if missing and outcome is Outcome.PASSED:
        outcome = Outcome.WAIVED  # no page is green whose title names what is missing
    kicker = f"{decision.policy.model} · decision {decision.id} · {time_text(decision.made_at)}"
    sure = "".join(map(paragraph, certainty_sentences(report)))
    sure += "" if warning is None else paragraph(warning, kind="warning")
    steps = "".join(map(paragraph, next_steps(report)))
    return (
        f'<header class="banner {KINDS[outcome]}">\n{paragraph(kicker, kind="kicker")}\n'
        f"<h1>{icon(outcome)}<span>{escaped(verdict_title(decision))}</span></h1>\n"
        f"{paragraph(verdict_sentence(report), kind='lead')}\n{warnings(beside_title(decision.evaluation))}"
        f'<dl class="brief"><div><dt>How sure</dt><dd>{sure}</dd></div>'
        f"<div><dt>What to do next</dt><dd>{steps}</dd></div></dl>\n</header>"
    )


def _checks(checks: tuple[Check, ...]) -> str:
    return '<ul class="checks">\n' + "\n".join(map(_check, checks)) + "\n</ul>"


def _check(check: Check) -> str:
    told = f"Required: {plain_text(check.required)}. Measured: {plain_text(check.measured)}."
    return (
        f'<li class="{check.outcome}">{icon(check.outcome)}<div>'
        f"<p><strong>{escaped(check_name(check))}</strong>: <em>{check.outcome}</em></p>"
        f"{paragraph(plain_text(check.sentence))}{paragraph(told, kind='note')}</div>{_measured(check)}</li>"
    )


def _measured(check: Check) -> str:
    """The interval, against the limit that it must exceed."""
    estimate, limit = check.estimate, check.limit
    if estimate is None or limit is None:
        return ""
    interval = estimate.interval
    ends = () if interval is None else (interval.low, interval.high)
    axis: Axis = axis_over((estimate.value, limit, *ends), rounded=True, ticks=3)
    drawn = interval_plot(axis, [Lane(estimate=estimate, kind=KINDS[check.outcome])], line_at=limit)
    return f'<div class="drawn"><div>{drawn}</div>{scale(axis, "")}</div>'


def _gallery(report: DecisionReport, scores: Scores) -> Gallery | None:
    if report.comparison is not None and scores.pair:
        return changed_images((scores.names[0], scores.names[1]), report.comparison, report.thumbnails)
    if report.annotated:
        return worst_images(scores.names[-1], scores.subject.subject.classes, report.annotated, report.thumbnails)
    return None


def _runs(report: DecisionReport) -> Iterator[Part]:
    chosen_on_val = selection_sentence(report.decision)
    table = runs_table(decision_table(report), "The runs that were compared, best on val first")
    sheet = next((samples(run) for run in report.runs if run.run.run_id == report.decision.chosen), None)
    folds = () if sheet is None else (folded("Sample predictions on the validation images", sheet),)
    words = () if chosen_on_val is None else (paragraph(chosen_on_val),)
    yield Part(id="runs", heading="Runs", contents=(*words, table, *folds))
    yield Part(id="training", heading="Training", contents=(curves(report.runs),))


def _records(report: DecisionReport, scores: Scores | None) -> Iterator[Part]:
    decision = report.decision
    warning = other_data(decision.rows, report.manifest)
    warnings = () if warning is None else (paragraph(warning, kind="warning"),)
    yield Part(id="data", heading="Data", contents=(*warnings, facts_list(data_facts(report.manifest))))
    yield Part(id="policy", heading="Policy", contents=(facts_list(policy_facts(decision)),))
    origin = (*provenance_facts(report), *(() if scores is None else evaluation_facts(scores)))
    yield Part(id="provenance", heading="Provenance", contents=(facts_list(origin),))
