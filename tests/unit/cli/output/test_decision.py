"""The last lines of a grid or a promotion: the table, the decision with its reasons, and what it means to a shell."""

from pathlib import Path

import pytest

from cv_yolo.cli.output.decision import headline, print_decision, require_promotion
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import PolicyRefusedError
from cv_yolo.reports.text.checks import check_text
from tests.builders import (
    a_champion,
    a_check,
    a_decision,
    a_failed_row,
    a_judgement,
    a_policy,
    a_recorded_check,
    a_row,
    a_selection,
    an_estimate,
    an_evaluation,
    an_image_count,
    another_test_set,
)

ROOT = Path("project")
WRITTEN = ROOT / "reports" / "decisions" / "decision-7.html"
Capture = pytest.CaptureFixture[str]


def printed(capsys: Capture, decision: Decision, written: Path | None = WRITTEN) -> str:
    print_decision(decision, written, ROOT)
    return capsys.readouterr().out


def refused(**changes: object) -> Decision:
    return a_decision(checks=(a_check(), a_check(outcome=Outcome.FAILED, required=0.9)), **changes)


def undecided(**changes: object) -> Decision:
    check = an_image_count(10)
    return a_decision(checks=(a_check(), check), **changes)


def test_a_promotion_names_the_run_the_stage_and_every_reason(capsys: Capture) -> None:
    decision = a_decision()
    text = printed(capsys, decision)
    assert "Decision decision-7: promoted e3_s320 to staging of cv_yolo_tiny\n" in text
    for check in decision.checks:
        assert f"✓ {check_text(check).sentence}" in text
    assert "✗" not in text
    assert "cv-yolo models" in text


def test_classes_that_are_never_found_are_named_before_all_else_and_in_the_headline(capsys: Capture) -> None:
    lost = an_evaluation(figures=an_evaluation().figures | {"class/person/ap_50": an_estimate(0.0)}, images=40)
    decision = a_decision(judgement=a_judgement(candidate=lost))
    text = printed(capsys, decision)
    said = "1 of 1 class is never detected: person (6 boxes)"
    assert text.strip().splitlines()[0] == f"Warning: {said}"
    assert headline(decision) == f"Decision decision-7: promoted e3_s320 to staging of cv_yolo_tiny; {said}"
    assert "Warning" not in printed(capsys, a_decision())


@pytest.mark.parametrize(
    ("outcome", "mark"),
    [(Outcome.PASSED, "✓"), (Outcome.FAILED, "✗"), (Outcome.UNDECIDED, "?"), (Outcome.WAIVED, "~")],
)
def test_every_way_for_a_check_to_end_has_its_mark(capsys: Capture, outcome: Outcome, mark: str) -> None:
    decision = a_decision(checks=(a_recorded_check(outcome=outcome, sentence="It is [so]."),))
    assert f"  {mark} It is [so].\n" in printed(capsys, decision)


def test_the_chosen_run_is_marked_and_those_within_noise_too(capsys: Capture) -> None:
    text = printed(capsys, a_decision())
    rows = [line.split("  ")[0] for line in text.splitlines() if line.startswith(("e3_s320", "e3_s416"))]
    assert rows == ["e3_s320 ≈←", "e3_s416 ≈"]
    assert "≈ within noise of the best mAP50 on val" in text


def test_a_best_run_beyond_noise_stands_alone(capsys: Capture) -> None:
    assert "≈" not in printed(capsys, a_decision(selection=a_selection(within_noise=("run-1",))))


def test_a_run_without_a_selection_is_marked_without_noise(capsys: Capture) -> None:
    text = printed(capsys, a_decision(selection=None))
    assert "≈" not in text
    assert "e3_s320 ←" in text


def test_failed_runs_are_shown_with_their_reasons(capsys: Capture) -> None:
    rows = (a_row(), a_failed_row(reason="out of [memory]"), a_failed_row(run_id="run-8", reason=None))
    text = printed(capsys, a_decision(rows=rows))
    assert "e5_s416 failed: out of [memory]" in text
    assert "e5_s416 failed: no reason recorded" in text


def test_the_use_of_the_test_images_is_counted_and_a_spent_budget_is_shown(capsys: Capture) -> None:
    assert "Decision number 3 on these test images.\n" in printed(capsys, a_decision())
    policy = a_policy(test_budget=3)
    assert "images.\n" in printed(capsys, a_decision(policy=policy))
    spent = printed(capsys, a_decision(policy=policy, judgement=a_judgement(use=4)))
    assert "Decision number 4 on these test images (the policy allows 3)." in spent


