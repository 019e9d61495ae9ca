"""A decision in the terminal, and what it means for the exit code."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.markup import escape

from cv_yolo.cli.options import given_reason
from cv_yolo.cli.output.metric_tables import print_gaps
from cv_yolo.cli.output.tables import console, rows_table
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Decision, Verdict
from cv_yolo.errors import PolicyRefusedError
from cv_yolo.reports.text.checks import check_text
from cv_yolo.reports.text.formatting import metric_text
from cv_yolo.reports.text.gaps import gap_title
from cv_yolo.reports.text.sentences import data_warnings

MARKS: Final = {
    Outcome.PASSED: "[green]✓[/]",
    Outcome.FAILED: "[red]✗[/]",
    Outcome.UNDECIDED: "[yellow]?[/]",
    Outcome.WAIVED: "[yellow]~[/]",
}


accept_option = click.option(
    "--accept-inconclusive",
    metavar="REASON",
    callback=given_reason,
    help="Accept an inconclusive decision; the reason is recorded.",
)


def print_decision(decision: Decision, written: Path | None, root: Path) -> None:
    """The last lines of a grid or a promotion: the table, the decision, what to do next."""
    out = console()
    out.print()
    print_gaps(out, decision.evaluation)
    selection = decision.selection
    close = selection.within_noise if selection is not None and len(selection.within_noise) > 1 else ()
    out.print(rows_table(decision.rows, chosen=decision.chosen, within_noise=close))
    if close:
        out.print(f"[dim]≈ within noise of the best {metric_text(decision.policy.selection_metric)} on val[/]")
    for row in decision.failed_rows:
        out.print(f"[red]{escape(row.name)} {row.status}:[/] {escape(row.reason or 'no reason recorded')}")
    out.print()
    all_well = decision.promotes and not gap_title(decision.evaluation) and not decision.has_data_errors
    out.print(f"[bold {'green' if all_well else 'yellow'}]{escape(headline(decision))}[/]")
    for check in decision.checks:
        out.print(f"  {MARKS[check.outcome]} {escape(check_text(check).sentence)}")
    _print_next(out, decision)
    if written is not None:
        page = written.relative_to(root) if written.is_relative_to(root) else written
        out.print(f"The decision:     {page} (and .md)")
    out.print("All runs:         cv-yolo runs          One run:  cv-yolo show RUN")
    out.print("Versions:         cv-yolo models        Pages of MLflow and ZenML:  cv-yolo ui")


def headline(decision: Decision) -> str:
    """What was decided, in one line, with what the candidate never detects."""
    row, where = decision.chosen_row, f"{decision.stage} of {decision.policy.model}"
    if row is None:
        outcome = f"nothing to promote to {where}"
    elif decision.changes_nothing:
        outcome = f"{row.name} is already in {where}"
    elif decision.promotes:
        accepted = "accepted although inconclusive, " if decision.verdict is Verdict.INCONCLUSIVE else ""
        outcome = f"{accepted}promoted {row.name} to {where}{' (provisional)' if decision.provisional else ''}"
    else:
        reason = "rejected" if decision.verdict is Verdict.REJECT else "inconclusive"
        outcome = f"{reason}, {row.name} is not promoted to {where}"
    missing = gap_title(decision.evaluation)
    return f"Decision {decision.id}: {outcome}{f'; {missing}' if missing else ''}"


def require_promotion(decision: Decision, written: Path | None) -> None:
    """Raise `PolicyRefusedError` where the version did not get its stage."""
    if decision.promotes:
        return
    refusing = [check for check in decision.checks if check.outcome in {Outcome.FAILED, Outcome.UNDECIDED}]
    why = "inconclusive" if decision.verdict is Verdict.INCONCLUSIVE else "not promoted"
    more = f" (and {len(refusing) - 1} more)" if len(refusing) > 1 else ""
    raise PolicyRefusedError(f"{why}: {check_text(refusing[0]).sentence}{more}", hint=f"the decision: {written}")


def _print_next(out: Console, decision: Decision) -> None:
    judgement, budget = decision.judgement, decision.policy.test_budget
    if judgement is not None:
        spent = f" [yellow](the policy allows {budget})[/]" if judgement.use > budget else ""
        out.print(f"  Decision number {judgement.use} on these test images{spent}.")
    for warning in data_warnings(decision):
        out.print(f"  [yellow]Warning:[/] {escape(warning)}")
    if decision.verdict is Verdict.INCONCLUSIVE:
        more = decision.more_images
        if more is not None:
            out.print(f"  About {more} more test images would settle it.")
        out.print('  To accept it anyway, on the record: --accept-inconclusive "reason"')
    out.print()
