"""Compare the runs of a grid as they were tracked, decide, and promote: in both registries or in neither."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cv_yolo.domain.promotion import Champion, Decision, PromotionPolicy, Verdict, decide
from cv_yolo.domain.runs import RunRow, row_of
from cv_yolo.domain.versions import Alias, ModelVersion
from cv_yolo.errors import CvYoloError, NotFoundError, one_line
from cv_yolo.ports import ExperimentTracker, ModelRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Registries:
    """The two places that hold the versions; the first one numbers them."""

    tracking: ModelRegistry
    pipeline: ModelRegistry


def compare(run_ids: Sequence[str], tracker: ExperimentTracker) -> tuple[RunRow, ...]:
    """The table of the runs, each row made from its tracked run and nothing else."""
    return tuple(row_of(tracker.get(run_id)) for run_id in run_ids)


def make_decision(
    rows: Sequence[RunRow],
    *,
    policy: PromotionPolicy,
    registry: ModelRegistry,
    tracker: ExperimentTracker,
    id: str,
    now: datetime,
) -> Decision:
    """Choose the best of the rows and judge it by the policy, against the holder of the alias."""
    return decide(rows, policy=policy, champion=_champion(policy.alias, registry, tracker), id=id, now=now)


def carry_out(decision: Decision, weights: Path, weights_sha256: str, registries: Registries) -> ModelVersion | None:
    """Register the chosen run as a version, and give it the alias where the verdict says so; None without a choice."""
    if decision.chosen is None:
        return None
    version = registries.tracking.register(run_id=decision.chosen, weights=weights, weights_sha256=weights_sha256)
    registries.pipeline.register(
        run_id=decision.chosen, weights=weights, weights_sha256=weights_sha256, version=version.version
    )
    if decision.verdict is Verdict.PROMOTE:
        promote(version, decision.policy.alias, registries)
    return version


def promote(version: ModelVersion, alias: Alias, registries: Registries) -> None:
    """Give the alias to the version in both registries; where the second refuses, the first goes back."""
    former = holder(alias, registries.tracking)
    registries.tracking.set_alias(alias, version.version)
    try:
        registries.pipeline.set_alias(alias, _same(version, registries.pipeline))
    except BaseException as error:
        registries.tracking.set_alias(alias, former.version if former else None)
        if not isinstance(error, Exception):  # Ctrl-C
            raise
        raise CvYoloError(
            f"version {version.version} was not promoted: {one_line(error)}",
            hint="both registries are as before; run the same command again once the cause is mended",
        ) from error


def holder(alias: Alias, registry: ModelRegistry) -> ModelVersion | None:
    """The version that holds the alias."""
    return next((version for version in registry.versions() if alias in version.aliases), None)


def _same(version: ModelVersion, registry: ModelRegistry) -> str:
    found = next((each.version for each in registry.versions() if each.run_id == version.run_id), None)
    if found is None:
        raise NotFoundError(f"the second registry has no version of run {version.run_id}")
    return found


def _champion(alias: Alias, registry: ModelRegistry, tracker: ExperimentTracker) -> Champion | None:
    held = holder(alias, registry)
    return None if held is None else Champion(version=held.version, row=row_of(tracker.get(held.run_id)))
