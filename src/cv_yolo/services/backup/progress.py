"""How far a backup or its way back is, for a person who waits."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is being done; how many things and bytes of it are done; 0 of 0 where nobody counts."""

    what: str
    done: int = 0
    total: int = 0
    done_bytes: int = 0
    total_bytes: int = 0


Report = Callable[[Progress], None]
