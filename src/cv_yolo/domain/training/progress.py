"""What happens during a grid, as events that a display or a log can follow, and how long it will still take."""

from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """The states that a run of the grid goes through, and notes on the grid itself (`run` empty)."""

    NOTE = "note"
    PLANNED = "planned"
    TRAINING = "training"
    EPOCH = "epoch"
    EVALUATING = "evaluating"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One step: which run, how many of its epochs are done, and a line for a person.

    `cost` is what the training of a planned run costs in relation to the others (`TrainingSpec.cost`).
    """

    kind: EventKind
    run: str = ""
    epoch: int = 0
    epochs: int = 0
    text: str = ""
    cost: int = 0


@dataclass(slots=True, kw_only=True)
class RemainingTime:
    """An estimate of the time that the trainings of a grid will still take, from what they cost and took so far.

    Times are those of a monotonic clock, in seconds. What was trained by an earlier command costs nothing.
    """

    _costs: dict[str, float] = field(default_factory=dict)
    _done: dict[str, float] = field(default_factory=dict)
    _began_s: float | None = None
    _latest_s: float = 0.0

    def note(self, event: Event, at_s: float) -> None:
        """Take notice of an event."""
        if event.kind is EventKind.PLANNED:
            self._costs[event.run] = event.cost
        elif event.kind is EventKind.TRAINING:
            self._began_s = at_s if self._began_s is None else self._began_s
            self._done[event.run] = 0.0
        elif event.run in self._done:
            self._latest_s = at_s
            self._done[event.run] = event.epoch / event.epochs if event.kind is EventKind.EPOCH else 1.0
        elif event.kind is not EventKind.NOTE:
            self._costs.pop(event.run, None)

    def seconds(self, at_s: float) -> float | None:
        """The estimate; None before the first epoch is done, and once all trainings are."""
        done = sum(part * self._costs.get(run, 0.0) for run, part in self._done.items())
        left = sum(self._costs.values()) - done
        if self._began_s is None or done <= 0 or left <= 0:
            return None
        return max(0.0, left * (self._latest_s - self._began_s) / done - (at_s - self._latest_s))
