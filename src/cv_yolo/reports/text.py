"""Values as short texts, the same in every report and on the command line."""

import html
from datetime import UTC, datetime

ABSENT = "–"
MINUTE_S, HOUR_S = 60, 3600
METRICS = {
    "map_50": "mAP50",
    "map_50_95": "mAP50-95",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "confidence_threshold": "confidence",
}


def score_text(value: float | None) -> str:
    """A score with three decimals; a dash where it could not be computed."""
    return ABSENT if value is None else f"{value:.3f}"


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


def time_text(moment: datetime) -> str:
    """A moment in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `12 images`, `2 boxes`."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def images_and_boxes_text(images: int, boxes: int) -> str:
    """`12 images, 25 boxes`."""
    return f"{count_text(images, 'image')}, {count_text(boxes, 'box', 'boxes')}"


def metric_text(name: str) -> str:
    """A metric's name as people write it; an unknown one as it is."""
    return METRICS.get(name, name)


def escaped(text: str) -> str:
    """Any text made safe inside HTML and SVG, in elements and in attributes; control characters become spaces."""
    return html.escape("".join(character if character.isprintable() else " " for character in text), quote=True)
