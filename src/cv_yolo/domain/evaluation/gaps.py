"""What a mean hides: classes, slices and sizes of which a model finds nothing, and classes that were not measured."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cv_yolo.domain.evaluation.all_metrics import AREA_RANGES_PX
from cv_yolo.domain.evaluation.evaluation import Evaluation

SHOWN_DECIMALS: Final = 3  # what is shown as 0.000 is as good as nothing


class GapKind(StrEnum):
    """In which way a group is missing: at every confidence, at the one in use, or from the figures."""

    NEVER_FOUND = "never found"
    NOT_FOUND_IN_USE = "not found at the confidence in use"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A class, a slice or a size of box that is missing; `count` are its boxes (of a slice its images) in the split."""

    group: str
    name: str
    kind: GapKind
    count: int | None = None


def gaps(evaluation: Evaluation) -> tuple[Gap, ...]:
    """Everything that is missing: classes first, of each group the gravest first; nothing where all is found.

    A size without boxes, or a slice without, is no gap: it was not asked for. A class without boxes is one.
    """
    found = (*_classes(evaluation), *_slices(evaluation), *_sizes(evaluation))
    order = list(GapKind)
    groups = ("class", "slice", "size")
    return tuple(
        sorted(found, key=lambda gap: (groups.index(gap.group), order.index(gap.kind), -(gap.count or 0), gap.name))
    )


def _classes(evaluation: Evaluation) -> Iterator[Gap]:
    boxes = {curve.name: curve.truths for curve in evaluation.curves}
    for name in evaluation.subject.classes:
        kind = _kind(evaluation, f"class/{name}/ap_50", f"class/{name}/recall")
        if kind is not None:
            yield Gap(group="class", name=name, kind=kind, count=boxes.get(name, 0))


def _slices(evaluation: Evaluation) -> Iterator[Gap]:
    for name, images in evaluation.slices.items():
        kind = _kind(evaluation, f"slice/{name}/map_50", f"slice/{name}/recall")
        if kind not in {None, GapKind.NOT_MEASURED}:
            yield Gap(group="slice", name=name, kind=kind, count=images)


def _sizes(evaluation: Evaluation) -> Iterator[Gap]:
    for name in AREA_RANGES_PX:
        kind = _kind(evaluation, f"map_{name}", f"size/{name}/recall")
        if kind not in {None, GapKind.NOT_MEASURED}:
            yield Gap(group="size", name=name, kind=kind)


def _kind(evaluation: Evaluation, precision: str, recall: str) -> GapKind | None:
    """How a group is missing, by its average precision and by its recall in use; None where it is found."""
    found, in_use = evaluation.figures.get(precision), evaluation.figures.get(recall)
    if found is None:
        return GapKind.NOT_MEASURED
    if round(found.value, SHOWN_DECIMALS) == 0:
        return GapKind.NEVER_FOUND
    return GapKind.NOT_FOUND_IN_USE if in_use is not None and in_use.value == 0 else None
