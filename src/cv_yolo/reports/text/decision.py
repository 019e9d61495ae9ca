"""A decision as Markdown: the file that is kept, one for each decision, never edited."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cv_yolo.domain.promotion.checks import Check, Outcome
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.reports.tables.metric_rows import (
    FigureRow,
    Scores,
    class_rows,
    error_rows,
    main_rows,
    of_decision,
    slice_rows,
)
from cv_yolo.reports.tables.runs import NOTE, RunLine, decision_table
from cv_yolo.reports.text.checks import check_text
from cv_yolo.reports.text.formatting import difference_text, estimate_text, time_text
from cv_yolo.reports.text.gaps import beside_title
from cv_yolo.reports.text.provenance import (
    LabelledValue,
    data_facts,
    evaluation_facts,
    other_data,
    policy_facts,
    provenance_facts,
)
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

CHECK_COLUMNS: Final = ("", "Check", "Required", "Measured", "Outcome", "In words")
SIGNS: Final = {Outcome.PASSED: "✓", Outcome.FAILED: "✕", Outcome.UNDECIDED: "?", Outcome.WAIVED: "◐"}
MOST_ROWS: Final = 12
SPECIAL: Final = re.compile(r"[\\`*\[\]|~$]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
CODE: Final = re.compile(r"(`[^`]+`)")


def decision_markdown(report: DecisionReport) -> str:
    """The written decision: what was decided, how sure it is, what to do next; then the evidence and its origin."""
    decision = report.decision
    scores = of_decision(decision)
    blocks = [
        f"# {_text(verdict_title(decision))}",
        f"**{_text(verdict_sentence(report))}**",
        *_missing(decision),
        f"Decision {_code(decision.id)}, made at {time_text(decision.made_at)} for the model "
        f"{_code(decision.policy.model)}.",
        "## How sure",
        *_certainty(report),
        "## What to do next",
        " ".join(map(_typed, next_steps(report))),
        "## Checks",
        _table(CHECK_COLUMNS, (_check_cells(check) for check in decision.checks)),
        *(() if scores is None else _measured(scores)),
        *_runs(report),
        "## Data",
        *_warning(report),
        _facts(data_facts(report.manifest)),
        "## Policy",
        _facts(policy_facts(decision)),
        "## Provenance",
        _facts((*provenance_facts(report), *(() if scores is None else evaluation_facts(scores)))),
    ]
    return "\n\n".join(blocks) + "\n"


def _missing(decision: Decision) -> Iterator[str]:
    """What the candidate never finds beside what the title says, each group a line."""
    if sentences := beside_title(decision.evaluation):
        yield "\n".join(f"- {_text(sentence)}" for sentence in sentences)


def _certainty(report: DecisionReport) -> Iterator[str]:
    yield _text(" ".join(certainty_sentences(report)))
    if warning := budget_warning(report.decision):
        yield f"**{_text(warning)}**"
    for warning in data_warnings(report.decision):
        yield f"**{_text(warning)}**"


def _check_cells(check: Check) -> tuple[str, ...]:
    outcome, text = check.outcome.value if check.passed else f"**{check.outcome}**", check_text(check)
    return (
        SIGNS[check.outcome],
        _text(text.title),
        _text(text.required),
        _text(text.measured),
        outcome,
        _text(text.sentence),
    )


def _measured(scores: Scores) -> Iterator[str]:
    """What the test images said, a table for each kind of figure."""
    yield "## Metrics"
    yield _figures_table("Metric", scores, main_rows(scores))
    for heading, first, rows in (
        ("By class, AP50", "Class", class_rows(scores)),
        ("By slice, mAP50", "Slice", slice_rows(scores)),
        ("Errors: what each type costs in mAP50", "Type", error_rows(scores)),
    ):
        if rows:
            yield f"### {heading}"
            yield _figures_table(first, scores, rows[:MOST_ROWS])
            if len(rows) > MOST_ROWS:
                yield f"The other {len(rows) - MOST_ROWS} are on the page beside this file."


def _figures_table(first: str, scores: Scores, rows: Iterable[FigureRow]) -> str:
    columns = [first, *map(_text, scores.names), *(["Difference", "Meaning"] if scores.pair else []), "Note"]
    return _table(columns, (_figure_cells(row, scores) for row in rows), numbers=len(columns) - 2)


def _figure_cells(row: FigureRow, scores: Scores) -> tuple[str, ...]:
    apart = (difference_text(row.difference), row.meaning) if scores.pair else ()
    return (_text(row.label), *map(estimate_text, row.values), *apart, _text(row.note))


def _runs(report: DecisionReport) -> Iterator[str]:
    table = decision_table(report)
    yield "## Runs"
    if chosen_on_val := selection_sentence(report.decision):
        yield _text(chosen_on_val)
    columns = ("Run", *table.columns, "Status")
    yield _table(columns, map(_run_cells, table.lines), numbers=len(table.columns))
    yield NOTE
    yield from _unfinished(table.lines)


def _run_cells(line: RunLine) -> tuple[str, ...]:
    name = f"**{_text(line.name)}**" if line.chosen else _text(line.name)
    marks = f" ({', '.join(line.marks)})" if line.marks else ""
    return (f"{name}{marks}", *line.cells, line.status)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: int = 0) -> str:
    """A table; as many columns before the last as there are `numbers` are aligned to the right."""
    marks = ["---"] * (len(columns) - numbers - 1) + ["---:"] * numbers + ["---"]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, marks, *rows))


def _unfinished(lines: Iterable[RunLine]) -> tuple[str, ...]:
    items = [
        f"- **{_text(line.name)}** ({line.status}): {_text(line.reason)}" for line in lines if line.reason is not None
    ]
    return ("### Runs that did not finish", "\n".join(items)) if items else ()


def _warning(report: DecisionReport) -> tuple[str, ...]:
    warning = other_data(report.decision.rows, report.manifest)
    return () if warning is None else (f"**{_text(warning)}**",)


def _facts(facts: Iterable[LabelledValue]) -> str:
    return "\n".join(
        f"- {_text(fact.label)}: {_code(fact.value) if fact.exact else _text(fact.value)}" for fact in facts
    )


def _typed(sentence: str) -> str:
    """A sentence in which `` `…` `` is what a person types."""
    return "".join(
        _code(part[1:-1]) if CODE.fullmatch(part) else _text(part, edges=True) for part in CODE.split(sentence)
    )


def _text(text: str, *, edges: bool = False) -> str:
    """Any text on one line, with what Markdown and HTML would read as their own made harmless."""
    line = _one_line(text)
    if edges:  # the spaces around it stay
        line = f"{' ' * text.startswith(' ')}{line}{' ' * text.endswith(' ')}"
    return SPECIAL.sub(r"\\\g<0>", line.replace("&", "&amp;").replace("<", "&lt;"))


def _code(text: str) -> str:
    """Any text as it is, between more backticks than it holds in a row."""
    line = _one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", line)), default=0) + 1)
    return f"{fence}{line}{fence}" if "`" not in line else f"{fence} {line} {fence}"


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
