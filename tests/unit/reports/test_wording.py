"""A decision in plain sentences."""

import pytest

from cv_yolo.domain.runs import RunStatus
from cv_yolo.reports.wording import certainty_sentences, verdict_sentence, verdict_title
from tests.builders import (
    a_champion,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_manifest,
    a_policy,
    a_row,
    a_version,
    an_image,
)

REJECTED = a_decision(policy=a_policy(floor=0.9))
NOTHING = a_decision(rows=(a_failed_row(),))


@pytest.mark.parametrize(
    ("decision", "title"),
    [
        (a_decision(), "Promoted to staging"),
        (REJECTED, "Not promoted to staging"),
        (NOTHING, "Nothing to promote"),
    ],
)
def test_the_title_is_the_verdict(decision, title):
    assert verdict_title(decision) == title


def test_a_promotion_names_version_run_and_merit():
    assert verdict_sentence(a_decision_report()) == (
        "Version 3 (run e3_s320) was promoted to staging: its mAP50 of 0.610 is the best of 2 runs, "
        "and it passed 3 of 3 checks."
    )


def test_a_single_run_is_not_called_the_best_of_several():
    report = a_decision_report(decision=a_decision(rows=(a_row(),)))
    assert "its mAP50 of 0.610 is the only one compared" in verdict_sentence(report)


def test_a_run_that_failed_is_not_among_those_compared():
    report = a_decision_report(decision=a_decision(rows=(a_row(), a_failed_row())))
    assert "is the only one compared" in verdict_sentence(report)


def test_a_promotion_without_a_version_does_not_claim_to_have_happened():
    sentence = verdict_sentence(a_decision_report(version=None))
    assert sentence.startswith("Run e3_s320 is to be promoted to staging, but no version is recorded: ")


def test_a_rejection_says_what_was_required_and_what_was_measured():
    assert verdict_sentence(a_decision_report(decision=REJECTED, version=a_version(version="8"))) == (
        "Version 8 (run e3_s320) was registered but not promoted to staging: "
        "the policy requires map_50 > 0.9 (measured: 0.6100)."
    )


def test_a_rejection_without_a_version_names_the_run():
    sentence = verdict_sentence(a_decision_report(decision=REJECTED, version=None))
    assert sentence.startswith("Run e3_s320 was not promoted to staging: the policy requires")


def test_a_rejection_gives_every_reason():
    champion = a_champion(row=a_row(run_id="run-0", name="e9_s640", map_50=0.95))
    sentence = verdict_sentence(a_decision_report(decision=a_decision(policy=a_policy(floor=0.9), champion=champion)))
    assert "map_50 > 0.9 (measured: 0.6100); and map_50 not below the staging version's" in sentence
    assert "(measured: 0.6100 against 0.9500)" in sentence


def test_where_no_run_was_chosen_nothing_was_registered():
    assert verdict_sentence(a_decision_report(decision=NOTHING, version=None)) == (
        "Nothing was promoted to staging and no version was registered: the policy requires "
        "at least one run with weights that load and an evaluation (measured: 0 of 1 runs)."
    )


def test_how_sure_is_computed_from_the_validation_images_their_boxes_and_the_lead():
    assert certainty_sentences(a_decision_report()) == (
        "This decision compares point estimates on 3 validation images; it carries no interval.",
        "One annotated box of 6, found or missed, moves recall by 0.167.",
        "e3_s320 leads e3_s416, the next, by 0.030 mAP50.",
    )


def test_equal_scores_are_called_equal():
    rows = (a_row(), a_row(run_id="run-2", name="e3_s416", image_size_px=416))
    assert certainty_sentences(a_decision_report(decision=a_decision(rows=rows)))[-1] == (
        "e3_s320 and e3_s416 score the same mAP50: cost, then name, put one first."
    )


def test_without_boxes_and_without_a_second_run_only_the_images_are_counted():
    images = (an_image(split="train", image="images/train/1.jpg"), an_image(boxes=0))
    report = a_decision_report(manifest=a_manifest(images=images), decision=a_decision(rows=(a_row(),)))
    assert certainty_sentences(report) == (
        "This decision compares point estimates on 1 validation image; it carries no interval.",
    )


def test_where_nothing_was_scored_there_is_nothing_to_be_sure_of():
    rows = (a_row(status=RunStatus.RUNNING, scores={}),)
    assert certainty_sentences(a_decision_report(decision=a_decision(rows=rows))) == (
        "No run was scored: there is nothing to compare.",
    )
