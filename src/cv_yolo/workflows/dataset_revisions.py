"""The recorded revisions of a data set: what each one holds, what changed in it, and whether its files are at hand."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.difference import DatasetContent, compare
from cv_yolo.domain.data.manifest import Split, revision_of
from cv_yolo.domain.training.runs import Run
from cv_yolo.errors import CvYoloError, DatasetError, one_line
from cv_yolo.ports.revisions import (
    DatasetContents,
    DatasetHistory,
    KnownRevisions,
    RecordedRevision,
    RevisionSummary,
    StoredFiles,
)

DVC_TAG: Final = "dvc_hash"
HELD_IN_MEMORY: Final = 2
NOT_STORED: Final = (
    "DVC's cache lacks files: `cv-yolo data pull` gets those of the current record, `dvc fetch --all-commits` all"
)
NO_CHANGES: Final[Mapping[str, int]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionSource:
    """Where revisions are recorded, kept and read; `runs` are the tracked runs, which name the data that they used.

    `on_image` is called with what is read, and the numbers of its images that are read and that there are.
    """

    history: DatasetHistory
    contents: DatasetContents
    known: KnownRevisions
    runs: Callable[[], Sequence[Run]] = tuple
    on_image: Callable[[str, int, int], None] = lambda what, done, total: None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRevision:
    """A recorded revision; `revision`, `summary` and `counts` are None where they are not known, `problem` says why.

    `counts` are those of the difference to the former record, as `DatasetDifference.counts`; empty for the first one.
    `runs` counts the runs that used it; None where the runs are not known.
    """

    recorded: RecordedRevision
    stored: StoredFiles
    revision: str | None = None
    summary: RevisionSummary | None = None
    counts: Mapping[str, int] | None = None
    problem: str | None = None
    in_workspace: bool = False
    runs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceState:
    """What is in the folder now; `counts` are those of the difference to the last record.

    `differs` says whether there is one. What is None is not known.
    """

    summary: RevisionSummary | None = None
    differs: bool | None = None
    counts: Mapping[str, int] | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLog:
    """All of it, newest first; `unrecorded` are revisions that only runs know, with the names of the runs."""

    folder: Path
    revisions: tuple[LoggedRevision, ...]
    workspace: WorkspaceState
    unrecorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class RevisionReader:
    """Reads revisions and what differs between them; what was found out is remembered, a few contents are held."""

    def __init__(self, source: RevisionSource) -> None:
        self._source = source
        self._held: OrderedDict[str, DatasetContent] = OrderedDict()

    def summary(self, dvc_hash: str) -> RevisionSummary:
        """What a recorded revision holds; raises `DatasetError` where its files are not at hand, or cannot be read."""
        known = self._source.known.summary(dvc_hash)
        if known is None:
            known = summary_of(self.content(dvc_hash))
            self._source.known.keep_summary(dvc_hash, known)
        return known

    def content(self, dvc_hash: str) -> DatasetContent:
        """All that a recorded revision holds."""
        if dvc_hash not in self._held:
            with self.laid_out(dvc_hash) as (_, content):
                self._held[dvc_hash] = content
            while len(self._held) > HELD_IN_MEMORY:
                self._held.popitem(last=False)
        return self._held[dvc_hash]

    @contextmanager
    def laid_out(self, dvc_hash: str) -> Iterator[tuple[Path, DatasetContent]]:
        """The same with its files, for as long as the context lasts."""
        with self._source.history.laid_out(dvc_hash) as files:
            try:
                content = self._source.contents.read(
                    files.root, files.md5, lambda done, total: self._source.on_image(dvc_hash[:7], done, total)
                )
            except DatasetError as error:
                raise DatasetError(error.message.replace(f"{files.root}/", ""), hint=error.hint) from error
            yield files.root, content

    def workspace(self, root: Path) -> DatasetContent:
        """What a folder holds now."""
        return self._source.contents.read(
            root, on_image=lambda done, total: self._source.on_image(root.name, done, total)
        )

    def counts(self, before: str, after: str) -> Mapping[str, int]:
        """How many images, boxes and classes differ between two recorded revisions."""
        known = self._source.known.counts(before, after)
        if known is None:
            known = compare(self.content(before), self.content(after)).counts()
            self._source.known.keep_counts(before, after, known)
        return known


def summary_of(content: DatasetContent) -> RevisionSummary:
    """What is remembered of a revision."""
    return RevisionSummary(
        revision=content.revision,
        classes=content.classes,
        images={split: len(content.split(split)) for split in Split},
        boxes=sum(record.boxes for record in content.images),
        test_revision=revision_of(content.classes, content.split(Split.TEST)),
    )


def log_dataset(source: RevisionSource, root: Path) -> DatasetLog:
    """The recorded revisions of a folder, newest first, and what is in it now.

    What is not known is said with its reason, and how to get it. Raises `DatasetError` where there is neither a data
    set nor a record of one.
    """
    history = source.history.recorded(root)
    exists = source.contents.exists(root)
    if not history.revisions and not exists:
        raise DatasetError(
            "\n  ".join([f"{root}: no data set here, and no record of one", *history.notes]),
            hint="name the folder of a data set, such as data/mine; `cv-yolo data import` makes one",
        )
    notes = list(history.notes)
    if not history.revisions:
        notes.append("no revision is recorded yet: `cv-yolo data push` the folder, and `git commit` its .dvc file")
    runs = known_runs(source, notes)
    reader = RevisionReader(source)
    rows = [_logged(reader, source, each, runs) for each in history.revisions]
    if any(not row.stored.complete for row in rows):
        notes.append(NOT_STORED)
    workspace = _workspace(reader, root, rows, exists=exists)
    here = None if workspace.summary is None else workspace.summary.revision
    return DatasetLog(
        folder=root,
        revisions=tuple(replace(row, in_workspace=row.revision is not None and row.revision == here) for row in rows),
        workspace=workspace,
        unrecorded=_unrecorded(rows, runs or (), root.name),
        notes=tuple(notes),
    )


def known_runs(source: RevisionSource, notes: list[str]) -> Sequence[Run] | None:
    """The tracked runs; None where they cannot be read, which is noted."""
    try:
        return source.runs()
    except CvYoloError as error:
        notes.append(f"which runs used the data is not known: {one_line(error)}")
        return None


def revision_by_runs(dvc_hash: str, runs: Sequence[Run]) -> str | None:
    """The revision of recorded data, as runs that used them have recorded both; None where none did."""
    return next((run.revision for run in runs if run.tags.get(DVC_TAG) == dvc_hash and run.revision), None)


def _logged(
    reader: RevisionReader, source: RevisionSource, recorded: RecordedRevision, runs: Sequence[Run] | None
) -> LoggedRevision:
    stored = source.history.stored(recorded.dvc_hash)
    summary, counts, problem = None, None, None
    try:
        summary = reader.summary(recorded.dvc_hash)
        counts = NO_CHANGES if recorded.former is None else reader.counts(recorded.former, recorded.dvc_hash)
    except DatasetError as error:
        problem = error.message
    revision = revision_by_runs(recorded.dvc_hash, runs or ()) if summary is None else summary.revision
    used = None if runs is None or revision is None else sum(run.revision == revision for run in runs)
    return LoggedRevision(
        recorded=recorded,
        stored=stored,
        revision=revision,
        summary=summary,
        counts=counts,
        problem=problem,
        runs=used,
    )


def _workspace(reader: RevisionReader, root: Path, rows: Sequence[LoggedRevision], *, exists: bool) -> WorkspaceState:
    if not exists:
        return WorkspaceState(problem="no data set in the folder")
    try:
        content = reader.workspace(root)
    except DatasetError as error:
        return WorkspaceState(problem=error.message)
    summary = summary_of(content)
    if not rows:
        return WorkspaceState(summary=summary)
    if summary.revision == rows[0].revision:
        return WorkspaceState(summary=summary, differs=False, counts=NO_CHANGES)
    try:
        counts = compare(reader.content(rows[0].recorded.dvc_hash), content).counts()
    except DatasetError as error:
        differs = None if rows[0].revision is None else True
        return WorkspaceState(summary=summary, differs=differs, problem=error.message)
    return WorkspaceState(summary=summary, differs=True, counts=counts)


def _unrecorded(rows: Sequence[LoggedRevision], runs: Sequence[Run], name: str) -> dict[str, tuple[str, ...]]:
    """Revisions of data of this name that runs used, and that no record has."""
    recorded = {row.revision for row in rows}
    found: dict[str, tuple[str, ...]] = {}
    for run in runs:
        if run.tags.get("dataset") == name and run.revision is not None and run.revision not in recorded:
            found[run.revision] = (*found.get(run.revision, ()), run.name)
    return found
