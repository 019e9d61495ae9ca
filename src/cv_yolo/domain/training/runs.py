"""The tracked record of a training, as read back from where it was written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cv_yolo.domain.data.class_names import from_tags
from cv_yolo.errors import NotFoundError


class RunStatus(StrEnum):
    """How a run stands; only `FINISHED` comes with proof. `LOST` is never recorded: it is running without a driver."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """The split of a data set that a run used, and what for: `context` is training, validation or test.

    `digest` is the revision of the data set, of which a tracker may keep the beginning only; `profile` counts it.
    """

    name: str
    digest: str
    context: str
    source: str = ""
    profile: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One tracked run. `scores` are the evaluator's final figures (absent where none were computed).

    `user` is who started it, `inputs` are the data that it used.
    """

    run_id: str
    name: str
    status: RunStatus
    reason: str | None
    started_at: datetime
    ended_at: datetime | None
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    user: str = ""
    inputs: tuple[DatasetInput, ...] = ()

    @property
    def scores(self) -> dict[str, float]:
        """The evaluator's final figures, by name."""
        prefix = FINAL_PREFIX
        return {name.removeprefix(prefix): value for name, value in self.metrics.items() if name.startswith(prefix)}

    @property
    def is_training(self) -> bool:
        """Whether it records a training of ours: not so for a foreign run, or one that was killed as it started."""
        return {"epochs", "image_size_px"} <= self.params.keys()

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of its classes by id; None where its tags do not hold them."""
        return from_tags(self.tags)

    @property
    def revision(self) -> str | None:
        """The data revision on which the run was trained and scored."""
        return self.tags.get("dataset_revision")


FINAL_PREFIX = "final/"


def find_run(wanted: str, runs: Sequence[Run]) -> Run:
    """The run whose id begins so, or the newest of that name; `runs` are newest first."""
    by_id = [run for run in runs if run.run_id.startswith(wanted)]
    if len(by_id) > 1:
        raise NotFoundError(f"{wanted}: {len(by_id)} runs begin with it", hint="give more of the id")
    by_name = [run for run in runs if run.name == wanted]
    if not by_id and not by_name:
        raise NotFoundError(f"{wanted}: no such run", hint="`cv-yolo runs` lists what there is")
    return (by_id or by_name)[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One line of the comparison, made from a tracked run and nothing else."""

    run_id: str
    name: str
    status: RunStatus
    epochs: int
    image_size_px: int
    duration_s: float | None
    scores: dict[str, float]
    revision: str | None
    reason: str | None = None
    latency_ms: float | None = None

    @property
    def cost(self) -> int:
        """Pixels that pass through the network, for each training image."""
        return self.epochs * self.image_size_px**2


def row_of(run: Run) -> RunRow:
    """The comparison's line for a tracked training; raises `KeyError` for a run that is none (`is_training`)."""
    return RunRow(
        run_id=run.run_id,
        name=run.name,
        status=run.status,
        epochs=int(run.params["epochs"]),
        image_size_px=int(run.params["image_size_px"]),
        duration_s=run.metrics.get("duration_s"),
        scores=run.scores if run.status is RunStatus.FINISHED else {},
        revision=run.revision,
        reason=run.reason,
        latency_ms=run.metrics.get("latency_ms"),
    )
