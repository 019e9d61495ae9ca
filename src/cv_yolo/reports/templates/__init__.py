"""The pages' templates and style sheet, and the one module that names Jinja2; the values come from elsewhere."""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from cv_yolo.reports.markup import Html, printable

if TYPE_CHECKING:
    from jinja2 import Environment

CODE: Final = re.compile(r"`([^`]+)`")


def render(template: str, /, **values: object) -> Html:
    """A template, filled in: text is escaped, only `Html` is printed as it is, and a missing value is an error."""
    return Html(_environment().get_template(template).render(values))


def render_macro(template: str, macro: str, /, *values: object, **named: object) -> Html:
    """One macro of a template, filled in in the same way."""
    return Html(getattr(_environment().get_template(template).module, macro)(*values, **named))


@cache
def _environment() -> "Environment":
    """Jinja2, imported when the first page is rendered: the command line starts without it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cv_yolo.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["split_at_code"] = CODE.split
    return environment


def _printable(value: object) -> object:
    """A value as it is printed: text without control characters."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
