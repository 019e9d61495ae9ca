"""Values as short texts, the same in every report and on the command line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.evaluation.catalogue import LABELS, Scope, find, split

if TYPE_CHECKING:  # lists of runs need neither, nor NumPy
    from cv_yolo.domain.evaluation.intervals import Estimate, Interval

ABSENT: Final = "–"
MINUS: Final = "−"
MINUTE_S, HOUR_S = 60, 3600
THRESHOLD: Final = "confidence_threshold"  # shown among the metrics, and none itself
PARTS: Final = {Scope.CLASS: "of {}", Scope.SLICE: "where {}", Scope.SIZE: "of {} boxes", Scope.ERROR: "of {} errors"}
TEENS: Final = range(11, 14)
KILO: Final = 1000


def score_text(value: float | None) -> str:
    """A score with three decimals; a dash where it could not be computed."""
    return ABSENT if value is None else _number(value, signed=False)


def interval_text(interval: "Interval", *, signed: bool = False) -> str:
    """`[0.550, 0.671]`, or `[−0.011, +0.076]` for a difference."""
    return f"[{_number(interval.low, signed=signed)}, {_number(interval.high, signed=signed)}]"


def estimate_text(estimate: "Estimate | None", *, signed: bool = False) -> str:
    """`0.612 [0.550, 0.671]`; the interval is left out where there is none."""
    if estimate is None:
        return ABSENT
    ends = "" if estimate.interval is None else f" {interval_text(estimate.interval, signed=signed)}"
    return f"{_number(estimate.value, signed=signed)}{ends}"


def difference_text(estimate: "Estimate | None") -> str:
    """`+0.043 [+0.011, +0.076]`."""
    return estimate_text(estimate, signed=True)


def counted_text(estimate: "Estimate | None", *, signed: bool = False) -> str:
    """`12 [8, 17]`: a number of things; 0 where there is none, `−3 [−7, 0]` for a difference."""
    if estimate is None:
        return "0"
    interval = estimate.interval
    ends = () if interval is None else (interval.low, interval.high)
    value, *rest = (_whole(number, signed=signed) for number in (estimate.value, *ends))
    return f"{value} [{', '.join(rest)}]" if rest else value


def duration_text(seconds: float | None) -> str:
    """`41 s`, `3 min 05 s`, `1 h 02 min`; a dash where it is not known."""
    if seconds is None:
        return ABSENT
    whole = round(seconds)
    if whole < 1:
        return "< 1 s"
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return f"{whole // MINUTE_S} min {whole % MINUTE_S:02d} s"
    minutes = round(seconds / MINUTE_S)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def latency_text(milliseconds: float | None) -> str:
    """`12.3 ms`; a dash where it was not measured."""
    return ABSENT if milliseconds is None else f"{milliseconds:.3g} ms"


def bytes_text(size: int) -> str:
    """`312 B`, `4.1 kB`, `12.3 MB`, `1.2 GB`."""
    if size < KILO:
        return f"{size} B"
    if size < KILO**2:
        return f"{size / KILO:.1f} kB"
    return f"{size / KILO**2:.1f} MB" if size < KILO**3 else f"{size / KILO**3:.1f} GB"


def time_text(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `12 images`, `2 boxes`."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def ordinal_text(number: int) -> str:
    """`1st`, `2nd`, `11th`, `23rd`."""
    ending = "th" if number % 100 in TEENS else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def percent_text(part: float) -> str:
    """`95 %`, `99.5 %`."""
    return f"{100 * part:.3g} %"


def list_text(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def images_and_boxes_text(images: int, boxes: int) -> str:
    """`12 images, 25 boxes`."""
    return f"{count_text(images, 'image')}, {count_text(boxes, 'box', 'boxes')}"


def metric_text(name: str) -> str:
    """A metric's name as people write it, `AP50 of person` for `class/person/ap_50`; an unknown one as it is."""
    if name == THRESHOLD:
        return "confidence"
    metric, (scope, part, _) = find(name), split(name)
    if metric is None:
        return LABELS.get(name, name)
    return f"{metric.label} {PARTS[scope].format(part)}" if part else metric.label


def number_text(value: float) -> str:
    """A limit as its policy writes it, without trailing zeros: `0.5`, `−0.02`."""
    return f"{value + 0.0:g}".replace("-", MINUS)


def _whole(value: float, *, signed: bool) -> str:
    rounded = round(value)
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded)}"


def _number(value: float, *, signed: bool) -> str:
    """Three decimals; what rounds to 0 has no sign."""
    rounded = round(value, 3) or 0.0
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded):.3f}"
