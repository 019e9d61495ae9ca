"""A decision in plain sentences: what was decided and why, and how sure it is."""

from cv_yolo.domain.dataset import Split
from cv_yolo.domain.promotion import Decision, Verdict, rank
from cv_yolo.domain.runs import RunRow
from cv_yolo.reports.content import DecisionReport
from cv_yolo.reports.text import count_text, metric_text, score_text


def verdict_title(decision: Decision) -> str:
    """The verdict as a heading."""
    if decision.verdict is Verdict.PROMOTE:
        return f"Promoted to {decision.policy.alias}"
    return "Nothing to promote" if decision.chosen is None else f"Not promoted to {decision.policy.alias}"


def verdict_sentence(report: DecisionReport) -> str:
    """What was decided, for which version, and why, in one sentence."""
    decision = report.decision
    why = _merits(decision) if decision.verdict is Verdict.PROMOTE else _shortfalls(decision)
    return f"{_deed(report)}: {why}."


def certainty_sentences(report: DecisionReport) -> tuple[str, ...]:
    """What a reader must know before trusting the scores to the last digit, computed from the values."""
    ranked = rank(report.decision.rows, report.decision.policy.metric)
    if not ranked:
        return ("No run was scored: there is nothing to compare.",)
    manifest = report.manifest
    images, boxes = manifest.counts()[Split.VAL], manifest.box_counts()[Split.VAL]
    sentences = [
        f"This decision compares point estimates on {count_text(images, 'validation image')}; it carries no interval."
    ]
    if boxes:
        sentences.append(f"One annotated box of {boxes}, found or missed, moves recall by {score_text(1 / boxes)}.")
    if len(ranked) > 1:
        sentences.append(_lead(ranked[0], ranked[1], report.decision.policy.metric))
    return tuple(sentences)


def _deed(report: DecisionReport) -> str:
    decision, version, row = report.decision, report.version, report.decision.chosen_row
    alias = decision.policy.alias
    if row is None:
        return f"Nothing was promoted to {alias} and no version was registered"
    if decision.verdict is Verdict.PROMOTE:
        if version is None:
            return f"Run {row.name} is to be promoted to {alias}, but no version is recorded"
        return f"Version {version.version} (run {row.name}) was promoted to {alias}"
    if version is None:
        return f"Run {row.name} was not promoted to {alias}"
    return f"Version {version.version} (run {row.name}) was registered but not promoted to {alias}"


def _merits(decision: Decision) -> str:
    metric, row = decision.policy.metric, decision.chosen_row
    compared = len(rank(decision.rows, metric))
    place = "the only one compared" if compared == 1 else f"the best of {compared} runs"
    score = score_text(row.scores.get(metric) if row else None)
    checks = len(decision.checks)
    return f"its {metric_text(metric)} of {score} is {place}, and it passed {checks} of {count_text(checks, 'check')}"


def _shortfalls(decision: Decision) -> str:
    failed = [check for check in decision.checks if not check.passed]
    return "the policy requires " + "; and ".join(f"{each.required} (measured: {each.measured})" for each in failed)


def _lead(best: RunRow, second: RunRow, metric: str) -> str:
    difference = best.scores[metric] - second.scores[metric]
    if difference == 0:
        return f"{best.name} and {second.name} score the same {metric_text(metric)}: cost, then name, put one first."
    return f"{best.name} leads {second.name}, the next, by {score_text(difference)} {metric_text(metric)}."
