"""Empty a stage: for a version that must go where no other version is to take its place."""

from collections.abc import Sequence
from datetime import datetime

from cv_yolo.domain.audit import Action, Entry, Proposal, holders, settled_by
from cv_yolo.domain.versions import Stage
from cv_yolo.errors import InputError, NotFoundError, PromotionConflictError
from cv_yolo.workflows.follow_log import placed
from cv_yolo.workflows.register import Register, caught_up, recorded


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