def test_other_test_images_than_those_of_the_last_decision_are_warned_of(capsys: Capture) -> None:
    text = " ".join(printed(capsys, a_decision(data_findings=(another_test_set(),))).split())
    assert "Warning: The last decision on this data set judged by other test images (revision 0123456789ab, now" in text
    assert "Warning" not in printed(capsys, a_decision())


def test_where_the_test_images_were_not_asked_nothing_is_counted(capsys: Capture) -> None:
    assert "Decision number" not in printed(capsys, a_decision(judgement=None))


def test_an_open_question_says_what_would_settle_it_and_how_it_can_be_let_pass(capsys: Capture) -> None:
    text = printed(capsys, undecided())
    assert "About 20 more test images would settle it." in text
    assert '--accept-inconclusive "reason"' in text


def test_a_number_of_images_that_is_not_known_is_not_made_up(capsys: Capture) -> None:
    text = printed(capsys, a_decision(checks=(a_check(outcome=Outcome.UNDECIDED),)))
    assert "more test images" not in text
    assert "--accept-inconclusive" in text


def test_a_settled_decision_asks_for_nothing_more(capsys: Capture) -> None:
    for decision in (a_decision(), refused()):
        assert "--accept-inconclusive" not in printed(capsys, decision)


def test_the_written_decision_is_named_from_the_projects_folder(capsys: Capture) -> None:
    assert "The decision:     reports/decisions/decision-7.html (and .md)" in printed(capsys, a_decision())
    elsewhere = Path("elsewhere") / "decision-7.html"
    assert f"The decision:     {elsewhere} (and .md)" in printed(capsys, a_decision(), elsewhere)


def test_a_decision_that_was_not_written_is_not_pointed_to(capsys: Capture) -> None:
    assert "The decision:" not in printed(capsys, a_decision(), None)


@pytest.mark.parametrize(
    ("decision", "line"),
    [
        (a_decision(), "promoted e3_s320 to staging of cv_yolo_tiny"),
        (a_decision(stage=Stage.PRODUCTION), "promoted e3_s320 to production of cv_yolo_tiny"),
        (
            a_decision(checks=(a_check(outcome=Outcome.WAIVED),)),
            "promoted e3_s320 to staging of cv_yolo_tiny (provisional)",
        ),
        (
            undecided(accepted="we need it"),
            "accepted although inconclusive, promoted e3_s320 to staging of cv_yolo_tiny (provisional)",
        ),
        (undecided(), "inconclusive, e3_s320 is not promoted to staging of cv_yolo_tiny"),
        (refused(accepted="we need it"), "rejected, e3_s320 is not promoted to staging of cv_yolo_tiny"),
        (
            a_decision(champion=a_champion(run_id="run-1")),
            "e3_s320 is already in staging of cv_yolo_tiny",
        ),
        (
            a_decision(rows=(a_failed_row(),), chosen=None, selection=None, checks=(a_check(outcome=Outcome.FAILED),)),
            "nothing to promote to staging of cv_yolo_tiny",
        ),
    ],
)
def test_the_headline_says_what_was_decided(decision: Decision, line: str) -> None:
    assert headline(decision) == f"Decision decision-7: {line}"


@pytest.mark.parametrize(
    "decision",
    [a_decision(), undecided(accepted="we need it"), a_decision(checks=(a_check(outcome=Outcome.WAIVED),))],
)
def test_a_version_that_got_its_stage_is_no_error(decision: Decision) -> None:
    require_promotion(decision, WRITTEN)


def test_a_refusal_is_an_error_with_its_first_reason_and_the_written_decision() -> None:
    with pytest.raises(PolicyRefusedError) as caught:
        require_promotion(refused(), WRITTEN)
    assert caught.value.exit_code == 4
    assert caught.value.message == "not promoted: mAP50 is 0.610 [0.560, 0.660]: not above the floor of 0.9."
    assert caught.value.hint == f"the decision: {WRITTEN}"


def test_of_several_reasons_the_others_are_counted() -> None:
    checks = [a_recorded_check(outcome=outcome, sentence=str(outcome)) for outcome in (*Outcome, *Outcome)]
    with pytest.raises(PolicyRefusedError) as caught:
        require_promotion(a_decision(checks=tuple(checks)), WRITTEN)
    assert caught.value.message == "not promoted: failed (and 3 more)"


def test_what_is_not_settled_is_refused_as_such() -> None:
    with pytest.raises(PolicyRefusedError) as caught:
        require_promotion(undecided(), WRITTEN)
    assert caught.value.message == "inconclusive: 10 test images are fewer than 30: too few to trust an interval."
