"""How sure a figure is: the bootstrap over whole images.

An image is drawn with all that is in it, as a new image from the same source would bring all that is in it. Two models
are compared on the same draws, so that what an image does to both cancels.

Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapters 13 and 14 (percentile and BCa intervals);
Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 1979.
"""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.evaluation.expansion import expanded

Floats = npt.NDArray[np.float64]

JACKKNIFE_GROUPS: Final = 200  # images are left out in groups where there are more
CELLS_AT_ONCE: Final = 75_000  # rows of a ranking times draws: more does not fit the processor's caches
LEAST_CONFIDENCE: Final = 0.5
LEAST_DEFINED: Final = 0.99  # of the resamples define a figure that has an interval: it rests on about five images
MOST_RESAMPLES: Final = 10_000  # that a person may ask for
NORMAL: Final = NormalDist()


class Method(StrEnum):
    """How an interval was made: bias-corrected and accelerated where that is defined, else by percentiles."""

    BCA = "bca"
    PERCENTILE = "percentile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From `low` to `high`, at a confidence level that its owner states."""

    low: float
    high: float
    method: Method

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ValueError(f"not an interval: {self.low} to {self.high}")

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval, which is absent where the resamples do not define one."""

    value: float
    interval: Interval | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"not a figure: {self.value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampling:
    """How intervals are made: at which confidence, from how many resamples, with which seed."""

    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        if not LEAST_CONFIDENCE <= self.confidence < 1:
            raise ValueError(f"confidence must be at least 0.5 and below 1, not {self.confidence}")
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measure:
    """F figures by name, and how they are computed for B draws of n images: `compute` takes (B, n) and gives (B, F).

    A draw says how often each image counts. NaN stands for a figure that a draw does not define. `cells` is how
    many rows `compute` goes through for one draw.
    """

    names: tuple[str, ...]
    compute: Callable[[Floats], Floats]
    cells: int = 0


def together(measures: Sequence[Measure]) -> Measure:
    """Several measures of the same images as one."""
    return Measure(
        names=tuple(name for measure in measures for name in measure.names),
        compute=lambda draws: np.concatenate([measure.compute(draws) for measure in measures], axis=1),
        cells=max((measure.cells for measure in measures), default=0),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bootstrapped:
    """F figures: on the split itself (F,), on B resamples (B, F), and with a group of images left out (G, F)."""

    names: tuple[str, ...]
    point: Floats
    samples: Floats
    jackknife: Floats

    def only(self, names: Collection[str]) -> "Bootstrapped":
        """Some of the figures, in the order in which they are here."""
        kept = [index for index, name in enumerate(self.names) if name in names]
        return Bootstrapped(
            names=tuple(self.names[index] for index in kept),
            point=self.point[kept],
            samples=self.samples[:, kept],
            jackknife=self.jackknife[:, kept],
        )

    def minus(self, other: "Bootstrapped") -> "Bootstrapped":
        """The paired differences: both must come from the same draws."""
        if self.names != other.names or len(self.samples) != len(other.samples):
            raise ValueError("not the same figures of the same draws")
        return Bootstrapped(
            names=self.names,
            point=self.point - other.point,
            samples=self.samples - other.samples,
            jackknife=self.jackknife - other.jackknife,
        )


def bootstrap(measure: Measure, *, images: int, resampling: Resampling) -> Bootstrapped:
    """Compute the figures for everything that an interval needs.

    The same `images` and `resampling` give the same draws, whatever is measured.
    """
    at_once = max(1, CELLS_AT_ONCE // max(1, measure.cells, images))
    return Bootstrapped(
        names=measure.names,
        point=measure.compute(np.ones((1, images)))[0],
        samples=_measured(measure, _draws(images, resampling, at_once)),
        jackknife=_measured(measure, _leaving_out(images, at_once)),
    )


def estimates(found: Bootstrapped, *, confidence: float) -> dict[str, Estimate]:
    """Each figure with its interval, by name; a figure that the split does not define is absent.

    A single image has no interval: all its resamples are the same, and say nothing of other images.
    """
    single = len(found.jackknife) == 1
    return {
        name: Estimate(
            value=float(found.point[index]),
            interval=None
            if single
            else interval_of(
                float(found.point[index]),
                found.samples[:, index],
                found.jackknife[:, index],
                expanded(confidence, found.jackknife[:, index]),
            ),
        )
        for index, name in enumerate(found.names)
        if not math.isnan(found.point[index])
    }


def interval_of(point: float, samples: Floats, jackknife: Floats, confidence: float) -> Interval | None:
    """The BCa interval, or the percentile interval where BCa is not defined; None without enough resamples."""
    known = samples[~np.isnan(samples)]
    if len(known) < LEAST_DEFINED * len(samples):
        return None
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    corrected = _bca_tails(point, known, jackknife[~np.isnan(jackknife)], tails)
    low, high = np.quantile(known, corrected or tails)
    return Interval(low=float(low), high=float(high), method=Method.BCA if corrected else Method.PERCENTILE)


def chance_of_at_least(limit: float, samples: Floats) -> float:
    """The part of the resamples, never 0, that reach the limit: a one-sided p-value for being below it.

    Source: Davison & Hinkley, "Container Methods and their Application", 1997, section 4.4 (one added to both counts).
    """
    known = samples[~np.isnan(samples)]
    return float((1 + np.count_nonzero(known >= limit)) / (1 + len(known)))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: each may be compared with the level as if it were the only one."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = running
    return tuple(float(each) for each in adjusted)


def least_resamples(comparisons: int, confidence: float) -> int:
    """How many resamples it takes for one of so many comparisons, none of whose resamples reaches the limit, to fail.

    Its p-value is 1 / (1 + k) with k defined resamples, Holm multiplies the lowest one by the comparisons, and of B
    resamples at least `LEAST_DEFINED` define a figure that has an interval. Fewer resamples cannot decide anything.
    """
    level = 1 - confidence
    defined = max(1, math.floor(comparisons / level) - 1)
    while comparisons * (1 / (1 + defined)) >= level:
        defined += 1
    resamples = math.floor((defined - 1) / LEAST_DEFINED)
    while math.ceil(LEAST_DEFINED * resamples) < defined:
        resamples += 1
    return resamples


def least_resamples_of_an_interval(confidence: float) -> int:
    """How many resamples it takes for one of them to lie beyond each end of an interval.

    Source: Davison & Hinkley, "Container Methods and their Application", 1997, section 5.2 ((B + 1) alpha at least 1).
    """
    return math.ceil(round(2 / (1 - confidence) - 1, 6))


def images_to_settle(estimate: Estimate, limit: float, *, images: int) -> int | None:
    """How many images, in all, would bring the nearer end of the interval to the limit; None where none would.

    The width of an interval falls with the square root of the number of images; the estimate is taken as it stands.
    """
    interval, distance = estimate.interval, estimate.value - limit
    if interval is None or distance == 0:
        return None
    reach = estimate.value - interval.low if distance > 0 else interval.high - estimate.value
    return max(images + 1, math.ceil(images * (reach / distance) ** 2))


def _draws(images: int, resampling: Resampling, at_once: int) -> Iterator[Floats]:
    rng = np.random.default_rng([resampling.seed, images])
    for start in range(0, resampling.resamples, at_once):
        rows = min(at_once, resampling.resamples - start)
        drawn = rng.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)


def _leaving_out(images: int, at_once: int) -> Iterator[Floats]:
    """Draws that leave out one group of images each; the groups go across the whole split."""
    groups = min(images, JACKKNIFE_GROUPS)
    group = np.arange(images) % groups
    for start in range(0, groups, at_once):
        left_out = np.arange(start, min(groups, start + at_once))
        yield (group[None, :] != left_out[:, None]).astype(np.float64)


def _measured(measure: Measure, draws: Iterator[Floats]) -> Floats:
    return np.concatenate([measure.compute(portion) for portion in draws])


def _bca_tails(
    point: float, samples: Floats, jackknife: Floats, tails: tuple[float, float]
) -> tuple[float, float] | None:
    """Which quantiles of the resamples bound the BCa interval; None where bias or acceleration are not defined."""
    below = float(np.mean(samples < point) + np.mean(samples == point) / 2)
    if not 0 < below < 1 or len(np.unique(jackknife)) <= 1:  # no image has an influence
        return None
    away = jackknife.mean() - jackknife
    away /= np.abs(away).max()
    bias, acceleration = NORMAL.inv_cdf(below), float((away**3).sum()) / (6 * float((away**2).sum()) ** 1.5)
    ends = [bias + NORMAL.inv_cdf(tail) for tail in tails]
    if any(acceleration * end >= 1 for end in ends):
        return None
    low, high = (NORMAL.cdf(bias + end / (1 - acceleration * end)) for end in ends)
    return (low, high) if low < high else None
