"""Intervals as small strips of inline SVG inside tables: they stretch with the cell, and their marks do not.

Lengths along a strip are percentages, so that one strip serves a phone as well as a wide screen. What a strip shows
stands as text beside it, so that those who cannot see it miss nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.reports.charts.axes import Axis
from cv_yolo.reports.charts.line_chart import FIRST, SECOND, group, marker
from cv_yolo.reports.markup import Html, escaped

LANE_PX: Final = 17  # the height in which one interval lies
AXIS_PX: Final = 18
BEYOND_PX: Final = 60
DIAMOND: Final = "M0 -5.2L5.2 0L0 5.2L-5.2 0z"
CAP_PX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One interval of a strip: `kind` is `first`, `second`, or what a difference means: `good`, `bad`, `open`."""

    estimate: Estimate | None
    kind: str

    @property
    def opening(self) -> str:
        """The group in the lane's colour."""
        slots = {"first": FIRST, "second": SECOND}
        return group(slots[self.kind]) if self.kind in slots else f'<g class="is-{self.kind}">'

    @property
    def shape(self) -> str:
        """The marker at the value."""
        return {"first": marker(FIRST), "second": marker(SECOND)}.get(self.kind, DIAMOND)


def interval_plot(axis: Axis, lanes: Sequence[Lane], *, bars: bool = False, line_at: float | None = None) -> Html:
    """A strip with a lane for each interval; `bars` begin at 0, and a strong line stands at `line_at`."""
    height = LANE_PX * len(lanes) + 6
    parts = [
        f'<svg class="strip" width="100%" height="{height}" aria-hidden="true" focusable="false">',
        *_grid(axis, height),
        *([] if line_at is None else [_upright(axis, line_at, -BEYOND_PX, height + BEYOND_PX, kind="limit")]),
    ]
    for place, lane in enumerate(lanes):
        if lane.estimate is not None:
            parts += [lane.opening, *_lane(axis, lane, lane.estimate, LANE_PX * (place + 0.5) + 3, bars=bars), "</g>"]
    return Html("".join((*parts, "</svg>")))


def scale(axis: Axis, title: str) -> Html:
    """The ticks of a column of strips, under the column's title."""
    labels = "".join(
        f'<text x="{_at(axis, tick)}" y="12" text-anchor="middle" fill="currentColor">{axis.text(tick)}</text>'
        for tick in axis.ticks
    )
    return Html(
        f'{escaped(title)}<svg class="scale" width="100%" height="{AXIS_PX}" font-family="inherit" font-size="11.5" '
        f'aria-hidden="true" focusable="false">{labels}</svg>'
    )


def swatch(kind: str) -> Html:
    """A lane's marker alone, to stand before a name or a figure."""
    lane = Lane(estimate=None, kind=kind)
    return Html(
        f'<svg class="swatch" width="12" height="12" viewBox="-6 -6 12 12" aria-hidden="true" focusable="false">'
        f'{lane.opening}<path d="{lane.shape}" fill="currentColor"/></g></svg>'
    )


def _grid(axis: Axis, height: float) -> Iterable[str]:
    """The lines at the ticks; the cell cuts them off, so that they go on from row to row."""
    return (_upright(axis, tick, -BEYOND_PX, height + BEYOND_PX, kind="grid") for tick in axis.ticks)


def _lane(axis: Axis, lane: Lane, estimate: Estimate, y: float, *, bars: bool) -> Iterator[str]:
    interval = estimate.interval
    if bars:
        ends = sorted((axis.share(0.0), axis.share(estimate.value)))
        yield (
            f'<rect x="{100 * ends[0]:.2f}%" y="{y - 5}" width="{100 * (ends[1] - ends[0]):.2f}%" height="10" '
            f'fill="currentColor" fill-opacity="{0.75 if lane.kind == "second" else 0.3}" '
            'stroke="currentColor"/>'
        )
    if interval is not None:
        yield (
            f'<line x1="{_at(axis, interval.low)}" x2="{_at(axis, interval.high)}" y1="{y}" y2="{y}" '
            f'class="{"whisker" if bars else "reach"}"/>'
        )
        for end in (interval.low, interval.high):
            yield _upright(axis, end, y - CAP_PX, y + CAP_PX, kind="whisker" if bars else "reach")
    if not bars:
        yield (
            f'<svg x="{_at(axis, estimate.value)}" y="{y}" overflow="visible">'
            f'<path d="{lane.shape}" fill="currentColor"/></svg>'
        )


def _upright(axis: Axis, value: float, top: float, bottom: float, *, kind: str) -> str:
    return f'<line x1="{_at(axis, value)}" x2="{_at(axis, value)}" y1="{top}" y2="{bottom}" class="{kind}"/>'


def _at(axis: Axis, value: float) -> str:
    return f"{100 * axis.share(value):.2f}%"
