"""A decision in plain sentences."""

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.reports.text.sentences import (
    budget_warning,
    certainty_sentences,
    data_warnings,
    selection_sentence,
    verdict_sentence,
    verdict_title,
    warnings_json,
)
from tests.builders import (
    a_champion,
    a_champion_check,
    a_check,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_judgement,
    a_row,
    a_selection,
    a_subject,
    a_version,
    an_estimate,
    an_evaluation,
    an_image_count,
    another_test_set,
)

FAILED = a_check(outcome=Outcome.FAILED, required=0.9)
OPEN = a_champion_check(outcome=Outcome.UNDECIDED, measured=an_estimate(-0.01, reach=0.1))
WAIVED = an_image_count(10, outcome=Outcome.WAIVED)
REJECTED = a_decision(checks=(an_image_count(), FAILED))
INCONCLUSIVE = a_decision(checks=(a_check(), OPEN))
ACCEPTED = a_decision(checks=(a_check(), OPEN), accepted="agreed with QA")
PROVISIONAL = a_decision(checks=(WAIVED, a_check()))
NOTHING = a_decision(rows=(a_failed_row(),), chosen=None, selection=None, judgement=None, checks=(FAILED,))
UNCHANGED = a_decision(champion=a_champion(run_id="run-1"), judgement=None, checks=(a_champion_check(),))


def judged(**changes):
    return a_decision_report(decision=a_decision(judgement=a_judgement(**changes)))


@pytest.mark.parametrize(
    ("decision", "title"),
    [
        (a_decision(), "Promoted to staging"),
        (PROVISIONAL, "Promoted to staging, provisionally"),
        (ACCEPTED, "Promoted to staging, although inconclusive"),
        (REJECTED, "Rejected: not promoted to staging"),
        (INCONCLUSIVE, "Inconclusive: not promoted to staging"),
        (UNCHANGED, "Already in staging: nothing changes"),
        (NOTHING, "Nothing to promote"),
    ],
)
def test_the_title_is_the_verdict(decision, title):
    assert verdict_title(decision) == title


def test_a_promotion_names_version_run_and_checks():
    assert verdict_sentence(a_decision_report()) == (
        "Version 3 (run e3_s320) was promoted to staging: it passed all 2 checks."
    )


def test_a_single_check_is_not_called_all():
    assert verdict_sentence(a_decision_report(decision=a_decision(checks=(a_check(),)))).endswith("it passed 1 check.")


def test_a_promotion_names_the_version_that_had_to_leave():
    report = a_decision_report(decision=a_decision(champion=a_champion()))
    assert "was promoted to staging in place of version 2: " in verdict_sentence(report)


def test_a_promotion_without_a_version_does_not_claim_to_have_happened():
    sentence = verdict_sentence(a_decision_report(version=None))
    assert sentence.startswith("Run e3_s320 is to be promoted to staging, but no version is recorded: ")


def test_a_provisional_promotion_says_what_was_let_pass():
    assert verdict_sentence(a_decision_report(decision=PROVISIONAL)).endswith(
        "it passed 1 of 2 checks, and the policy waives “test images” until there are enough test images."
    )


def test_a_rejection_says_which_check_failed_what_was_required_and_what_was_measured():
    assert verdict_sentence(a_decision_report(decision=REJECTED, version=a_version(version="8"))) == (
        "Version 8 (run e3_s320) was registered but not promoted to staging: the check “floor mAP50” failed "
        "(required: above 0.9; measured: 0.610 [0.560, 0.660])."
    )


def test_a_rejection_without_a_version_names_the_run():
    sentence = verdict_sentence(a_decision_report(decision=REJECTED, version=None))
    assert sentence.startswith("Run e3_s320 was not promoted to staging: the check ")


def test_a_rejection_gives_every_reason():
    worse = a_champion_check(outcome=Outcome.FAILED, rule=Rule.SUPERIORITY, measured=an_estimate(-0.1, reach=None))
    sentence = verdict_sentence(a_decision_report(decision=a_decision(checks=(FAILED, worse))))
    assert "measured: 0.610 [0.560, 0.660]) and the check “champion” failed" in sentence
    assert "(required: mAP50: better; measured: −0.100)" in sentence


def test_an_inconclusive_decision_names_what_could_not_be_settled():
    assert verdict_sentence(a_decision_report(decision=INCONCLUSIVE)).endswith(
        "was registered but not promoted to staging: the check “champion” is undecided."
    )
    two = a_decision(checks=(OPEN, a_check(outcome=Outcome.UNDECIDED)))
    assert "the checks “champion” and “floor mAP50” are undecided" in verdict_sentence(a_decision_report(decision=two))


