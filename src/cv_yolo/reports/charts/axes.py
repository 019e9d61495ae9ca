"""Axes with round ticks, for every chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]

TICKS: Final = 5
TINY: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The values from `low` to `high`, with ticks at round ones."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int

    def share(self, value: float) -> float:
        """Where a value lies, 0 at `low` and 1 at `high`."""
        return (value - self.low) / (self.high - self.low)

    def text(self, value: float) -> str:
        """A tick's label; negative ones with a minus sign."""
        rounded = round(value, self.decimals) or 0.0
        return f"{'−' if rounded < 0 else ''}{abs(rounded):.{self.decimals}f}"


def axis_over(
    values: Sequence[float], least: Range | None = None, *, rounded: bool = False, ticks: int = TICKS
) -> Axis:
    """An axis over the values; a `rounded` one begins and ends at a tick, another one keeps whole values whole."""
    low, high = _extent([*values, *(least or ())] or [0.0, 1.0])
    step = _nice_step((high - low) / ticks)
    if rounded:
        low, high = math.floor(low / step + TINY) * step, math.ceil(high / step - TINY) * step
    elif values and all(float(value).is_integer() for value in values):
        step = max(step, 1.0)
    numbers = range(math.ceil(low / step - TINY), math.floor(high / step + TINY) + 1)
    decimals = max(0, -math.floor(math.log10(step) + TINY))
    return Axis(low=low, high=high, ticks=tuple(number * step for number in numbers), decimals=decimals)


def _extent(values: Sequence[float]) -> Range:
    """The lowest and the highest value, with room around values that are the same but for rounding."""
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    if high - low > TINY * max(size, TINY):
        return low, high
    pad = size / 10 if size > TINY else 0.5
    return low - pad, high + pad


def _nice_step(rough: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least so large (but for rounding)."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - TINY))
