"""The last lines of a grid: the table, the decision with its reasons, and where to look next."""

from pathlib import Path

import pytest
from rich.console import Console

from cv_yolo.cli.tables import print_decision, rows_table, runs_table
from cv_yolo.domain.promotion import Decision
from tests.builders import a_champion, a_decision, a_failed_row, a_policy, a_row, a_run

ROOT = Path("project")
WRITTEN = ROOT / "reports" / "decisions" / "decision-7.html"


def printed(capsys: pytest.CaptureFixture[str], decision: Decision, written: Path | None = WRITTEN) -> str:
    print_decision(decision, written, ROOT)
    return capsys.readouterr().out


def test_a_promotion_names_the_run_the_stage_and_every_reason(capsys: pytest.CaptureFixture[str]) -> None:
    decision = a_decision()
    text = printed(capsys, decision)
    assert "Decision decision-7: promote: e3_s320 → staging of cv_yolo_tiny" in text
    for check in decision.checks:
        assert f"✓ {check.sentence}" in text
    assert "✗" not in text
    assert "cv-yolo models" in text


def test_the_chosen_run_is_marked_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [line for line in printed(capsys, a_decision()).splitlines() if line.startswith(("e3_s320", "e3_s416"))]
    assert [("←" in row) for row in rows] == [True, False]


@pytest.mark.parametrize(("width", "started"), [(80, False), (120, True)])
def test_names_scores_and_ids_are_never_cut_off_and_the_start_is_told_where_there_is_room(
    capsys: pytest.CaptureFixture[str], width: int, started: bool
) -> None:
    run = a_run(run_id="36f814a1d7f041339d46b66b2c5cbffe")
    Console(width=width, highlight=False).print(runs_table([run], width=width))
    header, row = capsys.readouterr().out.splitlines()
    assert row.split()[:8] == ["e3_s320", "3", "320", "0.610", "0.340", "0.720", "0.580", "41"]
    assert row.split()[8:11] == ["s", "finished", "36f814a1"]
    assert ("started" in header) == started


def test_the_marked_row_of_a_decision_fits_into_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80, highlight=False).print(rows_table([a_row(run_id="36f814a1")], chosen="36f814a1"))
    assert "…" not in capsys.readouterr().out


def test_a_refusal_says_which_condition_was_not_met(capsys: pytest.CaptureFixture[str]) -> None:
    decision = a_decision(policy=a_policy(floor=0.9))
    text = printed(capsys, decision)
    assert "Decision decision-7: reject: e3_s320 not promoted" in text
    assert "✗ The best run, e3_s320, scores map_50 0.6100, not above the floor of 0.9." in text


def test_a_better_champion_that_stays_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    champion = a_champion(row=a_row(run_id="run-0", map_50=0.7))
    text = printed(capsys, a_decision(champion=champion))
    assert "✗ Version 2 in staging scores 0.7000 on the same data: it stays." in text


def test_without_any_run_to_choose_the_failures_are_told_with_their_reasons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(capsys, a_decision(rows=(a_failed_row(reason="out of [memory]"), a_failed_row(reason=None))))
    assert "e5_s416 failed: out of [memory]" in text
    assert "e5_s416 failed: no reason recorded" in text
    assert "reject: no run not promoted" in text


def test_the_written_decision_is_named_from_the_projects_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert "The decision:     reports/decisions/decision-7.html (and .md)" in printed(capsys, a_decision())
    elsewhere = Path("elsewhere") / "decision-7.html"
    assert f"The decision:     {elsewhere} (and .md)" in printed(capsys, a_decision(), elsewhere)


def test_a_decision_that_was_not_written_is_not_pointed_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert "The decision:" not in printed(capsys, a_decision(), None)
