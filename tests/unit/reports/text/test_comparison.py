"""What lies between two models, in one sentence."""

from dataclasses import replace

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Estimate, Interval, Method
from cv_yolo.reports.tables.metric_rows import Scores
from cv_yolo.reports.text.comparison import difference_finding, method_sentence, score_sentence, threshold_sentences
from tests.builders import a_subject, an_estimate, an_evaluation

TEST = an_evaluation(subject=a_subject(split=Split.TEST), images=200)


def pair(difference, **changes):
    evaluation = replace(TEST, **changes)
    return Scores(
        names=("A", "B"), evaluations=(TEST, evaluation), differences={"map_50": difference} if difference else {}
    )


@pytest.mark.parametrize(
    ("difference", "sentence", "apart"),
    [
        (
            an_estimate(0.043, reach=0.03),
            "B is better than A by 0.043 mAP50 [0.013, 0.073] on 200 test images",
            "better",
        ),
        (
            an_estimate(-0.043, reach=0.03),
            "B is worse than A by 0.043 mAP50 [0.013, 0.073] on 200 test images",
            "worse",
        ),
        (
            an_estimate(0.01, reach=0.03),
            "No significant difference between B and A: +0.010 mAP50 [−0.020, +0.040] on 200 test images",
            "",
        ),
        (
            an_estimate(0.327, reach=None),
            "No interval for the difference between B and A: +0.327 mAP50 on 200 test images",
            "",
        ),
        (
            an_estimate(0.0, reach=0.0),
            "No difference between B and A: 0.000 mAP50 [0.000, 0.000] on 200 test images",
            "",
        ),
        (None, "mAP50 cannot be compared between B and A on 200 test images", ""),
    ],
)
def test_two_models_differ_only_where_the_interval_excludes_zero(difference, sentence, apart):
    finding = difference_finding(pair(difference), "map_50")
    assert (finding.sentence, finding.better_or_worse, finding.estimate) == (sentence, apart, difference)


def test_one_model_is_described_by_its_score():
    alone = Scores(names=("B",), evaluations=(TEST,))
    assert score_sentence(alone, "map_50") == "B scores 0.610 mAP50 [0.560, 0.660] on 200 test images"
    assert score_sentence(alone, "class/cat/ap_50") == "B has no AP50 of cat on 200 test images"


def test_the_small_print_says_how_the_interval_was_made():
    reported = method_sentence(TEST, an_estimate(), paired=True)
    assert reported == (
        "95 % interval: bias-corrected and accelerated (BCa) bootstrap of 2000 resamples of whole images, "
        "the same images for both models."
    )
    percentile = Estimate(value=0.5, interval=Interval(low=0.4, high=0.6, method=Method.PERCENTILE))
    assert "percentile bootstrap of 2000 resamples of whole images." in method_sentence(TEST, percentile, paired=False)


@pytest.mark.parametrize("estimate", [None, an_estimate(reach=None)])
def test_a_missing_interval_is_explained(estimate):
    assert method_sentence(TEST, estimate, paired=True).startswith("No interval: ")


def test_the_thresholds_are_shown_once_where_they_are_the_same():
    assert threshold_sentences(pair(None)) == ("Confidence threshold of both: 0.310.",)
    assert threshold_sentences(pair(None, confidence_threshold=0.5)) == (
        "Confidence threshold of A: 0.310.",
        "Confidence threshold of B: 0.500.",
    )
    assert threshold_sentences(pair(None, confidence_threshold=None))[1] == (
        "B has no confidence threshold, so it has no metrics at a threshold."
    )
