"""The difference between two models in one sentence; and how an interval was made."""

from dataclasses import dataclass
from typing import Final

from cv_yolo.domain.evaluation.comparison import DifferenceKind, change_of
from cv_yolo.domain.evaluation.evaluation import Evaluation
from cv_yolo.domain.evaluation.intervals import Estimate, Interval, Method
from cv_yolo.reports.tables.metric_rows import Scores, better_or_worse
from cv_yolo.reports.text.formatting import (
    count_text,
    estimate_text,
    interval_text,
    metric_text,
    percent_text,
    score_text,
)

METHODS: Final = {
    Method.BCA: "bias-corrected and accelerated (BCa) bootstrap",
    Method.PERCENTILE: "percentile bootstrap",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceSentence:
    """A sentence, and `better`, `worse` or nothing where the difference is not significant."""

    sentence: str
    better_or_worse: str
    estimate: Estimate | None


def difference_finding(scores: Scores, metric: str) -> DifferenceSentence:
    """`B is better than A by 0.043 mAP50 [0.011, 0.076] on 200 test images`, or that there is no difference."""
    first, second = scores.names
    found, name, images = scores.differences.get(metric), metric_text(metric), images_text(scores.subject)
    apart = better_or_worse(found)
    if found is None:
        sentence = f"{name} cannot be compared between {second} and {first} on {images}"
    elif found.interval is None:
        difference = measured_text(found, name, signed=True)
        sentence = f"No interval for the difference between {second} and {first}: {difference} on {images}"
    elif not apart:
        difference = measured_text(found, name, signed=True)
        alike = "No" if change_of(found) is DifferenceKind.UNCHANGED else "No significant"
        sentence = f"{alike} difference between {second} and {first}: {difference} on {images}"
    else:
        sentence = f"{second} is {apart} than {first} by {measured_text(_positive(found), name)} on {images}"
    return DifferenceSentence(sentence=sentence, better_or_worse=apart, estimate=found)


def score_sentence(scores: Scores, metric: str) -> str:
    """`B scores 0.612 [0.550, 0.671] mAP50 on 200 test images`."""
    name, evaluation = scores.names[-1], scores.subject
    found = evaluation.figures.get(metric)
    if found is None:
        return f"{name} has no {metric_text(metric)} on {images_text(evaluation)}"
    return f"{name} scores {measured_text(found, metric_text(metric))} on {images_text(evaluation)}"


def measured_text(estimate: Estimate, measure: str, *, signed: bool = False) -> str:
    """`0.043 mAP50 [0.011, 0.076]`."""
    value = estimate_text(Estimate(value=estimate.value), signed=signed)
    ends = "" if estimate.interval is None else f" {interval_text(estimate.interval, signed=signed)}"
    return f"{value} {measure}{ends}"


def images_text(evaluation: Evaluation) -> str:
    """`200 test images`."""
    return count_text(evaluation.images, evaluation.subject.image_noun)


def method_sentence(evaluation: Evaluation, estimate: Estimate | None, *, paired: bool) -> str:
    """How sure the interval is, and how it was made."""
    made = evaluation.resampling
    if estimate is None or estimate.interval is None:
        return "No interval: too few resamples define this metric."
    both = ", the same images for both models" if paired else ""
    return (
        f"{percent_text(made.confidence)} interval: {METHODS[estimate.interval.method]} of {made.resamples} resamples "
        f"of whole images{both}."
    )


def threshold_sentences(scores: Scores) -> tuple[str, ...]:
    """At which confidence each model is in use."""
    thresholds = [evaluation.confidence_threshold for evaluation in scores.evaluations]
    if scores.pair and thresholds[0] == thresholds[1] is not None:
        return (f"Confidence threshold of both: {score_text(thresholds[0])}.",)
    return tuple(
        f"Confidence threshold of {name}: {score_text(threshold)}."
        if threshold is not None
        else f"{name} has no confidence threshold, so it has no metrics at a threshold."
        for name, threshold in zip(scores.names, thresholds, strict=True)
    )


def _positive(estimate: Estimate) -> Estimate:
    """The difference as seen from the other side, where it is below 0."""
    interval = estimate.interval
    if interval is None or interval.low > 0:
        return estimate
    return Estimate(
        value=-estimate.value,
        interval=Interval(low=-interval.high, high=-interval.low, method=interval.method),
    )
