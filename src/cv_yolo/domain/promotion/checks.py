"""The checks of a decision as data: what was required, what was measured, and how each ended; reports write the prose.

A check is stored with its decision. To add a kind, add a class here, make it in the gate, and describe it in reports.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.domain.promotion.selection import Selection
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunRow


class Outcome(StrEnum):
    """How a check ended; a waived one could not be settled, and the policy lets it pass provisionally."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    WAIVED = "waived"


WORST_FIRST: Final = (Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED, Outcome.PASSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    """One condition of a decision.

    `more_images` is how many further test images would settle an undecided one; None where that is not known.
    """

    outcome: Outcome
    more_images: int | None = None

    @property
    def passed(self) -> bool:
        """Whether the condition holds, and was not merely waived."""
        return self.outcome is Outcome.PASSED


def images_to_settle_all(conditions: Iterable[_Condition]) -> int | None:
    """How many further test images would settle all that are undecided; None where that is not known of each."""
    of_each = [condition.more_images for condition in conditions if condition.outcome is Outcome.UNDECIDED]
    known = [images for images in of_each if images is not None]
    return max(known) if known and len(known) == len(of_each) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofCheck(_Condition):
    """Whether any of the runs ended with weights that load and an evaluation."""

    kind: Literal["proof"] = "proof"
    proven: int
    runs: int

    @classmethod
    def of(cls, rows: Sequence[RunRow], proven: int) -> "ProofCheck":
        """The check of these runs, of which so many are proven."""
        return cls(outcome=Outcome.PASSED if proven else Outcome.FAILED, proven=proven, runs=len(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionCheck(_Condition):
    """Which run was chosen on val, by name, and how many were within noise of the best; it always passes."""

    kind: Literal["selection"] = "selection"
    metric: str
    chosen: str
    within_noise: int
    scored: int
    runs: int

    @classmethod
    def of(cls, rows: Sequence[RunRow], selection: Selection) -> "SelectionCheck":
        """The check of a selection among these runs."""
        return cls(
            outcome=Outcome.PASSED,
            metric=selection.metric,
            chosen=next(row.name for row in rows if row.run_id == selection.chosen),
            within_noise=len(selection.within_noise),
            scored=1 + len(selection.differences),
            runs=len(rows),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyInStageCheck(_Condition):
    """The candidate is the version that holds the stage: nothing is judged."""

    kind: Literal["already_in_stage"] = "already_in_stage"
    stage: Stage
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCountCheck(_Condition):
    """Whether there are enough test images to trust an interval."""

    kind: Literal["test_images"] = "test_images"
    stage: Stage
    required: int
    measured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorCheck(_Condition):
    """Whether the interval of a metric lies above `required`; `few_images` where there are too few to trust it."""

    kind: Literal["floor"] = "floor"
    metric: str
    required: float
    measured: Estimate | None
    few_images: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassResult(_Condition):
    """One class of a `ClassFloorCheck`: its annotated boxes in test, and its metric."""

    name: str
    boxes: int
    measured: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassFloorCheck(_Condition):
    """Whether each class has `required_boxes` test boxes and a metric above `required`: as bad as the worst class.

    Every class must be above its limit by its own interval: a candidate that is bad in one class passes with at most
    the error rate of that class's interval, however many classes are asked for, so nothing has to be corrected.

    Source: Berger, "Multiparameter Hypothesis Testing and Acceptance Sampling", Technometrics 1982
    (intersection-union).
    """

    kind: Literal["required_classes", "class_floor"]
    metric: str
    required: float
    required_boxes: int
    classes: tuple[ClassResult, ...]

    @property
    def by_outcome(self) -> Mapping[Outcome, Sequence[ClassResult]]:
        """The classes by how they ended, the worst first."""
        return {outcome: [each for each in self.classes if each.outcome is outcome] for outcome in WORST_FIRST}

    @property
    def lowest(self) -> ClassResult:
        """The class with the lowest value among those that ended worst."""
        worst = self.by_outcome[self.outcome]
        return min(worst, key=lambda each: -1.0 if each.measured is None else each.measured.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionCheck(_Condition):
    """Whether the paired difference from the champion lies above `required`; `version` is None without a champion."""

    kind: Literal["champion"] = "champion"
    stage: Stage
    metric: str
    rule: Rule
    required: float
    version: str | None
    measured: Estimate | None = None
    few_images: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupsCheck(_Condition):
    """Whether any class or slice is shown to be worse than the champion's by more than a margin, after Holm.

    `required` is the negative margin; `lowest` has the lowest difference, which is `measured`. Of the groups,
    `compared` have an interval, and `not_compared` are in too few test images for one. With fewer resamples than
    `least_resamples` no group could fail; None where there are enough.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
    """

    kind: Literal["classes", "slices"]
    metric: str
    required: float
    lowest: str
    measured: Estimate
    worse: tuple[str, ...]
    compared: int
    not_compared: tuple[str, ...]
    resamples: int
    least_resamples: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetCheck(_Condition):
    """Whether the latency in ms, or the size in bytes, is at most `required`; None where it was not measured."""

    kind: Literal["latency", "size"]
    required: float
    measured: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCheck(_Condition):
    """A check as earlier versions of this software stored it: with its sentence instead of its data."""

    kind: Literal["recorded"] = "recorded"
    name: str
    required: str
    measured: str
    sentence: str
    estimate: Estimate | None = None
    limit: float | None = None


Check = (
    ProofCheck
    | SelectionCheck
    | AlreadyInStageCheck
    | ImageCountCheck
    | FloorCheck
    | ClassFloorCheck
    | ChampionCheck
    | GroupsCheck
    | BudgetCheck
    | RecordedCheck
)
