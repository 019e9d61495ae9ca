"""Text and markup kept apart: HTML is a type of its own, and any other text is escaped before it is printed."""

import html


class Html(str):
    """HTML or SVG made by a template or a chart; templates print it as it is, and escape every other text."""

    __slots__ = ()

    def __html__(self) -> str:
        """What Jinja2 asks for: the markup itself."""
        return str(self)


def escaped(text: str) -> str:
    """Any text made safe inside HTML and SVG, in elements and in attributes; control characters become spaces."""
    return html.escape(printable(text), quote=True)


def printable(text: str) -> str:
    """The text with a space for each control character."""
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
