"""How runs are recorded, so that no record is lost and nothing is trained twice, whatever fails in between."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cv_yolo.domain.training.runs import DatasetInput, Run, RunStatus
from cv_yolo.domain.training.specs import EpochMetrics, FinishedTraining
from cv_yolo.domain.training.tracking_events import TrackingEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be tracked: every parameter that determines it, the data it uses, and where it comes from.

    `source` is the program that started it, `note` describes it in Markdown.
    """

    name: str
    params: dict[str, str]
    tags: dict[str, str]
    user: str = ""
    source: str = ""
    note: str = ""
    inputs: tuple[DatasetInput, ...] = ()


class RunReader(Protocol):
    """Lists the runs of one experiment."""

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first."""


class ExperimentTracker(RunReader, Protocol):
    """Keeps the record of every run; a run is named by its id, never by process-wide state.

    Raises `ServiceUnavailableError` where the store does not answer, `NotFoundError` for an unknown run id.
    """

    def start(self, run: NewRun) -> str: ...
    def log_epoch(self, run_id: str, epoch: EpochMetrics) -> None: ...
    def log_metrics(self, run_id: str, metrics: dict[str, float], *, data: DatasetInput | None = None) -> None: ...
    def tag(self, run_id: str, tags: dict[str, str]) -> None: ...
    def log_artifacts(self, run_id: str, files: Iterable[Path], folder: str = "") -> None: ...
    def log_model(
        self, run_id: str, name: str, *, model_type: str, params: dict[str, str], tags: dict[str, str]
    ) -> None: ...
    def finish(self, run_id: str, status: RunStatus, reason: str | None = None) -> None: ...
    def get(self, run_id: str) -> Run: ...
    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]: ...
    def artifact(self, run_id: str, path: str) -> bytes: ...
    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run; none without such a folder."""


class Recorder(ExperimentTracker, Protocol):
    """An experiment tracker that records events: each as of its own time, and once, however often it is delivered."""

    def connect(self) -> None:
        """Create the store and the experiment if they do not exist."""

    def deliver(self, event: TrackingEvent) -> None:
        """Record the event.

        Raises `ServiceUnavailableError` where it can be delivered later, any other `CvYoloError` where it never can.
        """


class RunEvents(Protocol):
    """The undelivered events of one run, in order, locked meanwhile."""

    def waiting(self) -> tuple[TrackingEvent, ...]:
        """All of them, oldest first."""

    def add(self, event: TrackingEvent) -> None:
        """Append an event, with its files; it outlives the process once this has returned."""

    def delivered(self) -> None:
        """Mark the first one as delivered."""

    def set_aside(self, reason: str) -> None:
        """Set the first one aside, with the reason: it can never be delivered."""


class Outbox(Protocol):
    """Keeps what the tracker of one address has not recorded yet."""

    def runs(self) -> tuple[str, ...]:
        """The runs with undelivered events."""

    def opened(self, run_id: str) -> AbstractContextManager[RunEvents]:
        """The events of a run; every other thread and process waits meanwhile."""


class FinishedTrainings(Protocol):
    """Remembers trained models with their weights, by what determined the training."""

    def find(self, fingerprint: str) -> FinishedTraining | None:
        """That training, with its model's weights intact, or None."""

    def keep(self, fingerprint: str, training: FinishedTraining) -> None:
        """Remember that training, and keep its model's weights."""
