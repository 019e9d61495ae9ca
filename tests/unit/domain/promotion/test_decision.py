"""What was decided about a version, and why."""

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Verdict
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.training.runs import RunStatus
from tests.builders import a_champion, a_check, a_decision, a_failed_row, a_policy, a_row

PASSED, FAILED, UNDECIDED, WAIVED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED


def decided(*outcomes, **changes):
    return a_decision(checks=tuple(a_check(outcome=outcome) for outcome in outcomes), **changes)


def needing(*more_images, also=()):
    """A decision with an undecided check for each number of images, and other checks."""
    undecided = tuple(a_check(outcome=UNDECIDED, more_images=number) for number in more_images)
    return a_decision(checks=(*undecided, *also))


def test_a_decision_without_checks_is_refused():
    with pytest.raises(ValueError, match="without checks would promote anything"):
        a_decision(checks=())


def test_a_run_that_was_not_compared_cannot_be_chosen():
    with pytest.raises(ValueError, match="the chosen run elsewhere was not compared"):
        a_decision(chosen="elsewhere")


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ((PASSED, PASSED), Verdict.PROMOTE),
        ((PASSED, WAIVED), Verdict.PROMOTE),
        ((PASSED, UNDECIDED), Verdict.INCONCLUSIVE),
        ((WAIVED, UNDECIDED), Verdict.INCONCLUSIVE),
        ((PASSED, FAILED), Verdict.REJECT),
        ((UNDECIDED, WAIVED, FAILED), Verdict.REJECT),
    ],
)
def test_the_worst_outcome_makes_the_verdict(outcomes, verdict):
    assert decided(*outcomes).verdict is verdict
    assert decided(*reversed(outcomes)).verdict is verdict


@pytest.mark.parametrize(
    ("outcome", "accepted", "promotes"),
    [
        (PASSED, None, True),
        (WAIVED, None, True),
        (UNDECIDED, None, False),
        (UNDECIDED, "the camera is new", True),
        (FAILED, None, False),
        (FAILED, "the camera is new", False),
    ],
)
def test_a_person_can_accept_what_is_inconclusive_but_not_what_failed(outcome, accepted, promotes):
    assert decided(PASSED, outcome, accepted=accepted).promotes is promotes


@pytest.mark.parametrize(
    ("outcome", "accepted", "provisional"),
    [
        (PASSED, None, False),
        (WAIVED, None, True),
        (UNDECIDED, "the camera is new", True),
        (UNDECIDED, None, False),  # nothing is given, so nothing provisionally
        (FAILED, "the camera is new", False),
    ],
)
def test_a_stage_given_on_weaker_evidence_is_given_provisionally(outcome, accepted, provisional):
    assert decided(PASSED, outcome, accepted=accepted).provisional is provisional


@pytest.mark.parametrize("outcome", [FAILED, UNDECIDED, WAIVED])
def test_only_a_passed_check_passed(outcome):
    assert a_check(outcome=PASSED).passed
    assert not a_check(outcome=outcome).passed


def test_the_most_images_that_an_undecided_check_needs_are_needed():
    assert needing(12, 40, 7).more_images == 40


def test_a_check_that_is_settled_needs_no_images():
    assert needing(12, also=(a_check(outcome=PASSED, more_images=900),)).more_images == 12


def test_where_one_undecided_check_cannot_be_settled_by_images_no_number_is_given():
    assert needing(12, None).more_images is None


def test_where_nothing_is_undecided_no_number_is_given():
    assert decided(PASSED, FAILED).more_images is None


def test_the_champion_itself_changes_nothing():
    assert a_decision(chosen="run-1", champion=a_champion(run_id="run-1")).changes_nothing
    assert not a_decision(chosen="run-1", champion=a_champion(run_id="run-0")).changes_nothing
    assert not a_decision(chosen="run-1", champion=None).changes_nothing


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_the_gate_is_that_of_the_stage_that_was_asked_for(stage):
    policy = a_policy()
    assert a_decision(stage=stage, policy=policy).gate is policy.gates[stage]


def test_the_chosen_runs_line_is_found():
    assert a_decision(chosen="run-2").chosen_row.run_id == "run-2"


def test_without_a_choice_there_is_no_chosen_line():
    assert a_decision(chosen=None, selection=None).chosen_row is None


def test_the_runs_that_ended_without_proof_are_listed():
    failed, stopped = a_failed_row(), a_failed_row(run_id="run-8", status=RunStatus.STOPPED)
    assert a_decision(rows=(failed, a_row(), stopped)).failed_rows == (failed, stopped)
