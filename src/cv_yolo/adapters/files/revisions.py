"""The port `KnownRevisions`: what was found out about recorded revisions, a small file each in the home."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from cv_yolo.files import write_bytes_whole
from cv_yolo.ports.revisions import RevisionSummary

FORMAT: Final = 1
SUFFIX: Final = ".json"
_SUMMARY: Final = TypeAdapter(RevisionSummary)
_COUNTS: Final = TypeAdapter(dict[str, int])
Content = TypeVar("Content")


class RevisionsFolder:
    """Summaries and comparisons by DVC's hashes; a file that cannot be read counts as none: it is made again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def summary(self, dvc_hash: str) -> RevisionSummary | None:
        """What is remembered of a revision."""
        return _read(self._folder / f"{dvc_hash}{SUFFIX}", _SUMMARY)

    def keep_summary(self, dvc_hash: str, summary: RevisionSummary) -> None:
        """Remember it."""
        _write(self._folder / f"{dvc_hash}{SUFFIX}", asdict(summary))

    def counts(self, before: str, after: str) -> Mapping[str, int] | None:
        """How many changes there are between two revisions."""
        return _read(self._folder / f"{before}-{after}{SUFFIX}", _COUNTS)

    def keep_counts(self, before: str, after: str, counts: Mapping[str, int]) -> None:
        """Remember it."""
        _write(self._folder / f"{before}-{after}{SUFFIX}", dict(counts))


def _read(path: Path, kind: TypeAdapter[Content]) -> Content | None:
    try:
        content = json.loads(path.read_bytes())
        return kind.validate_python(content["content"]) if content["format"] == FORMAT else None
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return None


def _write(path: Path, content: object) -> None:
    write_bytes_whole(path, json.dumps({"format": FORMAT, "content": content}).encode(), mode=0o600)
