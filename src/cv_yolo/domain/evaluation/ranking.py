"""Several models on the same images, the best first, each with its paired differences from the best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from cv_yolo.domain.evaluation.comparison import difference_of
from cv_yolo.domain.evaluation.evaluation import Evaluation, Scored
from cv_yolo.domain.evaluation.intervals import Estimate, estimates


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedModel:
    """A model in its place, from 1; `differences` are its metrics minus those of the best, empty for the best."""

    rank: int
    name: str
    evaluation: Evaluation
    differences: dict[str, Estimate]


def rank_models(scored: Mapping[str, Scored], *, metric: str) -> tuple[RankedModel, ...]:
    """The models by a metric, the highest first, equal ones in the order given; without the metric last."""

    def place(name: str) -> float:
        found = scored[name].evaluation.figures.get(metric)
        return math.inf if found is None else -found.value

    best, *others = sorted(scored, key=place)
    confidence = scored[best].evaluation.resampling.confidence
    differences: dict[str, dict[str, Estimate]] = {best: {}}
    for name in others:
        differences[name] = estimates(difference_of(scored[best], scored[name]), confidence=confidence)
    return tuple(
        RankedModel(rank=rank, name=name, evaluation=scored[name].evaluation, differences=found)
        for rank, (name, found) in enumerate(differences.items(), start=1)
    )
