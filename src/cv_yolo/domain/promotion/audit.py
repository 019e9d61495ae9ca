"""The audit log of a model: who moved which version where, when, by which decision and why.

Each entry carries the hash of the one before, so that no entry can be changed, lost, moved or repeated unnoticed; the
end of the log is named by an anchor that is kept elsewhere (`verify`). Who holds which stage follows from the entries
alone (`holders`, `stages`): the log is the truth, and the registries follow it.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from cv_yolo.domain.promotion.versions import HELD_BY_ONE, Stage


class Action(StrEnum):
    """What an entry records: a judgement moves nothing, a withdrawal empties a stage, the others fill one."""

    ADOPTED = "adopted"
    JUDGED = "judged"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """A version, a stage, and on which grounds the one is to have the other, or not.

    `evaluations` name what was compared, `test_revision` the test data that judged, and `provisional` marks a
    promotion whose evidence was found too weak.
    """

    stage: Stage
    version: str
    run_id: str
    decision: str | None = None
    verdict: str | None = None
    policy: str | None = None
    policy_sha256: str | None = None
    evaluations: tuple[str, ...] = ()
    test_revision: str | None = None
    reason: str | None = None
    provisional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal(Grounds):
    """What is to be recorded; `expected` is the version that held the stage when this was decided."""

    expected: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Grounds):
    """One line of the log; `former` held the stage before, `previous` is the hash of the entry before this one."""

    number: int
    at: datetime
    actor: str
    action: Action
    model: str
    former: str | None = None
    previous: str

    def __post_init__(self) -> None:
        if self.number < 1:
            raise ValueError(f"entries are numbered from 1, not {self.number}")
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"an entry's time is in UTC, not {self.at.isoformat()}")

    @property
    def canonical(self) -> str:
        """The entry as JSON in one line: sorted keys, no spaces, and without what is None.

        A field that a later version adds is None in older entries, and so leaves their hashes as they are.
        """
        said = {name: value for name, value in asdict(self).items() if value is not None}
        said["at"] = self.at.isoformat(timespec="microseconds")
        return json.dumps(said, sort_keys=True, separators=(",", ":"))

    @property
    def sha256(self) -> str:
        """SHA-256 of `canonical`, in hexadecimal."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    @property
    def moves(self) -> bool:
        """Whether this entry puts its version into its stage."""
        return self.action not in {Action.JUDGED, Action.WITHDRAWN}


def chained(
    proposal: Proposal, entries: Sequence[Entry], *, action: Action, model: str, actor: str, at: datetime
) -> Entry:
    """The entry that records the proposal at the end of the log."""
    last = entries[-1] if entries else None
    said = asdict(proposal)
    former = said.pop("expected")
    return Entry(
        number=last.number + 1 if last else 1,
        at=at,
        actor=actor,
        action=action,
        model=model,
        former=former,
        previous=last.sha256 if last else "",
        **said,
    )


def stages(entries: Sequence[Entry]) -> dict[str, Stage | None]:
    """Where each version that the log names stands after the last entry; None for one that was only judged."""
    placed: dict[str, Stage | None] = {}
    for entry in entries:
        if entry.action is Action.WITHDRAWN and placed.get(entry.version) is entry.stage:
            placed[entry.version] = Stage.ARCHIVED
        if not entry.moves:
            placed.setdefault(entry.version, None)
            continue
        if entry.stage in HELD_BY_ONE:
            placed |= {version: Stage.ARCHIVED for version, stage in placed.items() if stage is entry.stage}
        placed[entry.version] = entry.stage
    return placed


def holders(entries: Sequence[Entry]) -> dict[Stage, str]:
    """Who is in staging and who in production after the last entry; an empty stage is absent."""
    placed = stages(entries)
    return {stage: version for stage in HELD_BY_ONE for version, where in placed.items() if where is stage}


def held(entries: Sequence[Entry], stage: Stage) -> tuple[str, ...]:
    """Every version that was ever put into the stage, in the order of the first time."""
    return tuple(dict.fromkeys(entry.version for entry in entries if entry.moves and entry.stage is stage))


def earlier_holder(entries: Sequence[Entry], stage: Stage) -> str | None:
    """Who held the stage before its present holder; going back twice goes back two steps.

    A version that is in production by now is passed over: staging does not take it from there. While a stage is empty
    after a withdrawal, its earlier holder is the withdrawn version; once another one is there, that one is passed over.
    """
    steps: list[str] = []
    withdrawn: str | None = None
    for entry in entries:
        if entry.stage is not stage or entry.action is Action.JUDGED:
            continue
        if entry.action is Action.WITHDRAWN:
            withdrawn = entry.version
            continue
        if withdrawn not in {None, entry.version}:
            steps = [version for version in steps if version != withdrawn]
        withdrawn = None
        if entry.action is Action.ROLLED_BACK and entry.version in steps:
            del steps[_last_index(steps, entry.version) + 1 :]
        elif not steps or steps[-1] != entry.version:
            steps.append(entry.version)
    now = holders(entries)
    in_use = {now.get(stage), now.get(Stage.PRODUCTION)}
    return next((version for version in reversed(steps) if version not in in_use), None)


