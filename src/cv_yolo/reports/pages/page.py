"""The frame of every page, and the blocks of which a page is made; one file, no script, nothing fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.reports.markup import Html
from cv_yolo.reports.templates import render, render_macro

BLOCKS: Final = "blocks.html.j2"
NOTHING: Final = Html()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a page under its heading; `id` is where a link leads to it."""

    id: str
    heading: str
    contents: tuple[Html, ...]


def page(title: str, body: Html, *, style: Html = NOTHING) -> str:
    """A whole HTML page around a body; `style` are rules of this page alone."""
    return str(render("page.html.j2", title=title, body=body, style=style))


def parts_html(parts: Sequence[Part]) -> Html:
    """The links to the parts, and the parts."""
    return render_macro(BLOCKS, "parts", parts)


def section(heading: str, *contents: Html) -> Html:
    """A part of a page under its heading, to which no link leads."""
    return render_macro(BLOCKS, "section", heading, contents)


def paragraph(text: str, *, kind: str | None = None) -> Html:
    """A paragraph of plain text, in which `` `…` `` is what a person types; `kind` names its style."""
    return render_macro(BLOCKS, "paragraph", text, kind)


def folded(summary: str, inner: Html, *, open: bool = False) -> Html:
    """Something that opens on request."""
    return render_macro(BLOCKS, "folded", summary, inner, open)


def charts(drawn: Sequence[Html]) -> Html:
    """Charts, and what is said of them, beside each other: as many as there is room for."""
    return render_macro(BLOCKS, "charts", drawn)
