"""Reads a page back as what a browser would make of it."""

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "link", "input"}
SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)


class Page(HTMLParser):
    """The tags with their attributes, and the visible text; complains of tags that do not pair up."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    def count(self, kind):
        return sum(kind in attributes.get("class", "").split() for _, attributes in self.tags)


def asks_for_nothing(html):
    """Whether the page needs no script, no address and no other file."""
    page = Page(html)
    sources = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"src", "href"}]
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    return (
        all(source.startswith("data:image/jpeg;base64,") or source.removeprefix("#") in ids for source in sources)
        and not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
        and not re.search(r"https?:|@import|url\(", html)
    )
