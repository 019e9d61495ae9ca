"""The signs for an outcome, as inline SVG: four shapes that differ without colour and need no font."""

from typing import Final

from cv_yolo.reports.markup import Html

SHAPES: Final = {
    "passed": '<circle cx="12" cy="12" r="10"/><path d="M7 12.5l3.5 3.5L17 8.8"/>',
    "failed": '<path d="M8 2.5h8L21.5 8v8L16 21.5H8L2.5 16V8z"/><path d="M8.5 8.5l7 7m0-7l-7 7"/>',
    "undecided": '<circle cx="12" cy="12" r="10" stroke-dasharray="3.5 2.78"/>'
    '<path d="M9.3 9.4a2.8 2.8 0 1 1 4.1 2.5c-1 .5-1.4 1-1.4 2.1"/><path d="M12 17.2v.1"/>',
    "waived": '<circle cx="12" cy="12" r="10"/><path d="M12 2a10 10 0 0 1 0 20z" fill="currentColor"/>',
    "level": '<circle cx="12" cy="12" r="10"/><path d="M7.5 10h9m-9 4h9"/>',
}


def icon(name: str) -> Html:
    """The sign; what it says stands in words beside it."""
    return Html(
        '<svg class="icon" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{SHAPES[name]}</svg>'
    )
