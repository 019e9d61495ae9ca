"""Compare two revisions of a data set: folders, recorded revisions, or what a commit records."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.difference import DatasetContent, DatasetDifference, compare
from cv_yolo.errors import DatasetError
from cv_yolo.ports.revisions import RecordedRevision
from cv_yolo.workflows.dataset_revisions import RevisionReader, RevisionSource

PREFIX: Final = re.compile(r"[0-9a-f]{4,64}")  # of a revision, or of DVC's hash
SHORT: Final = 12
MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPlace:
    """Where a revision is found: in a folder as it is now, or in a record."""

    folder: Path
    recorded: RecordedRevision | None = None

    @property
    def title(self) -> str:
        """How it is called in outputs."""
        if self.recorded is None:
            return f"{self.folder.name} (workspace)"
        commit = self.recorded.commit
        return f"{self.folder.name} ({'recorded, not committed' if commit is None else f'commit {commit[:7]}'})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRevision:
    """One of the two; the images are below `root`."""

    place: RevisionPlace
    root: Path
    content: DatasetContent


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RevisionComparison:
    """Two revisions, and all that differs."""

    before: ComparedRevision
    after: ComparedRevision
    difference: DatasetDifference


@contextmanager
def compared(source: RevisionSource, one: str, other: str | None, *, project: Path) -> Iterator[RevisionComparison]:
    """Compare two revisions, whose files are there for as long as the context lasts.

    Each is a folder, `NAME@COMMIT`, or the beginning of a recorded revision. Without the second one, the first is
    compared with what its folder holds now; a folder then stands for the last revision that was recorded of it.
    """
    reader = RevisionReader(source)
    first = find_place(source, reader, one, project=project)
    second = RevisionPlace(folder=first.folder)
    if other is not None:
        second = find_place(source, reader, other, project=project)
    elif first.recorded is None:
        first = _last_recorded(source, first.folder)
    with _opened(source, reader, first) as before, _opened(source, reader, second) as after:
        yield RevisionComparison(before=before, after=after, difference=compare(before.content, after.content))


def find_place(source: RevisionSource, reader: RevisionReader, given: str, *, project: Path) -> RevisionPlace:
    """The revision that a person means; raises `DatasetError` where it is unknown, or may be several."""
    folder = folder_of(given, project)
    if folder.is_dir():
        return RevisionPlace(folder=folder)
    name, at, commit = given.rpartition("@")
    if at and name and commit:
        folder = folder_of(name, project)
        return RevisionPlace(folder=folder, recorded=source.history.at(folder, commit))
    if not PREFIX.fullmatch(given):
        raise DatasetError(
            f"{given}: neither a folder, nor a commit's record such as mine@HEAD~1, nor a revision",
            hint="`cv-yolo data log FOLDER` lists the revisions",
        )
    found = _matching(source, reader, given)
    if len(found) > 1:
        listed = ", ".join(sorted(found)[:MOST_NAMED])
        raise DatasetError(f"{given}: {len(found)} recorded revisions begin so: {listed}", hint="give more of it")
    if not found:
        raise DatasetError(f"{given}: no recorded revision begins so", hint="`cv-yolo data log FOLDER` lists them")
    recorded = next(iter(found.values()))
    return RevisionPlace(folder=recorded.folder, recorded=recorded)


def folder_of(given: str, project: Path) -> Path:
    """The folder that is meant by a path, or by a name in the project's `data`."""
    path = Path(given)
    if path.is_dir() or len(path.parts) != 1:
        return path.resolve() if ".." in path.parts else path.absolute()
    return project / "data" / given


def _matching(source: RevisionSource, reader: RevisionReader, given: str) -> dict[str, RecordedRevision]:
    """The recorded revisions that begin so, by their hash: ours, else DVC's."""
    ours: dict[str, RecordedRevision] = {}
    of_dvc: dict[str, RecordedRevision] = {}
    for recorded in source.history.recorded(everywhere=True).revisions:
        if recorded.dvc_hash.startswith(given):
            of_dvc.setdefault(recorded.dvc_hash, recorded)
        try:
            revision = reader.summary(recorded.dvc_hash).revision
        except DatasetError:  # its files are not at hand, or it is no data set: it goes by DVC's hash alone
            continue
        if revision.startswith(given):
            ours.setdefault(revision, recorded)
    return ours or of_dvc


def _last_recorded(source: RevisionSource, folder: Path) -> RevisionPlace:
    history = source.history.recorded(folder)
    if not history.revisions:
        raise DatasetError(
            "\n  ".join([f"{folder}: no revision of it is recorded to compare it with", *history.notes]),
            hint=f"record one (`cv-yolo data push {folder}`), or name two folders",
        )
    return RevisionPlace(folder=folder, recorded=history.revisions[0])


@contextmanager
def _opened(source: RevisionSource, reader: RevisionReader, place: RevisionPlace) -> Iterator[ComparedRevision]:
    if place.recorded is None:
        if not source.contents.exists(place.folder):
            raise DatasetError(
                f"{place.folder}: no data set in the folder",
                hint="`cv-yolo data pull` fetches the recorded revision; or name two revisions",
            )
        yield ComparedRevision(place=place, root=place.folder, content=reader.workspace(place.folder))
        return
    with ExitStack() as stack:
        try:
            root, content = stack.enter_context(reader.laid_out(place.recorded.dvc_hash))
        except DatasetError as error:
            raise DatasetError(f"{place.title}: {error.message}", hint=error.hint) from error
        yield ComparedRevision(place=place, root=root, content=content)
