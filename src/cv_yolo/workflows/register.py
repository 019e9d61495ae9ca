"""The register of one model: the audit log is written first and is the truth, the registries follow it.

An entry in the log is the commit: before it nothing has happened; after it a crash or a registry that is down leaves
the registries behind, and the next command (`check`, or a promotion) brings them up to date.

The log's lock keeps the processes of one machine apart. Between machines, an entry can be written by one only; and
each process that moved a version reads the log once more, so that the last one leaves everything as the log says.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cv_yolo.domain.data.class_names import listed, same_classes
from cv_yolo.domain.promotion.audit import (
    Action,
    AuditFinding,
    Entry,
    Proposal,
    chained,
    head,
    holders,
    settled_by,
    verify,
)
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion, Stage
from cv_yolo.errors import (
    AuditLogError,
    CvYoloError,
    InputError,
    LogGrewError,
    NotFoundError,
    PolicyRefusedError,
    PromotionConflictError,
    ServiceUnavailableError,
)
from cv_yolo.ports.registry import Anchor, AnchorReader, AuditLog, ModelRegistry, NewVersion
from cv_yolo.workflows.follow_log import Difference, Repair, Side, is_begun, placed, repairs

TRIES: Final = 20
WORDS: Final = {Action.JUDGED: "judged for", Action.WITHDRAWN: "withdrawn from"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """The log of a model, the two registries that follow it, and the anchor that names the log's end."""

    model: str
    tracking: ModelRegistry
    pipeline: ModelRegistry
    log: AuditLog
    anchor: Anchor


def registered(new: NewVersion, register: Register) -> ModelVersion:
    """The version of this run, in both registries; as the tracking registry names it.

    Raises `InputError` where versions of the model are on record that detect other classes.
    """
    for known in register.tracking.versions():
        require_same_classes(known, new.classes, of=f"run {new.run_id[:8]}")
    version = register.tracking.register(new)
    register.pipeline.register(new, version=version.version)
    return version


def require_same_classes(version: ModelVersion, classes: tuple[str, ...] | None, *, of: str) -> None:
    """Raise `InputError` where these are not the classes that are recorded for a version of a registered model."""
    known = version.classes
    if known is None or classes is None or same_classes(known, classes):
        return
    raise InputError(
        f"the registered model {version.model} detects {listed(known)} (version {version.version}), {of} "
        f"{listed(classes)}: versions of other classes cannot be compared",
        hint="use another registered model: `registered_model: NAME` in the experiment, or --registered-model NAME",
    )


def holder(stage: Stage, register: Register) -> ModelVersion | None:
    """The version in the stage: by the log, or by the tracking registry where the log was not begun yet.

    A version that the tracking registry has lost does not count.
    """
    entries, known = register.log.entries(), register.tracking.versions()
    where = placed(entries, known)
    return next((each for each in known if where.get(each.version) is stage), None)


def commit(proposal: Proposal, register: Register, *, actor: str, now: datetime) -> Entry:
    """Promote: put the version into its stage, if the stage is still held by who was expected there.

    Raises `PromotionConflictError` where it is not; then nothing has happened. The same promotion once more is fine.
    """

    def write() -> Entry:
        entries = caught_up(register, actor=actor, now=now)
        known = _require_registered(proposal, register)
        former = _require_expected(proposal, entries, known)
        _require_production_kept(proposal, entries)
        stated = replace(proposal, expected=former)
        return recorded(Action.PROMOTED, stated, entries, register, actor=actor, now=now)

    return _in_turn(write, register.log)


def judge(proposal: Proposal, register: Register, *, actor: str, now: datetime) -> Entry:
    """Put on record that the version was judged for its stage, and leave all versions where they are."""

    def write() -> Entry:
        entries = caught_up(register, actor=actor, now=now)
        _require_registered(proposal, register)
        return recorded(Action.JUDGED, proposal, entries, register, actor=actor, now=now)

    return _in_turn(write, register.log)


def check(register: Register, *, repair: bool) -> tuple[Difference, ...]:
    """Where the registries differ from the log; with `repair` they follow it, except for what is lost."""
    with register.log.locked():
        entries = _whole(register)
        todo = _todo(entries, register)
        if todo and repair:
            _settled(entries, register)
        return tuple(each.difference for each in todo)


def examine(log: AuditLog, anchor: AnchorReader) -> tuple[AuditFinding, ...]:
    """What is wrong with the log: lines that are no entries, or else entries that do not hold together."""
    seen = anchor.anchor()  # before the entries: what is written in between makes the log longer, never shorter
    return log.damage() or verify(log.entries(), seen)


def caught_up(register: Register, *, actor: str, now: datetime) -> tuple[Entry, ...]:
    """The log, whole, and both registries as it says; a registry that is down is noticed before anything is done."""
    entries = _whole(register)
    todo = _repairs(entries, register)
    entries = _adopted(entries, register, actor=actor, now=now)
    return _settled(entries, register) if todo else entries


