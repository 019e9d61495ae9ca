"""By which test images the last decision on a data set judged; what the records do not say stays unknown."""

from dataclasses import replace

from cv_yolo.domain.promotion.audit import Action, chained
from cv_yolo.workflows.judged_data import in_folder, last_test_revision
from cv_yolo.workflows.train import DATASET_PATH_TAG
from tests.builders import NOON, a_proposal, a_run
from tests.fakes import FakeAuditLog


class Runs:
    def __init__(self, **paths):
        self.paths, self.asked = paths, 0

    def runs(self):
        self.asked += 1
        return tuple(
            a_run(run_id=run_id, tags={} if path is None else {DATASET_PATH_TAG: path})
            for run_id, path in self.paths.items()
        )


def a_log(*judged):
    entries = []
    for run_id, revision in judged:
        proposal = replace(a_proposal(), run_id=run_id, test_revision=revision)
        entries.append(chained(proposal, entries, action=Action.JUDGED, model="m", actor="me", at=NOON))
    return FakeAuditLog(entries)


def is_mine(path):
    return path == "data/mine"


def test_the_last_decision_about_a_model_trained_on_this_data_counts():
    log = a_log(("one", "first"), ("two", "second"), ("other", "third"), ("none", None))
    runs = Runs(one="data/mine", two="data/mine", other="data/other", none="data/mine")
    assert last_test_revision(log, runs, is_mine) == "second"


def test_a_run_whose_data_are_not_recorded_says_nothing():
    assert last_test_revision(a_log(("one", "first"), ("gone", "x")), Runs(one=None), is_mine) is None


def test_without_a_decision_no_run_is_asked_for():
    runs = Runs(one="data/mine")
    assert last_test_revision(a_log(), runs, is_mine) is None
    assert runs.asked == 0


def test_a_data_set_is_the_same_by_each_path_that_leads_to_it(tmp_path):
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "data" / "mine")
    is_this = in_folder(tmp_path / "linked", project=tmp_path)
    assert [is_this(path) for path in ("data/mine", "data/../linked", str(tmp_path / "data/mine"), "data/other")] == [
        True,
        True,
        True,
        False,
    ]
