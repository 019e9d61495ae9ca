"""The files that a new project starts with."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterFile:
    """A file of a new project: its path in the project, with slashes, and what is in it."""

    path: str
    content: bytes
    executable: bool = False


class StarterFiles(Protocol):
    """Where they come from."""

    def files(self) -> tuple[StarterFile, ...]:
        """All of them, in the order of their paths."""
