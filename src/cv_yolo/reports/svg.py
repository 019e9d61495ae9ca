"""A small line chart as inline SVG: no library, no script, readable in light and dark and without colour."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cv_yolo.reports.text import escaped

Range = tuple[float, float]
Points = tuple[tuple[float, float], ...]

WIDTH, PLOT_HEIGHT = 360, 180
TOP, RIGHT, BOTTOM = 50, 14, 42
CHARACTER, LEGEND_ROW, SWATCH, GAP = 6.9, 19, 27, 12
NAME_LENGTH, TITLE_LENGTH = 26, 42
TICKS, TINY = 5, 1e-9
# Okabe & Ito, "Color Universal Design", 2008; the page's style lightens them where it is dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5568f", "#b07a00", "#3a8fc4")
DASHES = ("none", "7 3", "2 3", "9 3 2 3")
MARKERS = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0 -6.8 0z",
    "M-3.1 -3.1h6.2v6.2h-6.2z",
    "M0 -4.2L3.9 2.8H-3.9z",
    "M0 -4.4L4.4 0L0 4.4L-4.4 0z",
    "M0 4.2L3.9 -2.8H-3.9z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line; `slot` gives its colour, dashes and marker, `marked` the points that get a marker."""

    name: str
    points: Points
    slot: int
    marked: Points = ()


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
        """A tick's label."""
        return f"{value:.{self.decimals}f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The plot's place in the picture, in its own units."""

    x: Axis
    y: Axis

    @property
    def left(self) -> float:
        """The left edge, beside the widest tick label."""
        return 14 + CHARACTER * max(len(self.y.text(tick)) for tick in self.y.ticks)

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return TOP + PLOT_HEIGHT

    def at_x(self, value: float) -> float:
        """The horizontal place of a value."""
        return self.left + self.x.share(value) * (WIDTH - RIGHT - self.left)

    def at_y(self, value: float) -> float:
        """The vertical place of a value."""
        return self.bottom - self.y.share(value) * PLOT_HEIGHT


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_range: Range | None = None,
    y_range: Range | None = None,
) -> str:
    """A chart that covers at least the given ranges and every point; all values must be finite.

    Series without points have no line and no place in the legend; a single point is marked.
    """
    shown = [each for each in series if each.points]
    points = [point for each in shown for point in each.points + each.marked]
    frame = Frame(
        x=_axis([x for x, _ in points], x_range),
        y=_axis([y for _, y in points], y_range, rounded=True),
    )
    legend, rows = _legend(shown, frame)
    height = frame.bottom + BOTTOM + rows * LEGEND_ROW
    parts = [
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" font-family="inherit" font-size="12" fill="currentColor">',
        f"<title>{escaped(title)}</title>",
        *_frame(frame, title=title, x_label=x_label, y_label=y_label),
        *(_line(each, frame) for each in shown),
        *([] if shown else [_text(WIDTH / 2, TOP + PLOT_HEIGHT / 2, "no values", anchor="middle")]),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts)


def shortened(text: str, length: int) -> str:
    """The text, or its beginning where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _axis(values: Sequence[float], least: Range | None, *, rounded: bool = False) -> Axis:
    """An axis over the values; a `rounded` one begins and ends at a tick, another one keeps whole values whole."""
    low, high = _extent([*values, *(least or ())] or [0.0, 1.0])
    step = _nice_step((high - low) / TICKS)
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


def _frame(frame: Frame, *, title: str, x_label: str, y_label: str) -> Iterator[str]:
    right = WIDTH - RIGHT
    yield _text(0, 14, shortened(title, TITLE_LENGTH), extra='font-size="13" font-weight="600"')
    yield _text(0, TOP - 14, y_label, extra='class="muted"')
    for tick in frame.y.ticks:
        y = frame.at_y(tick)
        yield f'<path class="grid" d="M{frame.left:.1f} {y:.1f}H{right}" stroke="currentColor" stroke-opacity=".16"/>'
        yield _text(frame.left - 7, y + 4, frame.y.text(tick), anchor="end", extra='class="muted"')
    for tick in frame.x.ticks:
        x = frame.at_x(tick)
        yield f'<path d="M{x:.1f} {frame.bottom}v4" stroke="currentColor" stroke-opacity=".5"/>'
        yield _text(x, frame.bottom + 17, frame.x.text(tick), anchor="middle", extra='class="muted"')
    yield _text(right, frame.bottom + 33, x_label, anchor="end", extra='class="muted"')


def _line(series: Series, frame: Frame) -> str:
    path = " ".join(f"{frame.at_x(x):.1f},{frame.at_y(y):.1f}" for x, y in series.points)
    marked = series.marked or (series.points if len(series.points) == 1 else ())
    marks = "".join(
        f'<path d="{_marker(series.slot)}" fill="currentColor" '
        f'transform="translate({frame.at_x(x):.1f} {frame.at_y(y):.1f})">'
        f"<title>{escaped(f'{series.name}: {y:.3f} at {x:.3g}')}</title></path>"
        for x, y in marked
    )
    return (
        f'{_group(series.slot)}<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.8" '
        f'stroke-linejoin="round" stroke-dasharray="{DASHES[series.slot % len(DASHES)]}"/>{marks}</g>'
    )


def _legend(series: Iterable[Series], frame: Frame) -> tuple[list[str], int]:
    """The entries, wrapped into rows, and the number of rows."""
    entries: list[str] = []
    x, row = 0.0, 0
    for each in series:
        name = shortened(each.name, NAME_LENGTH)
        width = SWATCH + CHARACTER * len(name) + GAP
        if entries and x + width - GAP > WIDTH:
            x, row = 0.0, row + 1
        y = frame.bottom + BOTTOM + (row + 0.6) * LEGEND_ROW
        entries.append(f'<g transform="translate({x:.1f} {y:.1f})">{_swatch(each.slot)}{_text(SWATCH, 0, name)}</g>')
        x += width
    return entries, row + 1 if entries else 0


def _swatch(slot: int) -> str:
    return (
        f'{_group(slot)}<path d="M0 -4H22" stroke="currentColor" stroke-width="1.8" '
        f'stroke-dasharray="{DASHES[slot % len(DASHES)]}"/>'
        f'<path d="{_marker(slot)}" fill="currentColor" transform="translate(11 -4)"/></g>'
    )


def _group(slot: int) -> str:
    number = slot % len(COLOURS)
    return f'<g class="slot-{number}" color="{COLOURS[number]}">'


def _marker(slot: int) -> str:
    return MARKERS[slot % len(MARKERS)]


def _text(x: float, y: float, text: str, *, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escaped(text)}</text>'