def last_moved_stage(entries: Sequence[Entry]) -> Stage | None:
    """The stage of the last promotion, withdrawal or step back; None where there was none."""
    done = {Action.PROMOTED, Action.ROLLED_BACK, Action.WITHDRAWN}
    return next((entry.stage for entry in reversed(entries) if entry.action in done), None)


def settled_by(entries: Sequence[Entry], stage: Stage) -> Entry | None:
    """The entry since which the stage is held as it is now; None where it was always empty."""
    for index in range(len(entries), 0, -1):
        if holders(entries[:index]).get(stage) != holders(entries[: index - 1]).get(stage):
            return entries[index - 1]
    return None


def judgements_on(entries: Sequence[Entry], test_revision: str) -> int:
    """How many entries were judged by this revision of the test data: each one wears it out a little."""
    return sum(entry.test_revision == test_revision for entry in entries)


def _last_index(steps: Sequence[str], version: str) -> int:
    return len(steps) - 1 - list(reversed(steps)).index(version)


def _action(said: Any) -> Action:
    try:
        return Action(said)
    except ValueError:
        reason = "a newer version of cv-yolo wrote it, or it was changed"
        raise ValueError(f"the action {said!r} is unknown: {reason}") from None


# Each field is brought to its own kind, whatever it was written as; where that changes it, the line was not canonical.
_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "number": int,
    "at": datetime.fromisoformat,
    "action": _action,
    "stage": Stage,
    "evaluations": lambda names: tuple(map(str, names)),
    "provisional": bool,
}


def read_entry(line: str) -> Entry:
    """The entry that is written so; raises `ValueError` for what is no entry, or is not written as entries are."""
    try:
        said = json.loads(line)
        entry = Entry(**{name: _KINDS.get(name, str)(value) for name, value in said.items()})
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = str(error).replace("Entry.__init__() ", "")
        raise ValueError(f"not an entry of the log: {reason}") from error
    if entry.canonical != line:
        raise ValueError("not in the form in which entries are written: it was changed")
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFinding:
    """Something that is wrong with the log: at which entry (or line of its file), in one plain sentence."""

    number: int
    sentence: str


def head(entries: Sequence[Entry]) -> str | None:
    """Number and hash of the last entry, as the anchor that is kept away from the log; None of an empty log."""
    return f"{entries[-1].number} {entries[-1].sha256}" if entries else None


def verify(entries: Sequence[Entry], anchor: str | None) -> tuple[AuditFinding, ...]:
    """Everything that is wrong, by entry; nothing where the log is whole.

    Without an anchor, a change of the last entry and the loss of the last entries cannot be seen. An anchor may be
    older than the last entry: it is set after the entry is written.
    """
    findings = (*_order(entries), *_gaps(entries), *_links(entries), *_end(entries, anchor))
    return tuple(sorted(findings, key=lambda finding: finding.number))


def _order(entries: Sequence[Entry]) -> Iterator[AuditFinding]:
    seen: set[int] = set()
    for entry in entries:
        if entry.number in seen:
            yield AuditFinding(number=entry.number, sentence=f"Entry {entry.number} is there more than once.")
        elif seen and entry.number < max(seen):
            yield AuditFinding(number=entry.number, sentence=f"Entry {entry.number} stands after entry {max(seen)}.")
        seen.add(entry.number)


def _gaps(entries: Sequence[Entry]) -> Iterator[AuditFinding]:
    for before, after in pairwise(sorted({0} | {entry.number for entry in entries})):
        if after > before + 1:
            yield AuditFinding(number=before + 1, sentence=f"{_named(before + 1, after - 1)} missing.")


def _links(entries: Sequence[Entry]) -> Iterator[AuditFinding]:
    """Whether each entry carries the hash of the one before it; of repeated numbers the first counts."""
    first = {entry.number: entry for entry in reversed(entries)}
    for number, entry in first.items():
        before = first.get(number - 1)
        if before is not None and entry.previous != before.sha256:
            sentence = f"Entry {number - 1} is not the one that entry {number} followed: one of the two was changed."
            yield AuditFinding(number=number - 1, sentence=sentence)
        elif number == 1 and entry.previous:
            yield AuditFinding(number=1, sentence="Entry 1 names an entry before it: it was changed.")


def _end(entries: Sequence[Entry], anchor: str | None) -> Iterator[AuditFinding]:
    if anchor is None:
        return
    named = re.fullmatch(r"([1-9][0-9]{0,8}) ([0-9a-f]{64})", anchor)
    if named is None:
        yield AuditFinding(number=0, sentence=f"The registry's note of the last entry cannot be read: {anchor!r}.")
        return
    number, last = int(named[1]), max((entry.number for entry in entries), default=0)
    if number > last:
        sentence = f"{_named(last + 1, number)} missing at the end: the registry has seen entry {number}."
        yield AuditFinding(number=last + 1, sentence=sentence)
    if any(entry.number == number and entry.sha256 != named[2] for entry in entries):
        sentence = f"Entry {number} is not the one that the registry has seen: it was changed."
        yield AuditFinding(number=number, sentence=sentence)


def _named(first: int, last: int) -> str:
    return f"Entry {first} is" if first == last else f"Entries {first} to {last} are"
