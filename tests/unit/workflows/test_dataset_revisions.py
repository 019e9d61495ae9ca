"""The log of a data set: what each revision holds and changed, and what is not known."""

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError, ServiceUnavailableError
from cv_yolo.workflows.dataset_revisions import NOT_STORED, RevisionReader, RevisionSource, log_dataset
from tests.builders import a_run
from tests.unit.workflows.revisions import FIRST, FIRST_HASH, SECOND, SECOND_HASH, Records, a_content, two_revisions


@pytest.fixture
def records(tmp_path):
    return two_revisions(tmp_path)


def test_revisions_are_listed_newest_first_with_what_they_hold_and_changed(records):
    second, first = log_dataset(records.source, records.mine).revisions
    assert (second.revision, first.revision) == (SECOND.revision, FIRST.revision)
    assert second.summary.images == {Split.TRAIN: 3, Split.VAL: 1, Split.TEST: 1}
    assert second.summary.boxes == 10
    assert second.counts["added"] == 1
    assert first.counts == {}
    assert (second.in_workspace, first.in_workspace) == (True, False)
    assert second.stored.complete


def test_what_was_found_out_is_remembered_and_read_no_more(records):
    log_dataset(records.source, records.mine)
    records.contents.read_folders.clear()
    log_dataset(records.source, records.mine)
    assert records.contents.read_folders == [records.mine]


def test_each_revision_is_read_once_with_progress(records):
    log_dataset(records.source, records.mine)
    assert [step for step in records.progress if step[0] != "mine"] == [("2222bbb", 5, 5), ("1111aaa", 4, 4)]


def test_a_folder_as_last_recorded_has_no_differences(records):
    workspace = log_dataset(records.source, records.mine).workspace
    assert (workspace.differs, workspace.counts) == (False, {})


def test_a_changed_folder_differs_from_the_last_record(records):
    records.contents.put(records.mine, a_content("a"))
    log = log_dataset(records.source, records.mine)
    assert log.workspace.differs
    assert log.workspace.counts["removed"] == 2
    assert not any(row.in_workspace for row in log.revisions)


def test_a_folder_that_cannot_be_read_or_is_not_here_says_so(records):
    records.contents.put(records.mine, DatasetError("labels/a.txt:1: 4 fields"))
    assert log_dataset(records.source, records.mine).workspace.problem == "labels/a.txt:1: 4 fields"
    records.contents._contents.pop(records.mine)
    assert log_dataset(records.source, records.mine).workspace.problem == "no data set in the folder"


def test_a_revision_whose_files_are_not_at_hand_is_not_known_and_how_to_get_it_is_said(records):
    records.history.cached.clear()
    records.history.notes = ("this clone is shallow",)
    log = log_dataset(records.source, records.mine)
    assert [row.revision for row in log.revisions] == [None, None]
    assert log.revisions[0].problem == "2222bbbb.dir: not in DVC's cache"
    assert log.notes == ("this clone is shallow", NOT_STORED)
    assert (log.workspace.differs, log.workspace.counts) == (None, None)


def test_that_the_folder_differs_is_known_even_where_what_differs_is_not(records):
    log_dataset(records.source, records.mine)
    records.history.cached[SECOND_HASH] = 2
    records.contents.put(records.mine, a_content("a"))
    workspace = log_dataset(records.source, records.mine).workspace
    assert (workspace.differs, workspace.counts) == (True, None)
    assert "2 of 3 files" in workspace.problem


def test_what_changed_is_not_known_without_the_files_of_the_former_revision(records):
    del records.history.cached[FIRST_HASH]
    second, _ = log_dataset(records.source, records.mine).revisions
    assert (second.revision, second.counts) == (SECOND.revision, None)
    assert "1111aaaa" in second.problem


def test_runs_name_a_revision_whose_files_are_gone_and_those_that_nothing_records(records):
    del records.history.cached[FIRST_HASH]
    of_first = {"dataset": "mine", "dataset_revision": FIRST.revision, "dvc_hash": FIRST_HASH}
    records.runs = (
        a_run(name="one", tags=of_first),
        a_run(name="two", tags={"dataset": "mine", "dataset_revision": "ffff"}),
        a_run(name="three", tags={"dataset": "other", "dataset_revision": "eeee"}),
        a_run(name="four", tags={"dataset": "mine", "dataset_revision": "ffff"}),
    )
    log = log_dataset(records.source, records.mine)
    assert log.revisions[1].revision == FIRST.revision
    assert (log.revisions[0].runs, log.revisions[1].runs) == (0, 1)
    assert log.unrecorded == {"ffff": ("two", "four")}


def test_runs_that_cannot_be_read_are_said_to_be_unknown(records):
    def down():
        raise ServiceUnavailableError("MLflow does not answer")

    given = records.source
    source = RevisionSource(history=given.history, contents=given.contents, known=given.known, runs=down)
    log = log_dataset(source, records.mine)
    assert log.notes == ("which runs used the data is not known: ServiceUnavailableError: MLflow does not answer",)
    assert log.revisions[0].runs is None


def test_a_folder_that_is_not_recorded_has_its_revision(tmp_path):
    records = Records(project=tmp_path)
    records.contents.put(records.mine, FIRST)
    log = log_dataset(records.source, records.mine)
    assert log.workspace.summary.revision == FIRST.revision
    assert "no revision is recorded yet" in log.notes[-1]


def test_neither_a_data_set_nor_a_record_is_refused_with_what_is_known(tmp_path):
    records = Records(project=tmp_path)
    records.history.notes = ("git is not installed",)
    with pytest.raises(DatasetError, match="no data set here, and no record of one\n  git is not installed"):
        log_dataset(records.source, records.mine)


def test_what_cannot_be_read_of_a_recorded_revision_is_named_without_the_scratch_folder(tmp_path):
    records = Records(project=tmp_path)
    records.record(FIRST_HASH, DatasetError(f"/{FIRST_HASH}/labels/a.txt:1: 4 fields", hint="correct it"), number=1)
    with pytest.raises(DatasetError) as refusal:
        RevisionReader(records.source).summary(FIRST_HASH)
    assert (refusal.value.message, refusal.value.hint) == ("labels/a.txt:1: 4 fields", "correct it")


def test_of_the_contents_only_the_last_are_held(tmp_path):
    records, reader = two_revisions(tmp_path), None
    records.record("3333.dir", a_content("z"), number=3)
    reader = RevisionReader(records.source)
    for dvc_hash in (FIRST_HASH, SECOND_HASH, "3333.dir", "3333.dir"):
        reader.content(dvc_hash)
    assert len(reader._held) == 2
    assert len(records.contents.read_folders) == 3
