"""An entry of the audit log, read from its canonical form: the way back from `Entry.canonical`."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cv_yolo.domain.audit import Action, Entry
from cv_yolo.domain.versions import Stage


def _action(said: Any) -> Action:
    try:
        return Action(said)
    except ValueError:
        reason = "a newer version of cv-yolo wrote it, or it was changed"
        raise ValueError(f"the action {said!r} is unknown: {reason}") from None


# Each field is brought to its own kind, whatever it was written as; where that changes it, the line was not canonical.
_KINDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "number": int,
    "at": datetime.fromisoformat,
    "action": _action,
    "stage": Stage,
    "evaluations": lambda names: tuple(map(str, names)),
    "provisional": bool,
}


def read_entry(line: str) -> Entry:
    """The entry that is written so; raises `ValueError` for what is no entry, or is not written as entries are."""
    try:
        said = json.loads(line)
        entry = Entry(**{name: _KINDS.get(name, str)(value) for name, value in said.items()})
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        reason = str(error).replace("Entry.__init__() ", "")
        raise ValueError(f"not an entry of the log: {reason}") from error
    if entry.canonical != line:
        raise ValueError("not in the form in which entries are written: it was changed")
    return entry
