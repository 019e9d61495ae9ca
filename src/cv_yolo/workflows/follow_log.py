"""Make both registries say what the audit log says: the one way in which a version changes its stage."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from cv_yolo.domain.promotion.audit import Action, Entry, holders, stages
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion, Stage
from cv_yolo.errors import AuditLogError
from cv_yolo.ports.registry import ModelRegistry, NewVersion


class Side(StrEnum):
    """Which of the two registries; the tracking registry numbers the versions."""

    TRACKING = "tracking"
    PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference between a registry and the log; `lost` where it cannot be repaired from here."""

    registry: Side
    subject: str
    wanted: str
    found: str
    lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A difference, and what makes it go away."""

    difference: Difference
    act: Callable[[], object]


def repairs(entries: Sequence[Entry], *, tracking: ModelRegistry, pipeline: ModelRegistry) -> tuple[Repair, ...]:
    """What is to be done so that both registries follow the log, in this order; nothing where they do.

    Where the log is not begun yet, the second registry follows the first.
    """
    known, twins = tracking.versions(), pipeline.versions()
    _require_same_runs(entries, known)
    wanted = placed(entries, known)
    names = {each.run_id: each.version for each in entries} | {each.run_id: each.version for each in known}
    missing = [each for each in known if each.run_id not in {twin.run_id for twin in twins}]
    return (
        *_lost(entries, known),
        *_misplaced(Side.TRACKING, tracking, {each.version: each for each in known}, wanted),
        *(_absence(each, pipeline, wanted) for each in missing),
        *_misplaced(Side.PIPELINE, pipeline, {names.get(each.run_id, each.version): each for each in twins}, wanted),
    )


def placed(entries: Sequence[Entry], known: Sequence[ModelVersion]) -> dict[str, Stage | None]:
    """Where each version belongs: by the log, or by the tracking registry as far as the log was not begun yet."""
    by_log = stages(entries)
    if is_begun(entries):
        return by_log
    taken = holders(entries)
    return {each.version: Stage.ARCHIVED if each.stage in taken else each.stage for each in known} | by_log


def is_begun(entries: Sequence[Entry]) -> bool:
    """Whether the log is the only word that counts.

    Before that, at most some of those who held a stage are on record: a process that was killed while it adopted them
    may have left others out.
    """
    return any(entry.action is not Action.ADOPTED for entry in entries)


def _lost(entries: Sequence[Entry], known: Sequence[ModelVersion]) -> Iterator[Repair]:
    there = {each.version for each in known}
    for stage, version in holders(entries).items():
        if version not in there:
            difference = Difference(
                registry=Side.TRACKING, subject=f"version {version}", wanted=stage, found="not registered", lost=True
            )
            yield Repair(difference=difference, act=lambda: None)


def _misplaced(
    side: Side, registry: ModelRegistry, found: Mapping[str, ModelVersion], wanted: Mapping[str, Stage | None]
) -> Iterator[Repair]:
    """The versions of one registry that stand elsewhere; who is to hold a stage comes first: it is never empty."""
    goals = {name: _goal(each.stage, wanted.get(name)) for name, each in found.items()}
    for name, goal in sorted(goals.items(), key=lambda item: item[1] not in HELD_BY_ONE):
        if goal is not None:
            each = found[name]
            difference = Difference(
                registry=side, subject=f"version {name}", wanted=goal, found=each.stage or "in no stage"
            )
            yield Repair(difference=difference, act=partial(registry.set_stage, each.version, goal))


def _goal(found: Stage | None, wanted: Stage | None) -> Stage | None:
    """Where a version is to be put, or None where it may stay; what the log does not place may be archived."""
    if wanted is None:
        return Stage.ARCHIVED if found in HELD_BY_ONE else None
    return None if found is wanted else wanted


def _absence(version: ModelVersion, pipeline: ModelRegistry, wanted: Mapping[str, Stage | None]) -> Repair:
    stage = wanted.get(version.version)

    def make() -> None:
        new = NewVersion(
            run_id=version.run_id,
            weights=Path("best.pt"),  # the file is known to the tracking registry; this one keeps none
            weights_sha256=version.weights_sha256,
            confidence_threshold=version.confidence_threshold,
        )
        made = pipeline.register(new, version=version.version)
        if stage is not None:
            pipeline.set_stage(made.version, stage)

    difference = Difference(
        registry=Side.PIPELINE,
        subject=f"version {version.version}",
        wanted=stage or "registered",
        found="not registered",
    )
    return Repair(difference=difference, act=make)


def _require_same_runs(entries: Sequence[Entry], known: Sequence[ModelVersion]) -> None:
    runs = {entry.version: entry.run_id for entry in entries}
    for each in known:
        if runs.get(each.version, each.run_id) != each.run_id:
            raise AuditLogError(
                f"version {each.version} is of run {each.run_id}, but by the log of run {runs[each.version]}",
                hint="the registry was recreated: restore it from a backup, or move the log away to start another",
            )
