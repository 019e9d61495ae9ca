"""Paths inside recorded text, when the folder that they name has moved."""

import re
from collections.abc import Callable
from pathlib import Path


def relocation(former: str, now: str) -> Callable[[str], str]:
    """What names `now` wherever a text names the folder `former`, as a path or as a `file:` address."""
    names = {former: now, _address(former): _address(now)}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    expression = re.compile(rf"(?<![\w.-])({pattern})(?![\w.-])")  # in a longer name it is part of another folder
    return lambda text: expression.sub(lambda found: names[found[1]], text)


def _address(folder: str) -> str:
    return Path(folder).as_uri()
