"""The tracked record of a training, and its line in the comparison."""

import pytest

from cv_yolo.domain.training.runs import RunStatus, find_run, row_of
from cv_yolo.errors import NotFoundError
from tests.builders import SCORES, a_manifest, a_row, a_run


def test_the_scores_of_a_run_are_the_evaluators_final_figures_only():
    run = a_run(metrics={"final/map_50": 0.6, "val/map_50": 0.9, "duration_s": 4.0})
    assert run.scores == {"map_50": 0.6}


def test_a_run_is_of_the_data_it_was_tagged_with():
    assert a_run().revision == a_manifest().revision
    assert a_run(tags={}).revision is None


def test_a_row_says_what_the_run_says():
    run = a_run(params={"epochs": "5", "image_size_px": "416", "seed": "7"}, name="e5_s416")
    assert row_of(run) == a_row(name="e5_s416", epochs=5, image_size_px=416, scores=SCORES)


@pytest.mark.parametrize("status", [RunStatus.RUNNING, RunStatus.FAILED, RunStatus.STOPPED])
def test_a_run_without_proof_has_no_scores_in_the_comparison(status):
    row = row_of(a_run(status=status, reason="out of memory"))
    assert (row.scores, row.status, row.reason) == ({}, status, "out of memory")


def test_a_duration_that_was_not_measured_is_absent():
    assert row_of(a_run(metrics={})).duration_s is None


def test_a_row_costs_what_its_training_costs():
    assert a_row(epochs=3, image_size_px=64).cost == 3 * 64 * 64


def test_a_run_without_training_parameters_is_not_a_training():
    assert a_run().is_training
    assert not a_run(params={"epochs": "3"}).is_training


def test_a_row_shows_the_latency_where_it_was_measured():
    assert row_of(a_run(metrics={"latency_ms": 12.5})).latency_ms == 12.5
    assert row_of(a_run(metrics={})).latency_ms is None


def test_a_run_that_is_not_a_training_has_no_line_in_the_comparison():
    with pytest.raises(KeyError):
        row_of(a_run(params={"epochs": "3"}))


def test_a_figure_of_an_interval_is_not_a_score():
    run = a_run(metrics={"final/map_50": 0.6, "interval/map_50/low": 0.5, "interval/map_50/high": 0.7})
    assert run.scores == {"map_50": 0.6}


def test_of_runs_of_one_name_the_newest_is_meant():
    newest, older = a_run(run_id="b2"), a_run(run_id="a1")
    assert find_run("e3_s320", [newest, older]) is newest


def test_the_beginning_of_an_id_goes_before_a_name():
    by_id, by_name = a_run(run_id="e3_s320", name="another"), a_run(run_id="a1", name="e3_s320")
    assert find_run("e3_s320", [by_name, by_id]) is by_id


def test_a_beginning_that_fits_several_runs_is_refused():
    with pytest.raises(NotFoundError, match="ab: 2 runs begin with it") as refused:
        find_run("ab", [a_run(run_id="abc"), a_run(run_id="abd"), a_run(run_id="b")])
    assert refused.value.hint == "give more of the id"
