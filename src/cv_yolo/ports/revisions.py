"""How recorded revisions of data sets are found, read, and remembered."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cv_yolo.domain.data.difference import DatasetContent
from cv_yolo.domain.data.manifest import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRevision:
    """That the folder of a data set was recorded with this content, by DVC's hash of it.

    `file` is the record, a `.dvc` file or `dvc.lock`; `former` what the commit before had recorded. `commit` and what
    follows are None for a record that is not committed.
    """

    folder: Path
    dvc_hash: str
    file: str
    former: str | None = None
    commit: str | None = None
    at: datetime | None = None
    author: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedHistory:
    """What was recorded, newest first; `notes` say what is not known, and how to get it."""

    revisions: tuple[RecordedRevision, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFiles:
    """Whether the files of a revision are at hand: how many it has and lacks; `files` is None where that is unknown."""

    files: int | None
    missing: int = 0

    @property
    def complete(self) -> bool:
        """Whether all of them are."""
        return self.files is not None and not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOutFiles:
    """The files of a revision in a folder, and the MD5 by which they are stored, by path."""

    root: Path
    md5: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSummary:
    """What is remembered of a revision: images by split, boxes, classes, and the revision of its test split."""

    revision: str
    classes: tuple[str, ...]
    images: Mapping[Split, int]
    boxes: int
    test_revision: str


class DatasetHistory(Protocol):
    """The records of data sets in the project's git history, and the files that DVC keeps of them."""

    def recorded(self, folder: Path | None = None, *, everywhere: bool = False) -> RecordedHistory:
        """The records of a folder, or of all; each commit that changed one, and what is not committed yet.

        Of the commits that lead to the current one; with `everywhere` those of all branches and tags.
        """

    def at(self, folder: Path, commit: str) -> RecordedRevision:
        """What a commit, branch or tag records of a folder; raises `DatasetError` where it records nothing."""

    def stored(self, dvc_hash: str) -> StoredFiles:
        """Whether this machine has the files."""

    def laid_out(self, dvc_hash: str) -> AbstractContextManager[LaidOutFiles]:
        """The files as a folder, which cannot be written to, for as long as the context lasts.

        Raises `DatasetError` where some are missing or damaged.
        """


class DatasetContents(Protocol):
    """Reads what a data set's folder holds, without decoding its images."""

    def exists(self, root: Path) -> bool: ...
    def read(
        self, root: Path, md5: Mapping[str, str] | None = None, on_image: Callable[[int, int], None] = ...
    ) -> DatasetContent:
        """Classes, images and boxes; `md5` are the hashes by which files are stored, which are verified.

        Raises `DatasetError` with all that cannot be read.
        """


class KnownRevisions(Protocol):
    """What was found out about recorded revisions; their content never changes."""

    def summary(self, dvc_hash: str) -> RevisionSummary | None: ...
    def keep_summary(self, dvc_hash: str, summary: RevisionSummary) -> None: ...
    def counts(self, before: str, after: str) -> Mapping[str, int] | None:
        """`DatasetDifference.counts` of two revisions, by DVC's hashes."""

    def keep_counts(self, before: str, after: str, counts: Mapping[str, int]) -> None: ...
