"""The comparison of the runs as lines of text."""

import pytest

from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.reports.tables.runs import decision_table, run_table
from tests.builders import (
    a_decision,
    a_decision_report,
    a_failed_row,
    a_policy,
    a_row,
    a_run,
    a_run_report,
    a_selection,
    an_estimate,
    an_evaluation,
)


def only_line(row, failures=None, runs=()):
    (line,) = run_table(runs, (row,), failures or {}).lines
    return line


def decided(**changes):
    return decision_table(a_decision_report(decision=a_decision(**changes)))


def test_a_finished_run_shows_the_values_of_its_row():
    table = run_table((), (a_row(latency_ms=12.5),), {})
    (line,) = table.lines
    assert dict(zip(table.columns, line.cells, strict=True)) == {
        "mAP50": "0.610",
        "mAP50-95": "0.340",
        "Precision": "0.720",
        "Recall": "0.580",
        "Confidence": "0.310",
        "Latency": "12.5 ms",
        "Epochs": "3",
        "Image size": "320 px",
        "Duration": "41 s",
    }
    assert (line.name, line.status, line.reason, line.chosen, line.marks) == ("e3_s320", "finished", None, False, ())


def test_the_score_that_counts_has_the_interval_of_the_runs_evaluation():
    assert only_line(a_row(), runs=(a_run_report(),)).cells[0] == "0.610 [0.560, 0.660]"


def test_a_run_without_an_evaluation_at_hand_has_no_interval():
    runs = (
        a_run_report(evaluation=None),
        a_run_report(run=a_run(run_id="run-2"), evaluation=an_evaluation(figures={})),
    )
    table = run_table(runs, (a_row(), a_row(run_id="run-2")), {})
    assert [line.cells[0] for line in table.lines] == ["0.610", "0.610"]


def test_a_score_that_could_not_be_computed_is_a_dash():
    line = only_line(a_row(scores={"map_50_95": 0.0}))
    assert line.cells == ("–", "0.000", "–", "–", "–", "–", "3", "320 px", "41 s")


def test_a_decisions_table_says_how_far_a_run_is_behind_the_best_and_what_was_made_of_it():
    table = decided()
    assert table.columns[:2] == ("mAP50", "Behind the best")
    assert [(line.cells[1], line.chosen, line.marks) for line in table.lines] == [
        ("–", True, ("chosen", "best on val")),
        ("+0.030 [−0.020, +0.080]", False, ("within noise",)),
    ]


def test_a_run_that_is_worse_than_the_best_beyond_noise_has_no_mark():
    selection = a_selection(within_noise=("run-1",), differences={"run-2": an_estimate(0.1)})
    assert decided(selection=selection).lines[1].marks == ()


def test_the_figure_that_selects_comes_first():
    table = decided(policy=a_policy(selection_metric="map_50_95"))
    assert table.columns[0] == "mAP50-95"
    assert "mAP50" in table.columns
    assert table.lines[0].cells[0] == "0.340 [0.290, 0.390]"


def test_without_a_selection_no_run_is_behind():
    table = decided(rows=(a_row(),), selection=None)
    assert "Behind the best" not in table.columns
    assert table.lines[0].marks == ("chosen",)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED, RunStatus.RUNNING])
def test_a_run_without_proof_has_dashes_a_status_and_a_reason(status):
    line = only_line(a_failed_row(status=status))
    assert line.cells == (*"––––––", "3", "320 px", "–")
    assert (line.status, line.reason) == (status, "out of memory")


def test_a_missing_reason_is_called_missing():
    assert only_line(a_failed_row(reason=None)).reason == "no reason recorded"


def test_a_failure_that_left_no_tracked_run_has_a_line_too():
    table = run_table((), (), {"e8_s640": "no memory"})
    (line,) = table.lines
    assert (line.name, line.status, line.reason) == ("e8_s640", "failed", "no memory")
    assert line.cells == ("–",) * len(table.columns)


def test_a_failure_that_a_tracked_run_shows_is_not_shown_twice():
    assert only_line(a_failed_row(), {"e5_s416": "the step failed"}).reason == "out of memory"


def test_a_failure_after_a_run_had_finished_is_not_hidden_by_it():
    lines = run_table((), (a_row(name="e5_s416"),), {"e5_s416": "the weights were not kept"}).lines
    assert [(line.status, line.reason) for line in lines] == [
        ("finished", None),
        ("failed", "the weights were not kept"),
    ]


def test_a_decisions_table_begins_with_the_best_and_ends_with_what_failed():
    rows = (a_failed_row(), a_row(name="good"), a_row(run_id="run-2", name="better", map_50=0.7))
    report = a_decision_report(decision=a_decision(rows=rows, chosen="run-2"), failures={"e8_s640": "no memory"})
    assert [(line.name, line.chosen) for line in decision_table(report).lines] == [
        ("better", True),
        ("good", False),
        ("e5_s416", False),
        ("e8_s640", False),
    ]
