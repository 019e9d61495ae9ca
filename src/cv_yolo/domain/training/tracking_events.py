"""What is to be recorded of a run, as values that can wait, in order, until the tracker answers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cv_yolo.domain.training.runs import DatasetInput, RunStatus
from cv_yolo.domain.training.specs import EpochMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMetrics:
    """What an epoch measured, at its step; figures of the run as a whole have step 0.

    With `data`, the figures are those of the run's logged model on that data: the tracker links them to both.
    """

    run_id: str
    at: datetime
    step: int
    values: dict[str, float]
    data: DatasetInput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetails:
    """What became known of a run after it started."""

    run_id: str
    at: datetime
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFiles:
    """Files to be kept with a run, in a folder of it."""

    run_id: str
    at: datetime
    paths: tuple[Path, ...]
    folder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """The model that a run made, logged once: `model_params` determine it, `model_tags` identify it."""

    run_id: str
    at: datetime
    model_name: str
    model_type: str
    model_params: dict[str, str]
    model_tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """How a run ended."""

    run_id: str
    at: datetime
    status: RunStatus
    reason: str | None


TrackingEvent = StepMetrics | RunDetails | RunFiles | LoggedModel | RunEnding


class TakesTrackingEvents(ABC):
    """The writing half of an experiment tracker: each call is an event with a time of its own."""

    @abstractmethod
    def deliver(self, event: TrackingEvent) -> None:
        """Record the event."""

    def log_epoch(self, run_id: str, epoch: EpochMetrics) -> None:
        """Record what an epoch measured, at its step."""
        self.deliver(StepMetrics(run_id=run_id, at=self._now(), step=epoch.epoch, values=epoch.values))

    def log_metrics(self, run_id: str, metrics: dict[str, float], *, data: DatasetInput | None = None) -> None:
        """Record figures of the run as a whole; with `data`, those of its model on that data."""
        self.deliver(StepMetrics(run_id=run_id, at=self._now(), step=0, values=metrics, data=data))

    def tag(self, run_id: str, tags: dict[str, str]) -> None:
        """Record facts about a run that are known only after it started."""
        self.deliver(RunDetails(run_id=run_id, at=self._now(), tags=tags))

    def log_artifacts(self, run_id: str, files: Iterable[Path], folder: str = "") -> None:
        """Keep files with the run."""
        self.deliver(RunFiles(run_id=run_id, at=self._now(), paths=tuple(files), folder=folder))

    def log_model(
        self, run_id: str, name: str, *, model_type: str, params: dict[str, str], tags: dict[str, str]
    ) -> None:
        """Record the model that the run made."""
        self.deliver(
            LoggedModel(
                run_id=run_id,
                at=self._now(),
                model_name=name,
                model_type=model_type,
                model_params=params,
                model_tags=tags,
            )
        )

    def finish(self, run_id: str, status: RunStatus, reason: str | None = None) -> None:
        """End a run; a run that goes on again (a second evaluation) loses its former reason."""
        self.deliver(RunEnding(run_id=run_id, at=self._now(), status=status, reason=reason))

    def _now(self) -> datetime:
        return datetime.now(UTC)
