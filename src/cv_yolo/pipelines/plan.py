"""From the configuration to the plan of one pipeline run."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from pathlib import Path

from cv_yolo.config import ExperimentConfig, load_policy
from cv_yolo.container import Container
from cv_yolo.domain.promotion.policy import PromotionPolicy
from cv_yolo.domain.training.specs import TrainingSpec
from cv_yolo.files import sha256_of
from cv_yolo.workflows.detectors import require_readable


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentPlan:
    """Everything that a pipeline run is given: the data, the runs, the policy, and how many run at once.

    `evaluator_version` is `EVALUATION_VERSION` with the versions of the libraries: cached evaluations depend on it.
    `accept_inconclusive` is a person's reason for letting an inconclusive decision pass.
    """

    dataset: str
    experiment: str
    specs: tuple[TrainingSpec, ...]
    policy: PromotionPolicy
    parallel_runs: int
    evaluator_version: str
    accept_inconclusive: str | None = None


def new_run_name(kind: str, now: datetime) -> str:
    """A name for a pipeline run that sorts by time: `grid-20261123-094500-1a2b`."""
    return f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def make_plan(
    config: ExperimentConfig, container: Container, *, accept_inconclusive: str | None = None, trusted: bool = False
) -> ExperimentPlan:
    """Resolve weights and resources; raises `ConfigError`, `WeightsError` or `ServiceUnavailableError`.

    Starting weights that are `trusted` are first loaded by the training, since that may run code.
    """
    root = container.settings.root
    policy = load_policy(root / config.policy)
    if config.registered_model is not None:
        policy = replace(policy, model=config.registered_model)
    weights = container.pretrained_weights.find(config.model)
    read = container.settings.weights / "read"
    require_readable(weights, sha256_of(weights), container.children, read, trusted=trusted)
    cells = tuple(product(sorted(set(config.grid.epochs)), sorted(set(config.grid.image_size_px))))
    parallel = config.resources.parallel_runs or min(len(cells), _cores())
    threads = config.resources.threads_per_run or max(1, _cores() // parallel)
    return ExperimentPlan(
        dataset=config.dataset,
        experiment=config.experiment,
        specs=tuple(replace(spec, trusted=trusted) for spec in _specs(config, cells, container, weights, threads)),
        policy=policy,
        parallel_runs=parallel,
        evaluator_version=container.evaluator_version(),
        accept_inconclusive=accept_inconclusive,
    )


def _specs(
    config: ExperimentConfig, cells: Sequence[tuple[int, int]], container: Container, weights: Path, threads: int
) -> tuple[TrainingSpec, ...]:
    root = container.settings.root
    inside = weights.is_relative_to(root)
    sha256, code_version = sha256_of(weights), container.code_version()
    return tuple(
        TrainingSpec(
            epochs=epochs,
            image_size_px=image_size_px,
            **config.training.model_dump(),
            threads=threads,
            weights=weights.relative_to(root).as_posix() if inside else str(weights),
            weights_sha256=sha256,
            code_version=code_version,
        )
        for epochs, image_size_px in cells
    )


def _cores() -> int:
    """The cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
