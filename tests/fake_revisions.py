"""Fakes of the ports by which revisions of data sets are found, read and remembered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from cv_yolo.domain.data.difference import DatasetContent
from cv_yolo.errors import DatasetError
from cv_yolo.ports.revisions import LaidOutFiles, RecordedHistory, RecordedRevision, RevisionSummary, StoredFiles


class FakeDatasetContents:
    """Contents by folder; an error in place of one is raised. `read_folders` are those that were read."""

    def __init__(self) -> None:
        self._contents: dict[Path, DatasetContent | DatasetError] = {}
        self.read_folders: list[Path] = []

    def put(self, root: Path, content: DatasetContent | DatasetError) -> None:
        """Lay a data set into a folder."""
        self._contents[root] = content

    def exists(self, root: Path) -> bool:
        return root in self._contents

    def read(
        self,
        root: Path,
        md5: Mapping[str, str] | None = None,
        on_image: Callable[[int, int], None] = lambda done, total: None,
    ) -> DatasetContent:
        self.read_folders.append(root)
        found = self._contents.get(root, DatasetError(f"{root / 'data.yaml'}: cannot be read"))
        if isinstance(found, DatasetError):
            raise found
        on_image(len(found.images), len(found.images))
        return found


class FakeDatasetHistory:
    """Records, newest first; the files of `cached` hashes are in the folder `/<hash>` of the contents."""

    def __init__(self, contents: FakeDatasetContents) -> None:
        self._contents = contents
        self._records: list[RecordedRevision] = []
        self._tags: dict[str, str] = {}
        self.notes: tuple[str, ...] = ()
        self.cached: dict[str, int] = {}  # how many files are missing

    def record(
        self, recorded: RecordedRevision, content: DatasetContent | DatasetError | None, *, tag: str | None = None
    ) -> None:
        """Record a revision after the others; without a content its files are not in the cache."""
        former = next((each.dvc_hash for each in self._records if each.folder == recorded.folder), None)
        self._records.insert(0, replace(recorded, former=former))
        if tag is not None and recorded.commit is not None:
            self._tags[tag] = recorded.commit
        if content is not None:
            self.cached[recorded.dvc_hash] = 0
            self._contents.put(Path(f"/{recorded.dvc_hash}"), content)

    def recorded(self, folder: Path | None = None, *, everywhere: bool = False) -> RecordedHistory:
        found = tuple(each for each in self._records if folder in (None, each.folder))
        return RecordedHistory(revisions=found, notes=self.notes)

    def at(self, folder: Path, commit: str) -> RecordedRevision:
        name = self._tags.get(commit, commit)
        commits = [each for each in self._records if each.commit is not None and each.commit.startswith(name)]
        if not commits:
            raise DatasetError(f"{folder.name}@{commit}: git knows no commit {commit}")
        found = [each for each in commits if each.folder == folder]
        if not found:
            raise DatasetError(f"{folder.name}@{commit}: that commit records no revision of {folder}")
        return replace(found[0], former=None)

    def stored(self, dvc_hash: str) -> StoredFiles:
        missing = self.cached.get(dvc_hash)
        return StoredFiles(files=None) if missing is None else StoredFiles(files=3, missing=missing)

    @contextmanager
    def laid_out(self, dvc_hash: str) -> Iterator[LaidOutFiles]:
        if self.cached.get(dvc_hash) is None:
            raise DatasetError(f"{dvc_hash}: not in DVC's cache", hint="fetch it")
        if self.cached[dvc_hash]:
            raise DatasetError(f"{self.cached[dvc_hash]} of 3 files are not in DVC's cache: a.jpg", hint="fetch them")
        yield LaidOutFiles(root=Path(f"/{dvc_hash}"), md5={})


class FakeKnownRevisions:
    """Remembers in dictionaries."""

    def __init__(self) -> None:
        self._summaries: dict[str, RevisionSummary] = {}
        self._counts: dict[tuple[str, str], Mapping[str, int]] = {}

    def summary(self, dvc_hash: str) -> RevisionSummary | None:
        return self._summaries.get(dvc_hash)

    def keep_summary(self, dvc_hash: str, summary: RevisionSummary) -> None:
        self._summaries[dvc_hash] = summary

    def counts(self, before: str, after: str) -> Mapping[str, int] | None:
        return self._counts.get((before, after))

    def keep_counts(self, before: str, after: str, counts: Mapping[str, int]) -> None:
        self._counts[before, after] = counts


def hashes(records: Sequence[RecordedRevision]) -> list[str]:
    """DVC's hashes of records."""
    return [each.dvc_hash for each in records]
