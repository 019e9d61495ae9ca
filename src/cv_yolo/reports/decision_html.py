"""A decision as a page: the self-contained twin of its Markdown."""

from cv_yolo.domain.promotion import Check, Decision
from cv_yolo.reports.content import DecisionReport
from cv_yolo.reports.facts import data_facts, other_data, policy_facts, provenance_facts
from cv_yolo.reports.page import page, paragraph, section
from cv_yolo.reports.parts import curves, facts_list, runs_table, samples
from cv_yolo.reports.table import decision_lines
from cv_yolo.reports.text import escaped, metric_text, score_text, time_text
from cv_yolo.reports.wording import certainty_sentences, verdict_sentence, verdict_title

FIGURES = ("map_50", "map_50_95", "precision", "recall")


def decision_html(report: DecisionReport) -> str:
    """The written decision as one file that needs nothing else: the verdict first, the provenance last."""
    decision = report.decision
    warning = other_data(decision.rows, report.manifest)
    body = [
        _banner(report),
        _figures(decision),
        section("Checks", _checks(decision.checks)),
        section("How sure", paragraph(" ".join(certainty_sentences(report)))),
        section(
            "Runs", runs_table(decision_lines(decision, report.failures), "The runs that were compared, best first")
        ),
        section("Curves", curves(report.runs)),
        _samples(report),
        section(
            "What it was measured on",
            *([] if warning is None else [paragraph(warning, kind="warning")]),
            facts_list(data_facts(report.manifest)),
        ),
        section("Policy", facts_list(policy_facts(decision))),
        section("Provenance", facts_list(provenance_facts(report))),
    ]
    return page(f"{verdict_title(decision)} · {decision.policy.model}", "\n".join(filter(None, body)))


def _banner(report: DecisionReport) -> str:
    decision = report.decision
    kicker = f"{decision.policy.model} · decided {time_text(decision.made_at)}"
    return (
        f'<header class="banner {decision.verdict}">\n{paragraph(kicker, kind="kicker")}\n'
        f"<h1>{escaped(verdict_title(decision))}</h1>\n{paragraph(verdict_sentence(report))}\n</header>"
    )


def _figures(decision: Decision) -> str:
    row = decision.chosen_row
    if row is None:
        return ""
    items = "\n".join(
        f"<div><dt>{escaped(metric_text(name))}</dt><dd>{score_text(row.scores.get(name))}</dd></div>"
        for name in FIGURES
    )
    return f'<dl class="figures" aria-label="Scores of {escaped(row.name)}">\n{items}\n</dl>'


def _checks(checks: tuple[Check, ...]) -> str:
    return '<ul class="checks">\n' + "\n".join(_check(check) for check in checks) + "\n</ul>"


def _check(check: Check) -> str:
    kind, mark, word = ("passed", "✓", "passed") if check.passed else ("failed", "✕", "not passed")
    return (
        f'<li class="{kind}"><span class="mark" aria-hidden="true">{mark}</span><div>'
        f"<p><strong>{escaped(check.name)}</strong>: {word}</p>{paragraph(check.sentence)}"
        f"{paragraph(f'Required: {check.required}. Measured: {check.measured}.', kind='note')}</div></li>"
    )


def _samples(report: DecisionReport) -> str:
    chosen = next((run for run in report.runs if run.run.run_id == report.decision.chosen), None)
    sheet = None if chosen is None else samples(chosen)
    return "" if chosen is None or sheet is None else section(f"Sample predictions of {chosen.run.name}", sheet)
