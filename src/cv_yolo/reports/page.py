"""The frame of every page: one file, no script, nothing fetched."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.reports.style import STYLE
from cv_yolo.reports.text import escaped

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a page under its heading; `id` is where a link leads to it."""

    id: str
    heading: str
    contents: tuple[str, ...]


def page(title: str, body: str, *, style: str = "") -> str:
    """A whole HTML page around a body that is HTML already; `style` are rules of this page alone."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def parts_html(parts: Sequence[Part]) -> str:
    """The links to the parts, and the parts."""
    links = "".join(f'<li><a href="#{part.id}">{escaped(part.heading)}</a></li>' for part in parts)
    sections = "\n".join(section(part.heading, *part.contents, id=part.id) for part in parts)
    return f'<nav aria-label="On this page"><ul>{links}</ul></nav>\n{sections}'


def section(heading: str, *contents: str, id: str | None = None) -> str:
    """A part of a page under its heading."""
    inner = "\n".join(contents)
    opening = "<section>" if id is None else f'<section id="{id}">'
    return f"{opening}\n<h2>{escaped(heading)}</h2>\n{inner}\n</section>"


def paragraph(text: str, *, kind: str | None = None) -> str:
    """A paragraph of plain text, in which `` `…` `` is what a person types; `kind` names its style."""
    opening = "<p>" if kind is None else f'<p class="{kind}">'
    return f"{opening}{marked_up(text)}</p>"


def warnings(sentences: Sequence[str]) -> str:
    """Warnings, a paragraph each."""
    return "".join(paragraph(f"{each}.", kind="warning") + "\n" for each in sentences)


def marked_up(text: str) -> str:
    """Plain text as HTML, in which `` `…` `` is what a person types."""
    return CODE.sub(r"<code>\1</code>", escaped(text))


def folded(summary: str, inner: str) -> str:
    """Something that opens on request."""
    return f"<details><summary>{escaped(summary)}</summary>\n{inner}\n</details>"
