"""Which run is promoted, and why."""

import pytest

from cv_yolo.domain.promotion import Check, Decision, Verdict, decide, rank
from cv_yolo.domain.runs import RunStatus
from tests.builders import NOON, a_champion, a_check, a_decision, a_failed_row, a_policy, a_row


def decision_on(*rows, champion=None, **policy):
    return decide(rows, policy=a_policy(**policy), champion=champion, id="d", now=NOON)


def check(decision, name) -> Check:
    (found,) = [each for each in decision.checks if each.name == name]
    return found


def test_a_decision_without_checks_is_refused():
    with pytest.raises(ValueError, match="without checks"):
        Decision(id="d", made_at=NOON, policy=a_policy(), rows=(), chosen=None, champion=None, checks=())


def test_a_run_that_was_not_compared_cannot_be_chosen():
    with pytest.raises(ValueError, match="the chosen run elsewhere was not compared"):
        a_decision(chosen="elsewhere")


def test_one_failed_check_rejects():
    passed, failed = a_check(), a_check(passed=False)
    assert a_decision(checks=(passed, passed)).verdict is Verdict.PROMOTE
    assert a_decision(checks=(passed, failed)).verdict is Verdict.REJECT


def test_the_best_run_is_chosen_and_promoted():
    decision = decision_on(a_row(run_id="a", map_50=0.6), a_row(run_id="b", map_50=0.8), a_row(run_id="c", map_50=0.7))
    assert (decision.chosen, decision.verdict) == ("b", Verdict.PROMOTE)
    assert decision.chosen_row.scores["map_50"] == 0.8
    assert [each.name for each in decision.checks] == ["proof", "floor", "champion"]
    assert (decision.id, decision.made_at, len(decision.rows)) == ("d", NOON, 3)


def test_the_policys_score_chooses():
    rows = (
        a_row(run_id="a", scores={"map_50": 0.9, "map_50_95": 0.2}),
        a_row(run_id="b", scores={"map_50": 0.6, "map_50_95": 0.4}),
    )
    assert decision_on(*rows).chosen == "a"
    assert decision_on(*rows, metric="map_50_95", floor=0.3).chosen == "b"


def test_of_equal_runs_the_cheaper_is_chosen_whatever_the_order():
    dear, cheap = a_row(run_id="dear", image_size_px=416), a_row(run_id="cheap", image_size_px=320)
    assert decision_on(dear, cheap).chosen == decision_on(cheap, dear).chosen == "cheap"


def test_of_equal_runs_of_equal_cost_the_smaller_name_is_chosen():
    second, first = a_row(run_id="2", name="b"), a_row(run_id="1", name="a")
    assert [row.name for row in rank([second, first], "map_50")] == ["a", "b"]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED, RunStatus.RUNNING])
def test_a_run_that_did_not_finish_is_not_ranked_whatever_its_scores(status):
    unfinished = a_row(run_id="x", status=status, map_50=0.99)
    decision = decision_on(unfinished, a_row())
    assert decision.chosen == "run-1"
    assert decision.failed_rows == (unfinished,)
    assert check(decision, "proof").measured == "1 of 2 runs"


def test_a_run_without_the_policys_score_is_not_ranked():
    assert rank([a_row(scores={"map_50_95": 0.9})], "map_50") == ()


def test_where_all_runs_failed_nothing_is_chosen_and_the_verdict_is_no():
    decision = decision_on(a_failed_row(), a_failed_row(run_id="run-8"))
    assert (decision.chosen, decision.chosen_row, decision.verdict) == (None, None, Verdict.REJECT)
    assert [(each.name, each.passed) for each in decision.checks] == [("proof", False)]
    assert check(decision, "proof").sentence.startswith("0 of 2 runs ended with weights")


def test_no_runs_at_all_promote_nothing():
    assert decision_on().verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("score", "passed", "word"), [(0.5001, True, "above"), (0.5, False, "not above"), (0.1, False, "not above")]
)
def test_the_floor_must_be_exceeded(score, passed, word):
    decision = decision_on(a_row(map_50=score), floor=0.5)
    floor = check(decision, "floor")
    assert (floor.passed, floor.required, floor.measured) == (passed, "map_50 > 0.5", f"{score:.4f}")
    assert f"{score:.4f}, {word} the floor of 0.5." in floor.sentence
    assert decision.verdict is (Verdict.PROMOTE if passed else Verdict.REJECT)
    assert decision.chosen == "run-1"


def test_without_a_champion_it_is_a_first_promotion():
    found = check(decision_on(a_row()), "champion")
    assert (found.passed, found.measured) == (True, "no champion")
    assert found.sentence == "No version is in staging: a first promotion."


def test_a_better_champion_on_the_same_data_stays():
    decision = decision_on(a_row(map_50=0.61), champion=a_champion(row=a_row(run_id="old", map_50=0.62)))
    found = check(decision, "champion")
    assert (decision.verdict, found.passed, found.measured) == (Verdict.REJECT, False, "0.6100 against 0.6200")
    assert found.sentence == "Version 2 in staging scores 0.6200 on the same data: it stays."


@pytest.mark.parametrize("held", [0.61, 0.3])
def test_an_equal_or_worse_champion_is_replaced(held):
    decision = decision_on(a_row(map_50=0.61), champion=a_champion(row=a_row(run_id="old", map_50=held)))
    found = check(decision, "champion")
    assert (decision.verdict, found.passed) == (Verdict.PROMOTE, True)
    assert found.sentence.endswith("on the same data: it is replaced.")


def test_a_policy_that_does_not_keep_a_better_champion_replaces_it():
    champion = a_champion(row=a_row(run_id="old", map_50=0.9))
    assert decision_on(a_row(), champion=champion, keep_better_champion=False).verdict is Verdict.PROMOTE


def test_a_champion_measured_on_other_data_is_not_compared():
    champion = a_champion(row=a_row(run_id="old", map_50=0.99, revision="other"))
    found = check(decision_on(a_row(), champion=champion), "champion")
    assert (found.passed, found.measured) == (True, "not comparable")
    assert "measured on other data" in found.sentence


def test_a_champion_without_the_score_is_not_compared():
    found = check(decision_on(a_row(), champion=a_champion(row=a_row(run_id="old", scores={}))), "champion")
    assert (found.passed, found.measured) == (True, "not comparable")


def test_the_champion_itself_passes():
    found = check(decision_on(a_row(), champion=a_champion(version="5", row=a_row())), "champion")
    assert (found.passed, found.measured) == (True, "the same run")
    assert found.sentence == "Version 5 in staging is this run."
