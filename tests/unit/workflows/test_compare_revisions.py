"""Which two revisions a person means, and what differs between them."""

import pytest

from cv_yolo.errors import DatasetError
from cv_yolo.workflows.compare_revisions import compared
from tests.unit.workflows.revisions import FIRST, FIRST_HASH, SECOND, SECOND_HASH, Records, a_content, two_revisions


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return two_revisions(tmp_path)


def titles(records, one, other=None):
    with compared(records.source, one, other, project=records.project) as found:
        return found.before.place.title, found.after.place.title, found.difference.counts()


def test_a_folder_alone_is_compared_with_its_last_record(records):
    records.contents.put(records.mine, a_content("a"))
    before, after, counts = titles(records, "data/mine")
    assert (before, after) == ("mine (commit 0000000)", "mine (workspace)")
    assert counts["removed"] == 2


def test_two_folders(records):
    other = records.project / "elsewhere"
    other.mkdir()
    records.contents.put(other, FIRST)
    before, after, counts = titles(records, str(other), "data/../data/mine")
    assert (before, after) == ("elsewhere (workspace)", "mine (workspace)")
    assert counts["added"] == 1


def test_what_a_commit_records_by_the_name_of_the_folder_below_data(records):
    with compared(records.source, f"mine@{1:040x}", "data/mine@v2", project=records.project) as found:
        assert found.before.content.revision == FIRST.revision
        assert found.after.content.revision == SECOND.revision
        assert found.after.root.name == SECOND_HASH


def test_a_revision_by_its_beginning_or_by_that_of_dvcs_hash(records):
    for given in (FIRST.revision[:12], FIRST_HASH[:6]):
        before, after, counts = titles(records, given)
        assert before.startswith("mine (commit")
        assert after == "mine (workspace)"
        assert counts["added"] == 1


def test_a_record_that_is_not_committed_says_so(records):
    records.record("3333cccc.dir", FIRST)
    assert titles(records, "3333")[0] == "mine (recorded, not committed)"


def test_revisions_whose_files_are_not_at_hand_go_by_dvcs_hash(records):
    records.history.cached.clear()
    with pytest.raises(DatasetError, match=r"mine \(commit 0000000\): 1111aaaa.dir: not in DVC's cache") as refusal:
        titles(records, "1111")
    assert refusal.value.hint == "fetch it"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("abcdef", "abcdef: no recorded revision begins so"),
        ("hello", "hello: neither a folder, nor a commit's record such as mine@HEAD~1, nor a revision"),
        ("mine@nosuch", "mine@nosuch: git knows no commit nosuch"),
        ("@v2", "@v2: neither a folder"),
        ("1111", "1111: 2 recorded revisions begin so: 1111aaaa.dir, 1111dddd.dir"),
    ],
)
def test_what_is_unknown_or_ambiguous_is_refused(records, given, message):
    records.record("1111dddd.dir", DatasetError("no data set"))
    with pytest.raises(DatasetError) as refusal:
        titles(records, given)
    assert refusal.value.message.startswith(message)


def test_a_folder_of_which_nothing_is_recorded_has_nothing_to_be_compared_with(tmp_path):
    records = Records(project=tmp_path)
    records.mine.mkdir(parents=True)
    records.history.notes = ("git has no commits yet",)
    with pytest.raises(DatasetError, match="no revision of it is recorded to compare it with\n  git has no commits"):
        titles(records, "mine")


def test_a_folder_without_a_data_set_is_refused(records):
    (records.project / "empty").mkdir()
    with pytest.raises(DatasetError, match="no data set in the folder"):
        titles(records, "mine@v2", "empty")


def test_what_is_wrong_with_the_second_revision_is_not_said_of_the_first(records):
    records.contents.put(records.mine, DatasetError("labels/a.txt:1: 4 fields"))
    with pytest.raises(DatasetError, match=r"^labels/a.txt:1: 4 fields$"):
        titles(records, "mine@v2")
