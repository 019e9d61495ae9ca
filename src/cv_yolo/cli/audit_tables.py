"""Tables of the audit log and of where the registries differ from it."""

from collections.abc import Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from cv_yolo.domain.audit import Action, Entry
from cv_yolo.workflows.follow_log import Difference, Side

STYLES: Final = {
    Action.PROMOTED: "green",
    Action.ROLLED_BACK: "yellow",
    Action.WITHDRAWN: "red",
    Action.JUDGED: "",
    Action.ADOPTED: "cyan",
}
COLUMNS: Final = ("#", "when", "what", "version", "stage", "before", "decision", "by", "reason")
WIDTH_WITH_ALL: Final = 100
REGISTRIES: Final = {Side.TRACKING: "MLflow", Side.PIPELINE: "ZenML"}


def history_table(entries: Sequence[Entry], *, width: int) -> Table:
    """All entries, newest last; in a narrow window, who left the stage and by which decision is left out."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    names = [name for name in COLUMNS if width >= WIDTH_WITH_ALL or name not in {"before", "decision"}]
    for name in names:
        table.add_column(name, no_wrap=name not in {"what", "by", "reason"}, overflow="fold")
    for entry in entries:
        cells = _cells(entry)
        table.add_row(*(escape(cells[name]) for name in names), style=STYLES[entry.action] or None)
    return table


def differences_table(differences: Sequence[Difference]) -> Table:
    """Each difference: where, of what, what is there, and what the log says."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("registry", "what", "found", "the log says"):
        table.add_column(name)
    for each in differences:
        table.add_row(REGISTRIES[each.registry], escape(each.subject), each.found, each.wanted)
    return table


def _cells(entry: Entry) -> dict[str, str]:
    verdict = f": {entry.verdict}" if entry.action is Action.JUDGED and entry.verdict else ""
    deed = f"{entry.action.replace('_', ' ')}{verdict}{' (provisional)' if entry.provisional else ''}"
    return {
        "#": str(entry.number),
        "when": f"{entry.at.astimezone():%Y-%m-%d %H:%M}",
        "what": deed,
        "version": entry.version,
        "stage": entry.stage,
        "before": entry.former or "–",
        "decision": entry.decision or "–",
        "by": entry.actor,
        "reason": entry.reason or "",
    }
