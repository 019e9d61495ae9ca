"""Findings of an examination as a table that people read, with what mends each failure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from cv_yolo.domain.health import Finding, duration_in_words

MARKS: Final = {True: "[green]✓[/]", False: "[red]✗[/]", None: "[dim]–[/]"}
INDENT: Final = 2


def print_findings(out: Console, findings: Sequence[Finding]) -> None:
    """A table for each service, its failures with expected, came and mend, and at the end how many there are."""
    width = max((len(finding.name) for finding in findings), default=0)
    for service, group in groupby(findings, key=lambda finding: finding.service):
        found = list(group)
        out.print(f"[bold]{escape(service)}[/]")
        out.print(Padding(_table(found, width), (0, 0, 0, INDENT), expand=False))
        for finding in found:
            if finding.passed is False:
                out.print()
                out.print(Padding(_failure(finding), (0, 0, 0, INDENT), expand=False))
        out.print()
    out.print(_summary(findings))


def _table(findings: Sequence[Finding], width: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, min_width=width)
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True, style="dim")
    for name, finding in _rows(findings):
        took = "" if finding.took_ms is None or finding.passed is None else duration_in_words(finding.took_ms)
        table.add_row(MARKS[finding.passed], escape(name), escape(finding.found), took)
    return table


def _rows(findings: Sequence[Finding]) -> Iterator[tuple[str, Finding]]:
    """A row each, but one for all in a row that were not tried for the same reason."""
    for _, group in groupby(enumerate(findings), key=lambda each: each[1].found if each[1].passed is None else each[0]):
        (_, first), *rest = group
        yield f"{len(rest) + 1} more" if rest else first.name, first


def _failure(finding: Finding) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, title=escape(finding.name), title_justify="left")
    table.title_style = "bold red"
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, text in (("expected", finding.expected), ("came", finding.found), ("mend", finding.remedy or "")):
        table.add_row(name, escape(text))
    return table


def _summary(findings: Sequence[Finding]) -> str:
    failed = sum(finding.passed is False for finding in findings)
    tried = sum(finding.passed is not None for finding in findings)
    if failed:
        return f"[red]{failed} of {tried} failed[/]"
    return f"[green]Healthy[/]: all {tried} as expected"
