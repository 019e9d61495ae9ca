"""The rule by which a version is promoted, as a value: what selects, what must hold, and how sure it must be."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from cv_yolo.domain.intervals import Resampling, least_resamples_of_an_interval
from cv_yolo.domain.versions import Stage

ALL_CLASSES: Final = "all"


class Rule(StrEnum):
    """What the candidate must be against the champion: not worse by more than a margin, or better."""

    NON_INFERIORITY = "non_inferiority"
    SUPERIORITY = "superiority"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a version must pass to enter one stage.

    `metric` is compared with the champion's by `rule`, with `margin`. No class and no slice may be worse by more than
    its own margin (None: not asked). `floors` maps figures to what the lower end of their interval must exceed;
    `class_floor` is that of `ap_50` of every class that has none of its own. `required_classes` must each have at least
    `required_boxes` annotated boxes in test, and be found: the lower end of their `ap_50` must be above 0.
    `provisional` lets a version enter on fewer images than the policy asks for, while no version in the stage has
    passed the whole gate.
    """

    metric: str = "map_50"
    rule: Rule = Rule.NON_INFERIORITY
    margin: float = 0.02
    class_margin: float | None = None
    slice_margin: float | None = None
    floors: dict[str, float] = field(default_factory=dict)
    class_floor: float | None = None
    required_classes: tuple[str, ...] | Literal["all"] = ()
    required_boxes: int = 10
    max_latency_ms: float | None = None
    max_size_bytes: int | None = None
    provisional: bool = False

    @property
    def required_difference(self) -> float:
        """What the lower end of the paired difference must exceed."""
        return 0.0 if self.rule is Rule.SUPERIORITY else -self.margin

    def required_of(self, classes: Sequence[str]) -> tuple[str, ...]:
        """Which classes of a data set are required."""
        return tuple(classes if self.required_classes == ALL_CLASSES else dict.fromkeys(self.required_classes))

    def floored_of(self, classes: Sequence[str]) -> tuple[str, ...]:
        """For which classes of a data set `class_floor` holds: those without a floor of their own."""
        if self.class_floor is None:
            return ()
        return tuple(name for name in classes if f"class/{name}/ap_50" not in self.floors)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionPolicy:
    """The whole rule. `selection_metric` on val chooses inside a grid; the gates judge the chosen one on test, once.

    Below `min_images` test images no interval is believed; beyond `test_budget` decisions on the same test images a
    report warns. `source` and `sha256` name the file that a person wrote.
    """

    model: str
    selection_metric: str
    gates: dict[Stage, Gate]
    resampling: Resampling = field(default_factory=Resampling)
    min_images: int = 30
    test_budget: int = 20
    source: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if Stage.ARCHIVED in self.gates or not self.gates:
            raise ValueError("gates: a policy has gates into staging, into production, or both")
        if any(gate.provisional for stage, gate in self.gates.items() if stage is Stage.PRODUCTION):
            raise ValueError("gates: production needs the whole gate: it cannot be entered provisionally")
        made = self.resampling
        least = least_resamples_of_an_interval(made.confidence)
        if made.resamples < least:
            at = f"{100 * made.confidence:.6g} %"
            raise ValueError(f"intervals.resamples: at least {least} for intervals at {at}, not {made.resamples}")
