"""A decision as Markdown: the file that is kept, one for each decision, never edited."""

import re
from collections.abc import Iterable, Sequence

from cv_yolo.domain.promotion import Check
from cv_yolo.reports.content import DecisionReport
from cv_yolo.reports.facts import Fact, data_facts, other_data, policy_facts, provenance_facts
from cv_yolo.reports.table import COLUMNS, NOTE, Line, decision_lines
from cv_yolo.reports.text import time_text
from cv_yolo.reports.wording import certainty_sentences, verdict_sentence, verdict_title

CHECK_COLUMNS = ("Check", "Required", "Measured", "Passed", "In words")
SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")


def decision_markdown(report: DecisionReport) -> str:
    """The written decision: verdict first, then the checks, the runs, the data and the provenance."""
    decision = report.decision
    lines = decision_lines(decision, report.failures)
    blocks = [
        f"# {_text(verdict_title(decision))}",
        f"**{_text(verdict_sentence(report))}**",
        f"Decision {_code(decision.id)}, made at {time_text(decision.made_at)} for the model "
        f"{_code(decision.policy.model)}.",
        "## Checks",
        _table(CHECK_COLUMNS, (_check_cells(check) for check in decision.checks)),
        "## How sure",
        _text(" ".join(certainty_sentences(report))),
        "## Runs",
        _table(("Run", *COLUMNS, "Status"), (_run_cells(line) for line in lines), numbers=len(COLUMNS)),
        NOTE,
        *_unfinished(lines),
        "## What it was measured on",
        *_warning(report),
        _facts(data_facts(report.manifest)),
        "## Policy",
        _facts(policy_facts(decision)),
        "## Provenance",
        _facts(provenance_facts(report)),
    ]
    return "\n\n".join(blocks) + "\n"


def _check_cells(check: Check) -> tuple[str, ...]:
    passed = "yes" if check.passed else "**no**"
    return (_text(check.name), _text(check.required), _text(check.measured), passed, _text(check.sentence))


def _run_cells(line: Line) -> tuple[str, ...]:
    name = f"**{_text(line.name)}** (best)" if line.best else _text(line.name)
    return (name, *line.cells, line.status)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A table; as many columns before the last as there are `numbers` are aligned to the right."""
    marks = ["---"] * (len(columns) - numbers - 1) + ["---:"] * numbers + ["---"]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, marks, *rows))


def _unfinished(lines: Iterable[Line]) -> tuple[str, ...]:
    items = [
        f"- **{_text(line.name)}** ({line.status}): {_text(line.reason)}" for line in lines if line.reason is not None
    ]
    return ("### Runs that did not finish", "\n".join(items)) if items else ()


def _warning(report: DecisionReport) -> tuple[str, ...]:
    warning = other_data(report.decision.rows, report.manifest)
    return () if warning is None else (f"**{_text(warning)}**",)


def _facts(facts: Iterable[Fact]) -> str:
    return "\n".join(
        f"- {_text(fact.label)}: {_code(fact.value) if fact.exact else _text(fact.value)}" for fact in facts
    )


def _text(text: str) -> str:
    """Any text on one line, with what Markdown and HTML would read as their own made harmless."""
    return SPECIAL.sub(r"\\\g<0>", _one_line(text).replace("&", "&amp;").replace("<", "&lt;"))


def _code(text: str) -> str:
    """Any text as it is, between more backticks than it holds in a row."""
    line = _one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence}{line}{fence}" if "`" not in line else f"{fence} {line} {fence}"


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
