"""Settings as `NAME=value` lines, as Docker Compose reads them from `.env`: filled from an example, and checked."""

import re
from collections.abc import Callable, Mapping
from typing import Final

PLACEHOLDER: Final = "change-me"
SHORTEST_SECRET: Final = 12
SETTING: Final = re.compile(r"^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
FIT_FOR_A_URL: Final = re.compile(r"[A-Za-z0-9._~-]+")


def settings_of(text: str) -> dict[str, str]:
    """The settings of a file; the last of two with one name counts."""
    found = (SETTING.match(line) for line in text.splitlines())
    return {match[1]: _unquoted(match[2]) for match in found if match}


def filled(example: str, *, known: Mapping[str, str], new_secret: Callable[[], str]) -> str:
    """The example with what is known in it, new secrets for other placeholders, and other settings at the end."""
    lines = [_filled_line(line, known, new_secret) for line in example.splitlines()]
    extra = [f"{name}={value}" for name, value in known.items() if name not in settings_of(example)]
    return "\n".join(lines + (["", "# Not in the example", *extra] if extra else [])) + "\n"


def faults(example: str, given: Mapping[str, str]) -> tuple[str, ...]:
    """What must be fixed before the servers can start: one sentence for each setting, without its value."""
    found = []
    for name, value in settings_of(example).items():
        wanted = _wanted(value)
        if value and not given.get(name):
            found.append(f"{name} is missing")
        elif wanted and given[name] == PLACEHOLDER:
            found.append(f"{name} has the example's value")
        elif wanted and not FIT_FOR_A_URL.fullmatch(given[name]):
            found.append(f"{name} may only contain letters, digits and . _ ~ -, because it becomes part of an address")
        elif wanted and len(given[name]) < SHORTEST_SECRET:
            found.append(f"{name} is shorter than {SHORTEST_SECRET} characters")
    return tuple(found)


def _wanted(value: str) -> bool:
    """Whether the example has a placeholder for a secret here."""
    return value == PLACEHOLDER


def _filled_line(line: str, known: Mapping[str, str], new_secret: Callable[[], str]) -> str:
    match = SETTING.match(line)
    if match is None:
        return line
    name, value = match[1], _unquoted(match[2])
    if name in known:
        return f"{name}={known[name]}"
    return f"{name}={new_secret()}" if _wanted(value) else line


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
