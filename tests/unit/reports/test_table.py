"""The comparison of the runs as lines of text."""

import pytest

from cv_yolo.domain.runs import RunStatus
from cv_yolo.reports.table import COLUMNS, decision_lines, table_lines
from tests.builders import a_decision, a_failed_row, a_row


def test_a_finished_run_shows_the_values_of_its_row():
    (line,) = table_lines((a_row(),), {})
    assert dict(zip(COLUMNS, line.cells, strict=True)) == {
        "Epochs": "3",
        "Image size": "320 px",
        "mAP50": "0.610",
        "mAP50-95": "0.340",
        "Precision": "0.720",
        "Recall": "0.580",
        "Confidence": "0.310",
        "Duration": "41 s",
    }
    assert (line.name, line.status, line.reason, line.best) == ("e3_s320", "finished", None, False)


def test_a_score_that_could_not_be_computed_is_a_dash():
    (line,) = table_lines((a_row(scores={"map_50": 0.0, "map_50_95": 0.0}),), {})
    assert line.cells == ("3", "320 px", "0.000", "0.000", "–", "–", "–", "41 s")


def test_the_best_run_is_found_by_its_id_and_not_by_its_name():
    lines = table_lines((a_row(run_id="run-1"), a_row(run_id="run-2")), {}, best="run-2")
    assert [line.best for line in lines] == [False, True]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED, RunStatus.RUNNING])
def test_a_run_without_proof_has_dashes_a_status_and_a_reason(status):
    (line,) = table_lines((a_failed_row(status=status),), {})
    assert line.cells == ("3", "320 px", *"––––––")
    assert (line.status, line.reason) == (status, "out of memory")


def test_a_missing_reason_is_called_missing():
    (line,) = table_lines((a_failed_row(reason=None),), {})
    assert line.reason == "no reason was recorded"


def test_a_failure_that_left_no_tracked_run_has_a_line_too():
    (line,) = table_lines((), {"e8_s640": "no memory"})
    assert (line.name, line.status, line.reason) == ("e8_s640", "failed", "no memory")
    assert line.cells == ("–",) * len(COLUMNS)


def test_a_failure_that_a_tracked_run_tells_of_is_not_told_twice():
    (line,) = table_lines((a_failed_row(),), {"e5_s416": "the step failed"})
    assert line.reason == "out of memory"


def test_a_failure_after_a_run_had_finished_is_not_hidden_by_it():
    lines = table_lines((a_row(name="e5_s416"),), {"e5_s416": "the weights were not kept"})
    assert [(line.status, line.reason) for line in lines] == [
        ("finished", None),
        ("failed", "the weights were not kept"),
    ]


def test_a_decisions_table_begins_with_the_best_and_ends_with_what_failed():
    rows = (a_failed_row(), a_row(name="good"), a_row(run_id="run-2", name="better", map_50=0.7))
    lines = decision_lines(a_decision(rows=rows), {"e8_s640": "no memory"})
    assert [(line.name, line.best) for line in lines] == [
        ("better", True),
        ("good", False),
        ("e5_s416", False),
        ("e8_s640", False),
    ]