def test_a_decision_that_a_person_let_pass_gives_the_reason():
    assert verdict_sentence(a_decision_report(decision=ACCEPTED)) == (
        "Version 3 (run e3_s320) was promoted to staging: the check “champion” is undecided, "
        "and a person accepted it: “agreed with QA”."
    )


def test_a_candidate_that_is_there_already_changes_nothing():
    assert verdict_sentence(a_decision_report(decision=UNCHANGED)) == (
        "Version 2 (run e3_s320) is already in staging: nothing changes, and the test images were not used."
    )


def test_where_no_run_was_chosen_nothing_was_registered():
    assert verdict_sentence(a_decision_report(decision=NOTHING, version=None)).startswith(
        "Nothing was promoted to staging and no version was registered: the check “floor mAP50” failed"
    )


def test_how_sure_a_decision_is_follows_from_the_test_images_their_interval_and_their_use():
    assert certainty_sentences(judged(use=7)) == (
        "Its mAP50 on 40 test images is 0.610 [0.560, 0.660] (95 % confidence interval).",
        "There was no champion to compare with.",
        "This is the 7th decision on this test set; the policy allows 20.",
    )


@pytest.mark.parametrize(
    ("difference", "reported"),
    [
        (an_estimate(0.1), "+0.100 [+0.050, +0.150]: better."),
        (an_estimate(-0.1), "−0.100 [−0.150, −0.050]: worse."),
        (an_estimate(0.01), "+0.010 [−0.040, +0.060]: within noise."),
    ],
)
def test_the_difference_from_the_champion_is_shown_and_judged(difference, reported):
    judgement = a_judgement(champion=an_evaluation(), differences={"map_50": difference})
    report = a_decision_report(decision=a_decision(champion=a_champion(), judgement=judgement))
    assert certainty_sentences(report)[1] == f"The difference from version 2 on the same images is {reported}"


@pytest.mark.parametrize(
    ("differences", "reported"),
    [
        ({}, "This metric could not be compared with that of version 2."),
        ({"map_50": an_estimate(0.1, reach=None)}, "is +0.100: unknown, since there is no interval."),
    ],
)
def test_a_difference_that_is_not_known_is_not_called_noise(differences, reported):
    judgement = a_judgement(champion=an_evaluation(), differences=differences)
    report = a_decision_report(decision=a_decision(champion=a_champion(), judgement=judgement))
    assert certainty_sentences(report)[1].endswith(reported)


def test_too_few_test_images_are_only_a_hint():
    few = an_evaluation(subject=a_subject(split="test"), images=12)
    assert "at least 30 test images to trust an interval: treat these metrics as indicative." in " ".join(
        certainty_sentences(judged(candidate=few))
    )


def test_where_no_test_image_was_looked_at_that_is_said():
    assert certainty_sentences(a_decision_report(decision=UNCHANGED)) == ("The test images were not used.",)
    assert budget_warning(UNCHANGED) is None


def test_a_worn_out_test_set_is_warned_of_instead_of_counted():
    report = judged(use=21)
    assert not any("decision on this test set" in sentence for sentence in certainty_sentences(report))
    assert budget_warning(report.decision).startswith(
        "This is the 21st decision on this test set, and the policy allows 20: "
    )


def test_the_last_planned_decision_is_no_reason_to_warn():
    assert budget_warning(judged(use=20).decision) is None


def test_a_test_set_that_changed_is_warned_of():
    sentence = (
        "The last decision on this data set judged by other test images (revision 0123456789ab, now ba9876543210): its "
        "metrics cannot be compared with these, and decisions are counted for each revision of the test images."
    )
    assert data_warnings(a_decision(data_findings=(another_test_set(),))) == (sentence,)
    assert warnings_json(a_decision(data_findings=(another_test_set(),)))["warnings"] == [sentence]
    assert data_warnings(a_decision()) == ()
    assert warnings_json(None) == {"warnings": [], "gaps": []}


def test_val_says_which_runs_are_within_noise():
    assert selection_sentence(a_decision()) == (
        "2 runs are within noise of the best mAP50 on val; e3_s320 is the cheapest of them."
    )


def test_a_run_that_is_best_beyond_noise_is_called_so():
    decision = a_decision(selection=a_selection(within_noise=("run-1",)))
    assert selection_sentence(decision) == "e3_s320 has the best mAP50 on val, and no other run is within noise of it."


def test_a_run_that_was_scored_alone_was_compared_with_nothing():
    decision = a_decision(selection=a_selection(within_noise=("run-1",), differences={}))
    assert selection_sentence(decision) == "e3_s320 is the only run with scores."


def test_where_nothing_had_to_be_chosen_nothing_is_said_about_it():
    assert selection_sentence(a_decision(rows=(a_row(),), selection=None)) is None