def recorded(
    action: Action, proposal: Proposal, entries: tuple[Entry, ...], register: Register, *, actor: str, now: datetime
) -> Entry:
    """Write the entry, which is the commit, and let the registries and the anchor follow."""
    entry = chained(proposal, entries, action=action, model=register.model, actor=actor, at=now.astimezone(UTC))
    register.log.append(entry)
    try:
        _settled((*entries, entry), register)
    except CvYoloError as error:
        where = f"{WORDS.get(entry.action, 'in')} {entry.stage}"
        raise type(error)(
            f"version {entry.version} is {where} by entry {entry.number} of the log, but the registries lag behind: "
            f"{error.message}",
            hint="the entry stands; fix the cause, then run `cv-yolo models check` to update the registries",
        ) from error
    return entry


def _in_turn(write: Callable[[], Entry], log: AuditLog) -> Entry:
    """Look, check and write, alone on this machine; once more where an entry of another machine came first."""
    with log.locked():
        for _ in range(TRIES - 1):
            with suppress(LogGrewError):
                return write()
        return write()


def _adopted(entries: tuple[Entry, ...], register: Register, *, actor: str, now: datetime) -> tuple[Entry, ...]:
    """Begin the log of a project that is older than its log: who holds a stage by now is put on record."""
    known = () if is_begun(entries) else register.tracking.versions()
    recorded, where = {entry.version for entry in entries}, placed(entries, known)
    for each in known:
        stage = where[each.version]
        if stage in HELD_BY_ONE and each.version not in recorded:
            reason = f"in {stage} before the log was begun"
            proposal = Proposal(stage=stage, version=each.version, run_id=each.run_id, reason=reason)
            at = now.astimezone(UTC)
            entry = chained(proposal, entries, action=Action.ADOPTED, model=register.model, actor=actor, at=at)
            register.log.append(entry)
            entries += (entry,)
    return entries


def _settled(entries: tuple[Entry, ...], register: Register) -> tuple[Entry, ...]:
    """Make registries and anchor say what the log says, and return the log by then.

    Another machine may write meanwhile, and what is done here by the shorter log may undo what it did by the longer
    one. So we repeat until nothing is left to do: the last process to act has seen everything in order.
    """
    for _ in range(TRIES):
        todo = [each for each in _todo(entries, register) if not each.difference.lost]
        if not todo:
            return entries
        for each in todo:
            each.act()
        entries = _whole(register)
    left = todo[0].difference
    raise ServiceUnavailableError(
        f"{left.subject} was set to {left.wanted} {TRIES} times and is {left.found}",
        hint="another process sets it too; `cv-yolo models check --dry-run` shows the current state",
    )


def _whole(register: Register) -> tuple[Entry, ...]:
    seen = register.anchor.anchor()
    entries = register.log.entries()
    findings = verify(entries, seen)
    if findings:
        raise AuditLogError(
            f"the audit log of {register.model} does not hold together: {findings[0].sentence}",
            hint="`cv-yolo history --verify` lists all problems; restore the log from a backup",
        )
    return entries


def _repairs(entries: Sequence[Entry], register: Register) -> tuple[Repair, ...]:
    return repairs(entries, tracking=register.tracking, pipeline=register.pipeline)


def _todo(entries: Sequence[Entry], register: Register) -> tuple[Repair, ...]:
    return (*_repairs(entries, register), *_late_anchor(entries, register))


def _late_anchor(entries: Sequence[Entry], register: Register) -> tuple[Repair, ...]:
    end, seen = head(entries), register.anchor.anchor()
    if end is None or end == seen:
        return ()
    difference = Difference(
        registry=Side.TRACKING,
        subject="end of the log",
        wanted=f"entry {entries[-1].number}",
        found=f"entry {seen.split()[0]}" if seen else "nothing",
    )
    return (Repair(difference=difference, act=lambda: register.anchor.set_anchor(end)),)


def _require_registered(proposal: Proposal, register: Register) -> tuple[ModelVersion, ...]:
    known = register.tracking.versions()
    if not any((each.version, each.run_id) == (proposal.version, proposal.run_id) for each in known):
        raise NotFoundError(
            f"version {proposal.version} of run {proposal.run_id} is not registered",
            hint="`cv-yolo models` lists the versions",
        )
    return known


def _require_expected(proposal: Proposal, entries: Sequence[Entry], known: Sequence[ModelVersion]) -> str | None:
    """Who is in the stage now: who was expected there, or the proposed version itself."""
    by_log = holders(entries).get(proposal.stage)
    now = by_log if any(each.version == by_log for each in known) else None
    if now in {proposal.expected, proposal.version}:
        return now
    last = settled_by(entries, proposal.stage)
    since = f" since {last.at:%Y-%m-%d %H:%M} UTC (entry {last.number}, by {last.actor})" if last else ""
    judged = f"version {proposal.version} was judged against {_named(proposal.expected)} in {proposal.stage}"
    raise PromotionConflictError(
        f"{judged}, but {_named(now)} is there{since}",
        hint="nothing was moved; run the same command again: it compares with what is there now",
    )


def _require_production_kept(proposal: Proposal, entries: Sequence[Entry]) -> None:
    if proposal.stage is not Stage.PRODUCTION and holders(entries).get(Stage.PRODUCTION) == proposal.version:
        raise PolicyRefusedError(
            f"version {proposal.version} is in production, which would be left empty",
            hint=f"it is in use already; promote another version to {proposal.stage}",
        )


def _named(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"
