"""What to do after a decision."""

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.reports.text.sentences import next_steps
from tests.builders import (
    a_champion,
    a_champion_check,
    a_check,
    a_decision,
    a_decision_report,
    a_judgement,
    a_subject,
    an_evaluation,
    an_image_count,
    every_kind_of_check,
)

ROLLBACK = "To undo it: `cv-yolo rollback --stage staging`."


def steps(*checks, version=..., **changes):
    report = a_decision_report(decision=a_decision(checks=checks or (a_check(),), **changes))
    return next_steps(report if version is ... else a_decision_report(decision=report.decision, version=version))


def undecided(**changes):
    return a_champion_check(outcome=Outcome.UNDECIDED, **changes)


def test_a_promotion_can_be_taken_back():
    assert steps(champion=a_champion()) == ("Nothing to do.", ROLLBACK)


def test_a_first_promotion_leaves_no_version_to_go_back_to_and_is_withdrawn():
    assert steps() == ("Nothing to do.", 'To undo it: `cv-yolo withdraw staging --reason "why"`.')


def test_a_provisional_promotion_asks_for_the_test_images_that_are_missing():
    few = a_judgement(candidate=an_evaluation(subject=a_subject(split="test"), images=12))
    waived = an_image_count(12, outcome=Outcome.WAIVED)
    assert steps(waived, champion=a_champion(), judgement=few) == (
        "Add 18 test images, to reach 30, and decide again: only then does the whole gate apply.",
        ROLLBACK,
    )


@pytest.mark.parametrize(
    ("more", "reported"), [(184, "180 more test images"), (7, "7 more test images"), (1, "1 more test image")]
)
def test_an_inconclusive_decision_says_how_many_test_images_would_settle_it_and_how_to_let_it_pass(more, reported):
    assert steps(undecided(more_images=more)) == (
        f"About {reported} would settle it, if the metrics stay the same.",
        'To accept it anyway, on the record: `cv-yolo promote 3 --to staging --accept-inconclusive "reason"`.',
    )


def test_where_no_number_of_images_is_known_more_of_them_still_help():
    assert steps(undecided())[0] == "More test images narrow the intervals: add some, and decide again."


def test_without_test_images_there_is_one_thing_to_do():
    reported = steps(undecided(), judgement=None, version=None)
    assert reported[0] == "Add test images to the data set, at least 30, and decide again."
    assert reported[1].endswith('`cv-yolo promote --to staging --accept-inconclusive "reason"`.')


def test_a_decision_that_a_person_let_pass_can_still_be_settled_and_taken_back():
    assert steps(undecided(more_images=40), champion=a_champion(), accepted="agreed") == (
        "About 40 more test images would settle it, if the metrics stay the same.",
        ROLLBACK,
    )


def test_a_candidate_that_is_there_already_waits_for_a_challenger():
    (step,) = steps(champion=a_champion(run_id="run-1"))
    assert step == "Nothing to do. To challenge it, train more runs with `cv-yolo grid`."


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        ("proof", "No run finished with proof: "),
        ("floor", "Floor mAP50: train longer, "),
        ("required_classes", "Required classes: check their labels, "),
        ("class_floor", "Class floor: By class shows which ones fall short. "),
        ("champion", "Champion: the champion stays. "),
        ("classes", "Classes: By class shows which ones fall behind. "),
        ("slices", "Slices: By slice shows which ones fall behind. "),
        ("latency", "Latency: use a smaller image size or network, "),
        ("size", "Size: use a smaller network, "),
        ("recorded", "Floor map_50: see the check below."),
    ],
)
def test_a_rejection_says_for_each_failed_check_what_to_change(kind, step):
    (failed,) = [each for each in every_kind_of_check(outcome=Outcome.FAILED) if each.kind == kind]
    (said,) = steps(a_check(), failed)
    assert said.startswith(step)
