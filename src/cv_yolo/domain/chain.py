"""Whether an audit log is whole: nothing changed, lost, moved or repeated since it was written."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cv_yolo.domain.audit import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong with the log: at which entry (or line of its file), in one plain sentence."""

    number: int
    sentence: str


def head(entries: Sequence[Entry]) -> str | None:
    """Number and hash of the last entry, as the anchor that is kept away from the log; None of an empty log."""
    return f"{entries[-1].number} {entries[-1].sha256}" if entries else None


def verify(entries: Sequence[Entry], anchor: str | None) -> tuple[Finding, ...]:
    """Everything that is wrong, by entry; nothing where the log is whole.

    Without an anchor, a change of the last entry and the loss of the last entries cannot be seen. An anchor may be
    older than the last entry: it is set after the entry is written.
    """
    findings = (*_order(entries), *_gaps(entries), *_links(entries), *_end(entries, anchor))
    return tuple(sorted(findings, key=lambda finding: finding.number))


def _order(entries: Sequence[Entry]) -> Iterator[Finding]:
    seen: set[int] = set()
    for entry in entries:
        if entry.number in seen:
            yield Finding(number=entry.number, sentence=f"Entry {entry.number} is there more than once.")
        elif seen and entry.number < max(seen):
            yield Finding(number=entry.number, sentence=f"Entry {entry.number} stands after entry {max(seen)}.")
        seen.add(entry.number)


def _gaps(entries: Sequence[Entry]) -> Iterator[Finding]:
    for before, after in pairwise(sorted({0} | {entry.number for entry in entries})):
        if after > before + 1:
            yield Finding(number=before + 1, sentence=f"{_named(before + 1, after - 1)} missing.")


def _links(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Whether each entry carries the hash of the one before it; of repeated numbers the first counts."""
    first = {entry.number: entry for entry in reversed(entries)}
    for number, entry in first.items():
        before = first.get(number - 1)
        if before is not None and entry.previous != before.sha256:
            sentence = f"Entry {number - 1} is not the one that entry {number} followed: one of the two was changed."
            yield Finding(number=number - 1, sentence=sentence)
        elif number == 1 and entry.previous:
            yield Finding(number=1, sentence="Entry 1 names an entry before it: it was changed.")


def _end(entries: Sequence[Entry], anchor: str | None) -> Iterator[Finding]:
    if anchor is None:
        return
    named = re.fullmatch(r"([1-9][0-9]{0,8}) ([0-9a-f]{64})", anchor)
    if named is None:
        yield Finding(number=0, sentence=f"The registry's note of the last entry cannot be read: {anchor!r}.")
        return
    number, last = int(named[1]), max((entry.number for entry in entries), default=0)
    if number > last:
        sentence = f"{_named(last + 1, number)} missing at the end: the registry has seen entry {number}."
        yield Finding(number=last + 1, sentence=sentence)
    if any(entry.number == number and entry.sha256 != named[2] for entry in entries):
        sentence = f"Entry {number} is not the one that the registry has seen: it was changed."
        yield Finding(number=number, sentence=sentence)


def _named(first: int, last: int) -> str:
    return f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
