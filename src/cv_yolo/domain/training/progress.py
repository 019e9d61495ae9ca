"""What happens during a grid, as events that a display or a log can follow."""

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """The turns that a run of the grid, or the grid itself (`run` empty), can take."""

    NOTE = "note"
    PLANNED = "planned"
    TRAINING = "training"
    EPOCH = "epoch"
    EVALUATING = "evaluating"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One turn: which run, how many of its epochs are done, and a line for a person."""

    kind: EventKind
    run: str = ""
    epoch: int = 0
    epochs: int = 0
    text: str = ""
