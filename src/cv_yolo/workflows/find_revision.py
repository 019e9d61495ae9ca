"""Find everything that holds or used a revision of a data set: records, folders, cache, runs, versions, decisions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from cv_yolo.domain.promotion.audit import Entry, stages
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.training.runs import Run
from cv_yolo.errors import CvYoloError, DatasetError, one_line
from cv_yolo.ports.registry import AuditLog, VersionReader
from cv_yolo.ports.revisions import RecordedRevision, StoredFiles
from cv_yolo.workflows.compare_revisions import MOST_NAMED, PREFIX
from cv_yolo.workflows.dataset_revisions import (
    RevisionReader,
    RevisionSource,
    known_runs,
    revision_by_runs,
    summary_of,
)

SHORT: Final = 16
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """Where versions and decisions of a model are recorded."""

    versions: Callable[[], VersionReader]
    log: Callable[[], AuditLog]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionUse:
    """A decision, and what it has to do with the revision: its version was trained on it, its test images judged."""

    entry: Entry
    trained_on: bool
    judged_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionUse:
    """All of it; `revision` is None for records whose revision is not known, which DVC's hash alone names.

    `stored` says of each of DVC's hashes of it whether the files are in the cache, `stages` where versions stand.
    `notes` say what is not known.
    """

    revision: str | None
    dvc_hashes: tuple[str, ...]
    records: tuple[RecordedRevision, ...]
    folders: tuple[Path, ...]
    stored: Mapping[str, StoredFiles]
    runs: tuple[Run, ...]
    versions: tuple[ModelVersion, ...]
    stages: Mapping[str, Stage | None]
    decisions: tuple[DecisionUse, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What carries a revision: records with it (None where it is not known), folders, runs; test revisions by it."""

    records: Sequence[tuple[str | None, RecordedRevision]]
    folders: Sequence[tuple[str, Path]]
    runs: Sequence[Run]
    tests: Mapping[str, str]

    def revisions(self) -> set[str]:
        named = {revision for revision, _ in self.records if revision is not None}
        return named | {revision for revision, _ in self.folders} | {run.revision for run in self.runs if run.revision}


def find_revision(source: RevisionSource, given: str, *, folders: Iterable[Path], registers: Registers) -> RevisionUse:
    """All that holds or used the revision that begins so (ours, or DVC's hash of a folder).

    Raises `DatasetError` where nothing does, or where several revisions begin so.
    """
    if not PREFIX.fullmatch(given):
        raise DatasetError(
            f"{given}: not the beginning of a revision: at least four characters of 0-9 and a-f",
            hint="`cv-yolo data log FOLDER` lists the revisions",
        )
    notes: list[str] = []
    known = _known(source, folders, notes)
    revision, dvc_hashes = _meant(known, given, notes)
    records = tuple(
        each for of, each in known.records if (of is not None and of == revision) or each.dvc_hash in dvc_hashes
    )
    runs = tuple(run for run in known.runs if revision is not None and run.revision == revision)
    test = None if revision is None else known.tests.get(revision)
    versions = _asked(lambda: registers.versions().versions(), "which versions were trained on it", notes)
    entries = _asked(lambda: registers.log().entries(), "which decisions used it", notes)
    run_ids = {run.run_id for run in runs}
    return RevisionUse(
        revision=revision,
        dvc_hashes=dvc_hashes,
        records=records,
        folders=tuple(folder for of, folder in known.folders if of == revision),
        stored={dvc_hash: source.history.stored(dvc_hash) for dvc_hash in dvc_hashes},
        runs=runs,
        versions=tuple(version for version in versions if version.run_id in run_ids),
        stages=stages(entries),
        decisions=tuple(_decisions(entries, run_ids, test)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _known(source: RevisionSource, folders: Iterable[Path], notes: list[str]) -> _Known:
    reader, tests = RevisionReader(source), {}
    runs = known_runs(source, notes) or ()
    history = source.history.recorded(everywhere=True)
    notes += history.notes
    records: list[tuple[str | None, RecordedRevision]] = []
    unread = set()
    for recorded in history.revisions:
        try:
            summary = reader.summary(recorded.dvc_hash)
        except DatasetError:
            revision = revision_by_runs(recorded.dvc_hash, runs)
            unread |= set() if revision else {recorded.dvc_hash}
            records.append((revision, recorded))
            continue
        tests[summary.revision] = summary.test_revision
        records.append((summary.revision, recorded))
    if unread:
        notes.append(
            f"the revision of {len(unread)} recorded folders is not known, because their files are not in DVC's cache "
            "or hold no data set: `dvc fetch --all-commits` gets the files; DVC's hash finds their records"
        )
    here = []
    for folder in folders:
        try:
            summary = summary_of(reader.workspace(folder))
        except DatasetError as error:
            notes.append(f"{folder.name}: what it holds is not known: {one_line(error)}")
            continue
        tests[summary.revision] = summary.test_revision
        here.append((summary.revision, folder))
    return _Known(records=records, folders=here, runs=runs, tests=tests)


def _meant(known: _Known, given: str, notes: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The revision that begins so with DVC's hashes of it; else the one of DVC's hashes that does."""
    found = {revision for revision in known.revisions() if revision.startswith(given)}
    by_dvc = {each.dvc_hash: revision for revision, each in known.records if each.dvc_hash.startswith(given)}
    found |= {revision for revision in by_dvc.values() if revision is not None}
    unknown = {dvc_hash for dvc_hash, revision in by_dvc.items() if revision is None}
    if len(found) + len(unknown) > 1:
        listed = ", ".join(sorted([each[:SHORT] for each in found] + sorted(unknown))[:MOST_NAMED])
        raise DatasetError(f"{given}: {len(found) + len(unknown)} revisions begin so: {listed}", hint="give more of it")
    if found:
        revision = found.pop()
        return revision, tuple(dict.fromkeys(each.dvc_hash for of, each in known.records if of == revision))
    if unknown:
        return None, tuple(unknown)
    raise DatasetError(
        "\n  ".join([f"{given}: no record, no folder below data/ and no run has a revision that begins so", *notes]),
        hint="`cv-yolo data log FOLDER` lists the recorded revisions, `cv-yolo runs` the runs",
    )


def _decisions(entries: Sequence[Entry], run_ids: set[str], test: str | None) -> Iterable[DecisionUse]:
    for entry in entries:
        trained, judged = entry.run_id in run_ids, test is not None and entry.test_revision == test
        if trained or judged:
            yield DecisionUse(entry=entry, trained_on=trained, judged_on=judged)


def _asked(ask: Callable[[], Sequence[Item]], what: str, notes: list[str]) -> Sequence[Item]:
    try:
        return ask()
    except CvYoloError as error:
        notes.append(f"{what} is not known: {one_line(error)}")
        return ()
