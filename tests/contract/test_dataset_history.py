"""`DatasetHistory`: records of data sets and the files that belong to them, in memory and in git with DVC's cache."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.history import DvcHistory
from cv_yolo.adapters.yolo.content import YoloContents
from cv_yolo.errors import DatasetError
from cv_yolo.ports.revisions import DatasetContents, DatasetHistory, RecordedRevision, StoredFiles
from tests import dvc_records
from tests.fake_revisions import FakeDatasetContents, FakeDatasetHistory, hashes
from tests.yolo_data import a_small_data_set, put_image


@dataclass(frozen=True, kw_only=True)
class Case:
    """A history in which `mine` was recorded twice and `other` once; the last of `mine` is the tag `v2`."""

    history: DatasetHistory
    contents: DatasetContents
    mine: Path
    other: Path
    commits: tuple[str, str]
    forget: Callable[[str], None]


def fake_case(root: Path) -> Case:
    contents = FakeDatasetContents()
    history = FakeDatasetHistory(contents)
    mine, other = root / "data" / "mine", root / "data" / "other"
    reader = YoloContents(root / "facts.json")
    a_small_data_set(root / "real")
    commits = (f"{1:040x}", f"{2:040x}")

    def recorded(folder: Path, dvc_hash: str, commit: str) -> RecordedRevision:
        return RecordedRevision(
            folder=folder,
            dvc_hash=dvc_hash,
            file=f"data/{folder.name}.dvc",
            commit=commit,
            at=datetime(2025, 3, 4, tzinfo=UTC),
            author="Ann",
            subject="second" if commit == commits[1] else "first",
        )

    history.record(recorded(mine, "1a.dir", commits[0]), reader.read(root / "real"))
    history.record(recorded(other, "3c.dir", commits[0]), reader.read(root / "real"))
    put_image(root / "real", "train/new.jpg")
    history.record(recorded(mine, "2b.dir", commits[1]), reader.read(root / "real"), tag="v2")
    return Case(
        history=history,
        contents=contents,
        mine=mine,
        other=other,
        commits=commits,
        forget=lambda dvc_hash: history.cached.pop(dvc_hash) and None,
    )


def dvc_case(root: Path) -> Case:
    project = dvc_records.a_project(root / "project")
    mine, other = (a_small_data_set(project / "data" / name) for name in ("mine", "other"))
    dvc_records.add(project, mine)
    put_image(other, "train/theirs.jpg")
    dvc_records.add(project, other)
    first = dvc_records.commit(project, "first")
    put_image(mine, "train/new.jpg")
    dvc_records.add(project, mine)
    second = dvc_records.commit(project, "second")
    dvc_records.git(project, "tag", "v2")
    cache = project / ".dvc" / "cache" / "files" / "md5"
    return Case(
        history=DvcHistory(project=project, scratch=root / "tmp"),
        contents=YoloContents(root / "facts.json"),
        mine=mine,
        other=other,
        commits=(first, second),
        forget=lambda dvc_hash: (cache / dvc_hash[:2] / dvc_hash[2:]).unlink(),
    )


@pytest.fixture(params=[fake_case, dvc_case])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    made: Case = request.param(tmp_path)
    return made


def test_the_records_of_a_folder_are_listed_newest_first_with_who_made_them(case: Case) -> None:
    second, first = case.history.recorded(case.mine).revisions
    assert (second.commit, first.commit) == (case.commits[1], case.commits[0])
    assert (second.author, second.subject, second.file) == ("Ann", "second", "data/mine.dvc")
    assert second.at is not None
    assert second.at.utcoffset() is not None
    assert second.former == first.dvc_hash
    assert first.former is None


def test_a_folder_of_which_nothing_is_recorded_has_no_records(case: Case) -> None:
    assert case.history.recorded(case.mine.with_name("nothing")).revisions == ()


def test_the_records_of_all_folders_are_listed(case: Case) -> None:
    found = case.history.recorded(everywhere=True).revisions
    assert {each.folder for each in found} == {case.mine, case.other}
    assert len(found) == 3


def test_what_a_commit_or_tag_records(case: Case) -> None:
    second, first = case.history.recorded(case.mine).revisions
    assert case.history.at(case.mine, "v2").dvc_hash == second.dvc_hash
    assert case.history.at(case.mine, case.commits[0]).dvc_hash == first.dvc_hash


def test_an_unknown_commit_and_one_without_a_record_are_refused(case: Case) -> None:
    with pytest.raises(DatasetError, match="mine@nosuch: git knows no commit nosuch"):
        case.history.at(case.mine, "nosuch")
    with pytest.raises(DatasetError, match="nothing@v2: that commit records no revision of"):
        case.history.at(case.mine.with_name("nothing"), "v2")


def test_the_files_of_a_revision_are_laid_out_and_read(case: Case) -> None:
    second, first = hashes(case.history.recorded(case.mine).revisions)
    revisions = []
    for dvc_hash, images in ((first, 3), (second, 4)):
        assert case.history.stored(dvc_hash).complete
        with case.history.laid_out(dvc_hash) as files:
            content = case.contents.read(files.root, files.md5)
        assert len(content.images) == images
        revisions.append(content.revision)
    assert revisions[0] != revisions[1]


def test_a_revision_that_is_not_in_the_cache_is_not_at_hand(case: Case) -> None:
    _, first = hashes(case.history.recorded(case.mine).revisions)
    case.forget(first)
    assert case.history.stored(first) == StoredFiles(files=None)
    with pytest.raises(DatasetError, match="not in DVC's cache") as refusal, case.history.laid_out(first):
        pass
    assert refusal.value.hint is not None


def test_the_records_written_by_hand_are_those_of_dvc(tmp_path: Path) -> None:
    from cv_yolo.adapters.dvc.store import DvcStore

    project = dvc_records.a_project(tmp_path / "project")
    mine = a_small_data_set(project / "data" / "mine")
    dvc_hash = dvc_records.add(project, mine)
    store = DvcStore(root=project, environment={"DVC_GLOBAL_CONFIG_DIR": str(tmp_path)})
    assert store.content_hash(mine) == store.recorded_hash(mine) == dvc_hash
    shutil.rmtree(mine)
    assert DvcHistory(project=project, scratch=tmp_path / "tmp").stored(dvc_hash).complete
