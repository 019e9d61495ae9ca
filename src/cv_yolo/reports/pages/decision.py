"""A decision as a self-contained HTML page, with the content of its Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cv_yolo.domain.promotion.checks import Check, Outcome
from cv_yolo.domain.promotion.decision import Decision, Verdict
from cv_yolo.reports.charts.axes import axis_over
from cv_yolo.reports.charts.forest_plot import Lane, interval_plot, scale
from cv_yolo.reports.charts.icons import icon
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.evaluation import measured_parts
from cv_yolo.reports.pages.image_gallery import Gallery, changed_images, gallery_style, worst_images
from cv_yolo.reports.pages.page import NOTHING, Part, folded, page, paragraph, parts_html
from cv_yolo.reports.pages.sections import curves, facts_list, runs_table, samples
from cv_yolo.reports.tables.metric_rows import Scores, of_decision
from cv_yolo.reports.tables.runs import decision_table
from cv_yolo.reports.templates import render
from cv_yolo.reports.text.checks import check_text
from cv_yolo.reports.text.formatting import time_text
from cv_yolo.reports.text.gaps import beside_title, gap_title
from cv_yolo.reports.text.provenance import data_facts, evaluation_facts, other_data, policy_facts, provenance_facts
from cv_yolo.reports.text.sentences import (
    budget_warning,
    certainty_sentences,
    data_warnings,
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
        _body(report, parts),
        style=NOTHING if gallery is None else gallery_style(gallery),
    )


def outcome_of(decision: Decision) -> Outcome:
    """The whole decision as one outcome: how its page looks."""
    if decision.verdict is Verdict.REJECT or decision.chosen is None:
        return Outcome.FAILED
    if not decision.promotes:
        return Outcome.UNDECIDED
    return Outcome.WAIVED if decision.provisional else Outcome.PASSED


def _body(report: DecisionReport, parts: Sequence[Part]) -> Html:
    """The banner with the verdict, how sure it is and what to do next; then the parts."""
    decision = report.decision
    outcome = outcome_of(decision)
    if (gap_title(decision.evaluation) or decision.has_data_errors) and outcome is Outcome.PASSED:
        outcome = Outcome.WAIVED  # no page is green that names what is missing, or an error of the data policy
    return render(
        "decision.html.j2",
        kind=KINDS[outcome],
        sign=icon(outcome),
        kicker=f"{decision.policy.model} · decision {decision.id} · {time_text(decision.made_at)}",
        heading=verdict_title(decision),
        verdict=verdict_sentence(report),
        missing=beside_title(decision.evaluation),
        certainty=certainty_sentences(report),
        warnings=tuple(filter(None, (budget_warning(decision), *data_warnings(decision)))),
        steps=next_steps(report),
        parts=parts_html(parts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _CheckView:
    """One check as it is shown; `plot` is its interval against its limit, over a `scale`."""

    outcome: str
    sign: Html
    name: str
    sentence: str
    note: str
    plot: Html | None = None
    scale: Html | None = None


def _checks(checks: Sequence[Check]) -> Html:
    return render("checks.html.j2", checks=[_check(check) for check in checks])


def _check(check: Check) -> _CheckView:
    text = check_text(check)
    view = _CheckView(
        outcome=check.outcome,
        sign=icon(check.outcome),
        name=text.title,
        sentence=text.sentence,
        note=f"Required: {text.required}. Measured: {text.measured}.",
    )
    estimate, limit = text.estimate, text.limit
    if estimate is None or limit is None:
        return view
    ends = () if estimate.interval is None else (estimate.interval.low, estimate.interval.high)
    axis = axis_over((estimate.value, limit, *ends), rounded=True, ticks=3)
    lanes = [Lane(estimate=estimate, kind=KINDS[check.outcome])]
    return replace(view, plot=interval_plot(axis, lanes, line_at=limit), scale=scale(axis, ""))


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
