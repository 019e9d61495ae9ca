"""The rule by which a version is promoted, as a value: what selects, what must hold, and how sure it must be.

Whether a policy can decide on a data set: its classes and slices exist, and its guards are able to fail.

A floor for a misspelt class would be inconclusive for ever, and a guard with too few resamples would pass whatever
happens. Both are known before anything is trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, Literal

import numpy as np

from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.evaluation.intervals import (
    LEAST_DEFINED,
    MOST_RESAMPLES,
    Floats,
    Measure,
    Resampling,
    bootstrap,
    least_resamples,
    least_resamples_of_an_interval,
)
from cv_yolo.domain.promotion.versions import Stage

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

    Below `min_images` test images no interval is trusted; beyond `test_budget` decisions on the same test images a
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


MOST_NAMED: Final = 12
PLURALS: Final = {"class": "classes", "slice": "slices"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedOn:
    """What test images have to offer: annotated boxes of each class in each image, (n, K), and the slices, (n,) each.

    `classes` are all of the data set, whether the test images have any of them or not.
    """

    classes: tuple[str, ...]
    boxes: Floats
    slices: Mapping[str, tuple[bool, ...]]

    @property
    def images(self) -> int:
        """How many test images there are."""
        return len(self.boxes)

    def boxes_of(self, name: str) -> int:
        """The annotated boxes of one class."""
        return int(self.boxes[:, self.classes.index(name)].sum())

    def groups(self, kind: str) -> dict[str, Floats]:
        """How many boxes each class or slice has in each image, (n,); without those that have none at all."""
        whole = self.boxes.sum(axis=1)
        parts = {name: self.boxes[:, place] for place, name in enumerate(self.classes)}
        if kind == "slice":
            parts = {name: whole * np.array(images) for name, images in self.slices.items()}
        return {name: counts for name, counts in parts.items() if counts.any()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """Why a policy cannot decide on a data set: the key of the policy, what is wrong with it, and what to do."""

    key: str
    message: str
    hint: str


def judged_on(
    truths: Sequence[GroundTruth], classes: tuple[str, ...], slices: Mapping[str, tuple[bool, ...]]
) -> JudgedOn:
    """What these test images have to offer; crowds are not asked for."""
    asked = (truth.class_ids if truth.crowds is None else truth.class_ids[~truth.crowds] for truth in truths)
    counts = [np.bincount(class_ids, minlength=len(classes)) for class_ids in asked]
    boxes = np.array(counts, dtype=np.float64).reshape(len(truths), len(classes))
    return JudgedOn(classes=classes, boxes=boxes, slices=slices)


def misfits(policy: PromotionPolicy, test: JudgedOn) -> tuple[Misfit, ...]:
    """Everything because of which the policy must be changed before it can decide; nothing where it can."""
    return tuple(
        each
        for stage, gate in policy.gates.items()
        for each in (*_unknown_names(stage, gate, test), *_guards(stage, policy, test))
    )


def shortages(policy: PromotionPolicy, test: JudgedOn) -> tuple[str, ...]:
    """What the test images are too few for, in sentences: known before training, and no reason not to train."""
    return tuple(
        f"gates.{stage}.required_classes: {name} has {test.boxes_of(name)} boxes in test, {gate.required_boxes} are "
        "required: the decision will be inconclusive"
        for stage, gate in policy.gates.items()
        for name in gate.required_of(test.classes)
        if test.images and name in test.classes and test.boxes_of(name) < gate.required_boxes
    )


def _unknown_names(stage: Stage, gate: Gate, test: JudgedOn) -> Iterator[Misfit]:
    if gate.required_classes != ALL_CLASSES:
        for name in gate.required_classes:
            if name not in test.classes:
                yield _unknown(f"gates.{stage}.required_classes", "class", name, test.classes)
    for figure in gate.floors:
        kind, _, rest = figure.partition("/")
        name = rest.rpartition("/")[0]
        known = test.classes if kind == "class" else tuple(test.slices)
        if kind in PLURALS and name not in known and (kind == "class" or test.images):
            yield _unknown(f"gates.{stage}.floors.{figure}", kind, name, known)


def _unknown(key: str, kind: str, name: str, known: Sequence[str]) -> Misfit:
    close = get_close_matches(name.casefold(), [each.casefold() for each in known], n=1, cutoff=0.5)
    meant = next((each for each in known if close and each.casefold() == close[0]), None)
    guess = "" if meant is None else f"; did you mean {meant!r}?"
    listed = ", ".join(known[:MOST_NAMED]) + (f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else "")
    where = "the data set" if kind == "class" else "the test split"
    return Misfit(
        key=key,
        message=f"{where} has no {kind} {name!r}{guess}",
        hint=f"its {PLURALS[kind]}: {listed or 'none'}; correct the policy or the data set",
    )


def _guards(stage: Stage, policy: PromotionPolicy, test: JudgedOn) -> Iterator[Misfit]:
    """The guards that could not fail: for want of resamples, or since nothing is in enough images."""
    gate, made = policy.gates[stage], policy.resampling
    for kind, margin in (("class", gate.class_margin), ("slice", gate.slice_margin)):
        groups = test.groups(kind)
        if margin is None or not groups:
            continue
        key, counted = f"gates.{stage}.{kind}_margin", f"{len(groups)} {kind if len(groups) == 1 else PLURALS[kind]}"
        least = least_resamples(len(groups), made.confidence)
        if made.resamples < least:
            yield Misfit(
                key="intervals.resamples",
                message=f"at least {least} for {counted} at {100 * made.confidence:.6g} %, not {made.resamples}: with "
                f"fewer, {key} cannot fail",
                hint=_remedy(least, key),
            )
        elif test.images >= policy.min_images and not _any_known(groups, made):
            yield Misfit(
                key=key,
                message=f"cannot fail: none of {counted} is in enough of the {test.images} test images for an interval",
                hint=f"add test images of them, or leave {kind}_margin out and give those that matter a floor",
            )


def _remedy(least: int, key: str) -> str:
    if least <= MOST_RESAMPLES:
        return f"set it to {least} or more, or leave {key} out"
    return f"that is more than {MOST_RESAMPLES}: lower intervals.confidence, or leave {key} out and set floors"


def _any_known(groups: Mapping[str, Floats], resampling: Resampling) -> bool:
    """Whether enough of the resamples have a box of any of the groups, so that it gets an interval."""
    present = np.stack([counts > 0 for counts in groups.values()], axis=1).astype(np.float64)
    measure = Measure(names=tuple(groups), compute=lambda draws: draws @ present)
    samples = bootstrap(measure, images=len(present), resampling=resampling).samples
    return bool(((samples > 0).mean(axis=0) >= LEAST_DEFINED).any())
