"""A small line chart as inline SVG: no library, no script, readable in light and dark and without colour."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cv_yolo.reports.charts.axes import Axis, Range, axis_over
from cv_yolo.reports.markup import Html, escaped
from cv_yolo.reports.text.formatting import count_text

Points = tuple[tuple[float, float], ...]
Spread = tuple[tuple[float, float, float], ...]

WIDTH, PLOT_HEIGHT = 360, 180
TOP, RIGHT, BOTTOM = 50, 14, 42
CHARACTER, LEGEND_ROW, SWATCH, GAP = 6.9, 19, 27, 12
NAME_LENGTH, TITLE_LENGTH = 26, 42
CAP = 3
# Okabe & Ito, "Color Universal Design", 2008; the page's style lightens them where it is dark.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5568f", "#b07a00", "#3a8fc4", "#59626d")
FIRST, SECOND = 6, 0  # the slots of two models, of which the first is the measure of the second
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
    """One line; `slot` gives its colour, dashes and marker, `marked` the points that get a marker.

    `band` and `whiskers` show how sure it is, as (x, low, high): a shaded strip, or a bar at each x. `without` says in
    the legend why there is no line.
    """

    name: str
    points: Points
    slot: int
    marked: Points = ()
    band: Spread = ()
    whiskers: Spread = ()
    without: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is written on a chart: `empty` where it has no line; the `description` is for those who hear it."""

    title: str
    x: str
    y: str
    description: str = ""
    empty: str = "no values"


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
    labels: Labels,
    *,
    x_range: Range | None = None,
    y_range: Range | None = None,
    diagonal: bool = False,
) -> Html:
    """A chart that covers at least the given ranges and every point; all values must be finite.

    Series without points have no line, and a place in the legend only where they say why; a single point is marked.
    The `diagonal`, from corner to corner, is where a perfect line would lie.
    """
    shown = [each for each in series if each.points]
    frame = Frame(
        x=axis_over([x for each in shown for x, _ in each.points + each.marked], x_range),
        y=axis_over([y for each in shown for y in _heights(each)], y_range, rounded=True),
    )
    legend, rows = _legend([each for each in series if each.points or each.without], frame)
    height = frame.bottom + BOTTOM + rows * LEGEND_ROW
    parts = [
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" font-family="inherit" font-size="12" fill="currentColor">',
        f"<title>{escaped(labels.title)}</title>",
        *([f"<desc>{escaped(labels.description)}</desc>"] if labels.description else []),
        *_frame(frame, labels, diagonal=diagonal),
        *(_spread(each, frame) for each in shown if each.band or each.whiskers),
        *(_line(each, frame) for each in shown),
        *([] if shown else [_text(WIDTH / 2, TOP + PLOT_HEIGHT / 2, labels.empty, anchor="middle")]),
        *legend,
        "</svg>",
    ]
    return Html("\n".join(parts))


def histogram(samples: Mapping[str, Sequence[float]], labels: Labels, *, edges: Sequence[float]) -> Html:
    """The share of each sample in each bin as an outline; what lies beyond the last edge counts in the last bin."""
    series = [
        Series(name=f"{name} ({count_text(len(values), 'value')})", points=_stepped(values, edges), slot=slot)
        for slot, (name, values) in enumerate(samples.items())
        if len(values)
    ]
    return line_chart(series, labels, x_range=(edges[0], edges[-1]), y_range=(0.0, 1.0 if not series else 0.0))


def _stepped(values: Sequence[float], edges: Sequence[float]) -> Points:
    inside = np.clip(np.asarray(values, dtype=np.float64), edges[0], edges[-1])
    shares = 100 * np.histogram(inside, bins=np.asarray(edges))[0] / len(values)
    steps = [
        (float(x), float(share))
        for low, high, share in zip(edges, edges[1:], shares, strict=False)
        for x in (low, high)
    ]  # fmt: skip
    return ((float(edges[0]), 0.0), *steps, (float(edges[-1]), 0.0))


def group(slot: int) -> str:
    """The opening of a group in a slot's colour."""
    number = slot % len(COLOURS)
    return f'<g class="slot-{number}" color="{COLOURS[number]}">'


def marker(slot: int) -> str:
    """The shape of a slot's marker, as a path around 0."""
    return MARKERS[slot % len(MARKERS)]


