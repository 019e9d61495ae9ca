"""Everything that holds or used a revision."""

import pytest

from cv_yolo.domain.data.manifest import Split, revision_of
from cv_yolo.domain.promotion.audit import Action, chained
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import DatasetError, ServiceUnavailableError
from cv_yolo.workflows.find_revision import Registers, find_revision
from tests.builders import NOON, a_new_version, a_proposal, a_run
from tests.fakes import FakeAuditLog, FakeModelRegistry
from tests.unit.workflows.revisions import FIRST, FIRST_HASH, SECOND, SECOND_HASH, Records, two_revisions

TEST = revision_of(SECOND.classes, SECOND.split(Split.TEST))


@pytest.fixture
def records(tmp_path):
    return two_revisions(tmp_path)


def registers(*entries, runs=()):
    registry, log = FakeModelRegistry(model="m"), FakeAuditLog()
    for run_id in runs:
        registry.register(a_new_version(run_id=run_id))
    with log.locked():
        for entry in entries:
            log.append(entry)
    return Registers(versions=lambda: registry, log=lambda: log)


def chained_log(*moves):
    entries = []
    for action, proposal in moves:
        entries.append(chained(proposal, entries, action=action, model="m", actor="ann", at=NOON))
    return entries


def found(records, given, using=None, folders=None):
    folders = [records.mine] if folders is None else folders
    return find_revision(records.source, given, folders=folders, registers=using or registers())


def test_records_folders_and_cache_of_a_revision(records):
    use = found(records, SECOND.revision[:8])
    assert use.revision == SECOND.revision
    assert [each.subject for each in use.records] == ["change 2"]
    assert use.folders == (records.mine,)
    assert use.stored[SECOND_HASH].complete
    assert (use.runs, use.versions, use.decisions, use.notes) == ((), (), (), ())


def test_dvcs_hash_finds_the_same(records):
    assert found(records, FIRST_HASH[:6]).revision == FIRST.revision


def test_runs_versions_stages_and_decisions_that_used_it(records):
    records.runs = (
        a_run(run_id="r1", tags={"dataset_revision": SECOND.revision}),
        a_run(run_id="r2", tags={"dataset_revision": FIRST.revision}),
    )
    entries = chained_log(
        (Action.PROMOTED, a_proposal(stage=Stage.STAGING, version="1", run_id="r1", test_revision="other")),
        (Action.JUDGED, a_proposal(stage=Stage.STAGING, version="2", run_id="r2", test_revision=TEST)),
        (Action.JUDGED, a_proposal(stage=Stage.STAGING, version="3", run_id="r3", test_revision="other")),
    )
    use = found(records, SECOND.revision[:8], registers(*entries, runs=("r1", "r2")))
    assert [run.run_id for run in use.runs] == ["r1"]
    assert [version.run_id for version in use.versions] == ["r1"]
    assert use.stages["1"] is Stage.STAGING
    assert [(each.entry.version, each.trained_on, each.judged_on) for each in use.decisions] == [
        ("1", True, False),
        ("2", False, True),
    ]


def test_a_revision_that_only_runs_know(records):
    records.runs = (a_run(tags={"dataset_revision": "abcdef01"}),)
    use = found(records, "abcdef")
    assert (use.revision, use.records, use.folders, len(use.runs)) == ("abcdef01", (), (), 1)


def test_records_whose_files_are_gone_go_by_dvcs_hash_or_by_the_runs_that_used_them(records):
    records.history.cached.clear()
    use = found(records, "1111aaaa")
    assert (use.revision, [each.subject for each in use.records]) == (None, ["change 1"])
    assert use.stored[FIRST_HASH].files is None
    assert "the revision of 2 recorded folders is not known" in use.notes[0]
    records.runs = (a_run(tags={"dataset_revision": FIRST.revision, "dvc_hash": FIRST_HASH}),)
    assert found(records, "1111aaaa").revision == FIRST.revision


def test_an_unknown_revision_is_refused_with_what_is_not_known(records):
    records.history.cached.clear()
    with pytest.raises(DatasetError, match=r"no record, no folder below data/ and no run.*\n  the revision of 2"):
        found(records, "abcdef")


@pytest.mark.parametrize("given", ["", "abc", "xyz1", "ABCDEF"])
def test_what_is_no_beginning_of_a_revision_is_refused(records, given):
    with pytest.raises(DatasetError, match="not the beginning of a revision"):
        found(records, given)


def test_an_ambiguous_beginning_is_refused_with_the_revisions(records):
    records.runs = tuple(a_run(tags={"dataset_revision": f"abcdef0{number}"}) for number in range(2))
    with pytest.raises(DatasetError, match="abcdef: 2 revisions begin so: abcdef00, abcdef01"):
        found(records, "abcdef")


def test_what_cannot_be_read_is_noted(records):
    def down():
        raise ServiceUnavailableError("ZenML does not answer")

    broken = records.mine.with_name("broken")
    use = found(records, SECOND.revision[:8], Registers(versions=down, log=down), folders=[records.mine, broken])
    assert [note.partition(":")[0] for note in use.notes] == [
        "broken",
        "which versions were trained on it is not known",
        "which decisions used it is not known",
    ]


def test_nothing_is_recorded_in_an_empty_project(tmp_path):
    with pytest.raises(DatasetError, match="no record"):
        found(Records(project=tmp_path), "abcdef", folders=[])
