"""Take a version out of a stage: give the stage back to the version that held it before, or leave it empty."""

from collections.abc import Sequence
from datetime import datetime

from cv_yolo.domain.promotion.audit import (
    Action,
    Entry,
    Proposal,
    earlier_holder,
    held,
    holders,
    last_moved_stage,
    settled_by,
)
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import InputError, NotFoundError, PromotionConflictError
from cv_yolo.workflows.follow_log import placed
from cv_yolo.workflows.register import Register, caught_up, recorded


def rollback(
    register: Register, *, stage: Stage | None, to: str | None, reason: str | None, actor: str, now: datetime
) -> Entry:
    """Give a stage back to its earlier holder, or to a named one; no stage named means the one that was moved last."""
    with register.log.locked():
        entries = caught_up(register, actor=actor, now=now)
        place = stage or last_moved_stage(entries)
        if place is None:
            raise NotFoundError("no promotion is on record", hint="`cv-yolo history` shows what is")
        name = _earlier(entries, place) if to is None else _named(entries, place, to)
        version = next((each for each in register.tracking.versions() if each.version == name), None)
        if version is None:
            raise NotFoundError(f"version {name} is no longer registered", hint="name another with --to")
        before = [entry for entry in entries if entry.moves and (entry.stage, entry.version) == (place, name)][-1]
        proposal = Proposal(
            stage=place,
            version=name,
            run_id=version.run_id,
            expected=holders(entries).get(place),
            reason=reason,
            provisional=before.provisional,  # coming back makes no version better proven
        )
        return recorded(Action.ROLLED_BACK, proposal, entries, register, actor=actor, now=now)


def _earlier(entries: Sequence[Entry], stage: Stage) -> str:
    name = earlier_holder(entries, stage)
    if name is None:
        empty = f"`cv-yolo withdraw {stage} --reason TEXT` empties it; " if stage in holders(entries) else ""
        raise NotFoundError(
            f"there is no version to which {stage} could be given back{_withdrawn(entries, stage)}",
            hint=f"{empty}`cv-yolo history` shows which version held which stage, `--to VERSION` names one",
        )
    return name


def _withdrawn(entries: Sequence[Entry], stage: Stage) -> str:
    """Which earlier holder is passed over, since it was withdrawn."""
    now = holders(entries).get(stage)
    for entry in reversed(entries):
        if entry.action is Action.WITHDRAWN and entry.stage is stage and entry.version != now:
            return f": version {entry.version} was withdrawn (entry {entry.number})"
    return ""


def _named(entries: Sequence[Entry], stage: Stage, version: str) -> str:
    """The version, if the stage may be given back to it."""
    now = holders(entries)
    before = ", ".join(each for each in held(entries, stage) if each != now.get(stage)) or "none"
    if now.get(stage) == version:
        raise InputError(f"version {version} is in {stage} already", hint=f"there before: {before}")
    if version not in held(entries, stage):
        raise InputError(f"version {version} was never in {stage}", hint=f"there before: {before}")
    if stage is not Stage.PRODUCTION and now.get(Stage.PRODUCTION) == version:
        raise InputError(f"version {version} is in production, which would be left empty", hint="name another")
    return version


def withdraw(register: Register, *, stage: Stage, version: str | None, reason: str, actor: str, now: datetime) -> Entry:
    """Archive the version that holds the stage, and leave the stage empty.

    `version` is the one that was seen there; None takes whichever is there. Raises `NotFoundError` where the stage is
    empty, `PromotionConflictError` where another version took it meanwhile.
    """
    if not reason.strip():
        raise InputError("a withdrawal needs a reason", hint="--reason TEXT: it is kept in the audit log")
    with register.log.locked():
        entries = caught_up(register, actor=actor, now=now)
        name = _require_held(entries, stage, expected=version)
        proposal = Proposal(
            stage=stage,
            version=name,
            run_id=next(entry.run_id for entry in entries if entry.version == name),
            expected=name,
            reason=reason,
        )
        return recorded(Action.WITHDRAWN, proposal, entries, register, actor=actor, now=now)


def held_now(stage: Stage, register: Register) -> str:
    """Which version a withdrawal would take out of the stage; raises `NotFoundError` where it is empty."""
    entries = register.log.entries()
    where = placed(entries, register.tracking.versions())
    return _present(next((version for version, there in where.items() if there is stage), None), entries, stage)


def _require_held(entries: Sequence[Entry], stage: Stage, *, expected: str | None) -> str:
    name = _present(holders(entries).get(stage), entries, stage)
    if expected not in {None, name}:
        raise PromotionConflictError(
            f"version {expected} was to be withdrawn from {stage}, but version {name} is there by now",
            hint="nothing was moved; `cv-yolo history` shows who put it there",
        )
    return name


def _present(name: str | None, entries: Sequence[Entry], stage: Stage) -> str:
    if name is None:
        raise NotFoundError(
            f"no version is in {stage}{_emptied(entries, stage)}",
            hint="`cv-yolo models` shows which version is in which stage",
        )
    return name


def _emptied(entries: Sequence[Entry], stage: Stage) -> str:
    """Who withdrew the last version, when and why; nothing where the stage is empty for another reason."""
    last = settled_by(entries, stage)
    if last is None or last.action is not Action.WITHDRAWN:
        return ""
    return (
        f": {last.actor} withdrew version {last.version} at {last.at:%Y-%m-%d %H:%M} UTC (entry {last.number}): "
        f"{last.reason}"
    )