def shortened(text: str, length: int) -> str:
    """The text, or its beginning where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _frame(frame: Frame, labels: Labels, *, diagonal: bool) -> Iterator[str]:
    right = WIDTH - RIGHT
    yield _text(0, 14, shortened(labels.title, TITLE_LENGTH), extra='font-size="13" font-weight="600"')
    yield _text(0, TOP - 14, labels.y, extra='class="muted"')
    for tick in frame.y.ticks:
        y = frame.at_y(tick)
        yield f'<path class="grid" d="M{frame.left:.1f} {y:.1f}H{right}" stroke="currentColor" stroke-opacity=".16"/>'
        yield _text(frame.left - 7, y + 4, frame.y.text(tick), anchor="end", extra='class="muted"')
    for tick in frame.x.ticks:
        x = frame.at_x(tick)
        yield f'<path d="M{x:.1f} {frame.bottom}v4" stroke="currentColor" stroke-opacity=".5"/>'
        yield _text(x, frame.bottom + 17, frame.x.text(tick), anchor="middle", extra='class="muted"')
    yield _text(right, frame.bottom + 33, labels.x, anchor="end", extra='class="muted"')

    if diagonal:
        yield (
            f'<path d="M{frame.left:.1f} {frame.bottom}L{right} {TOP}" stroke="currentColor" stroke-opacity=".45" '
            'stroke-dasharray="5 4"/>'
        )


def _heights(series: Series) -> Iterator[float]:
    yield from (y for _, y in series.points + series.marked)
    for _, low, high in series.band + series.whiskers:
        yield from (low, high)


def _spread(series: Series, frame: Frame) -> str:
    """The strip in which the line lies, or the bars at its points."""
    upper = [f"{frame.at_x(x):.1f},{frame.at_y(high):.1f}" for x, _, high in series.band]
    lower = [f"{frame.at_x(x):.1f},{frame.at_y(low):.1f}" for x, low, _ in reversed(series.band)]
    band = f'<polygon points="{" ".join(upper + lower)}" fill="currentColor" fill-opacity=".16"/>' if upper else ""
    bars = "".join(
        f"M{frame.at_x(x) - CAP:.1f} {frame.at_y(low):.1f}h{2 * CAP}m{-CAP} 0V{frame.at_y(high):.1f}m{-CAP} 0h{2 * CAP}"
        for x, low, high in series.whiskers
    )
    drawn = f'<path d="{bars}" fill="none" stroke="currentColor" stroke-width="1.3"/>' if bars else ""
    return f"{group(series.slot)}{band}{drawn}</g>"


def _line(series: Series, frame: Frame) -> str:
    path = " ".join(f"{frame.at_x(x):.1f},{frame.at_y(y):.1f}" for x, y in series.points)
    marked = series.marked or (series.points if len(series.points) == 1 else ())
    marks = "".join(
        f'<path d="{marker(series.slot)}" fill="currentColor" '
        f'transform="translate({frame.at_x(x):.1f} {frame.at_y(y):.1f})">'
        f"<title>{escaped(f'{series.name}: {y:.3f} at {x:.3g}')}</title></path>"
        for x, y in marked
    )
    return (
        f'{group(series.slot)}<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="1.8" '
        f'stroke-linejoin="round" stroke-dasharray="{DASHES[series.slot % len(DASHES)]}"/>{marks}</g>'
    )


def _legend(series: Iterable[Series], frame: Frame) -> tuple[list[str], int]:
    """The entries, wrapped into rows, and the number of rows."""
    entries: list[str] = []
    x, row = 0.0, 0
    for each in series:
        name = shortened(each.name, NAME_LENGTH) + (f": {each.without}" if each.without else "")
        width = SWATCH + CHARACTER * len(name) + GAP
        if entries and x + width - GAP > WIDTH:
            x, row = 0.0, row + 1
        y = frame.bottom + BOTTOM + (row + 0.6) * LEGEND_ROW
        entries.append(f'<g transform="translate({x:.1f} {y:.1f})">{_swatch(each.slot)}{_text(SWATCH, 0, name)}</g>')
        x += width
    return entries, row + 1 if entries else 0


def _swatch(slot: int) -> str:
    return (
        f'{group(slot)}<path d="M0 -4H22" stroke="currentColor" stroke-width="1.8" '
        f'stroke-dasharray="{DASHES[slot % len(DASHES)]}"/>'
        f'<path d="{marker(slot)}" fill="currentColor" transform="translate(11 -4)"/></g>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>{escaped(text)}</text>'
