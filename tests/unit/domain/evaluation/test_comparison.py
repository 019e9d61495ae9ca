"""Two models on the same images."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.comparison import DifferenceKind, change_of, compare, difference_of
from cv_yolo.domain.evaluation.intervals import Estimate, Interval, Method, Resampling
from cv_yolo.errors import EvaluationFailedError
from tests.builders import a_comparison, a_truth, an_estimate, some_detections
from tests.unit.domain.splits import LAWS, SUBJECT, a_random_split, scored

A, B, C, ELSEWHERE = (0, 0, 10, 10), (50, 50, 60, 60), (80, 80, 95, 95), (200, 200, 210, 210)
SEEDS = st.integers(0, 10_000)
NOTHING = Interval(low=0.0, high=0.0, method=Method.PERCENTILE)


def two_models(seed, **how):
    """Two detectors on the same images; the second one finds some boxes less and is less sure of others."""
    truths, found = a_random_split(seed, images=8)
    truths[0] = a_truth(A, image=truths[0].image)  # so that there is something to score
    rng = np.random.default_rng(seed)
    other = []
    for each in found:
        kept = rng.random(len(each.class_ids)) < 0.7
        columns = {name: getattr(each, name)[kept] for name in ("boxes_xyxy", "class_ids", "confidences")}
        other.append(replace(each, **columns | {"confidences": columns["confidences"] * rng.uniform(0.5, 1)}))
    return (scored(truths, each, confidence_threshold=0.4, **how) for each in (found, other))


def comparison_of(truths, first, second):
    return compare(*(scored(truths, found, confidence_threshold=0.5) for found in (first, second)))


@settings(LAWS, max_examples=15)
@given(SEEDS)
def test_a_model_does_not_differ_from_itself(seed):
    one, _ = two_models(seed)
    comparison = compare(one, one)
    assert comparison.differences.keys() == one.evaluation.figures.keys()
    for name, difference in comparison.differences.items():
        known = one.evaluation.figures[name].interval is not None  # that of a rare class may lack one
        assert difference == Estimate(value=0.0, interval=NOTHING if known else None)


@settings(LAWS, max_examples=15)
@given(SEEDS)
def test_swapping_the_models_negates_the_differences_and_swaps_what_is_fixed_and_broken(seed):
    one, other = two_models(seed)
    there, back = compare(one, other), compare(other, one)
    assert (there.first, there.second) == (back.second, back.first)
    assert there.differences.keys() == back.differences.keys()
    for name, difference in there.differences.items():
        swapped = back.differences[name]
        assert swapped.value == -difference.value
        assert (swapped.interval is None) == (difference.interval is None)
        if difference.interval is not None:
            ends = (-difference.interval.high, -difference.interval.low)
            assert (swapped.interval.low, swapped.interval.high) == pytest.approx(ends, abs=1e-9)
    assert {each.image for each in there.fixed} == {each.image for each in back.broken}
    assert {each.image for each in there.broken} == {each.image for each in back.fixed}
    swapped = {each.image: (each.broken, each.fixed) for each in back.changes}
    assert {each.image: (each.fixed, each.broken) for each in there.changes} == swapped


@settings(LAWS, max_examples=15)
@given(SEEDS)
def test_a_difference_is_that_of_the_two_figures(seed):
    one, other = two_models(seed)
    comparison = compare(one, other)
    for name, difference in comparison.differences.items():
        figures = (other.evaluation.figures[name].value, one.evaluation.figures[name].value)
        assert difference.value == figures[0] - figures[1]


def test_a_truth_found_by_the_second_alone_is_fixed_and_one_lost_is_broken():
    truths = [a_truth(A, B, C)]
    (change,) = comparison_of(truths, [some_detections(A, B)], [some_detections(C, A)]).changes
    assert (change.image, change.fixed, change.broken) == (truths[0].image, 1, 1)


def test_fewer_false_positives_are_fixed_and_more_are_broken():
    truths = [a_truth(A)]
    few, many = [some_detections(A, ELSEWHERE)], [some_detections(A, ELSEWHERE, ELSEWHERE, B)]
    (better,), (worse,) = (comparison_of(truths, *pair).changes for pair in ((many, few), (few, many)))
    assert (better.fixed, better.broken) == (2, 0)
    assert (worse.fixed, worse.broken) == (0, 2)


def test_a_crowd_that_only_one_of_them_claims_makes_no_difference():
    truths = [replace(a_truth(A, B), crowds=np.array([True, False]))]
    assert comparison_of(truths, [some_detections(B)], [some_detections(A, B)]).changes == ()


def test_the_images_that_are_most_regressed_come_first_and_those_that_are_most_improved_last():
    names = ("gains one", "gains two", "loses one", "same", "loses two", "swaps")
    truths = [a_truth(A, B, image=name) for name in names]
    boxes = {
        "gains one": ((A,), (A, B)),
        "gains two": ((), (A, B)),
        "loses one": ((A, B), (A,)),
        "same": ((A,), (A,)),
        "loses two": ((A, B), ()),
        "swaps": ((A,), (B,)),
    }
    first, second = ([some_detections(*boxes[name][model], image=name) for name in names] for model in (0, 1))
    comparison = comparison_of(truths, first, second)
    assert [each.image for each in comparison.changes] == ["loses two", "loses one", "swaps", "gains one", "gains two"]
    assert [each.image for each in comparison.broken] == ["loses two", "loses one"]
    assert [each.image for each in comparison.fixed] == ["gains two", "gains one"]


def test_each_model_is_in_use_at_its_own_threshold():
    """Both find the same box, one surely and one hardly; each at its own threshold misses nothing."""
    truths = [a_truth(A)]
    sure, hardly = (scored(truths, [some_detections(A, confidences=[each])]) for each in (0.9, 0.1))
    assert compare(sure, hardly).changes == ()


def test_only_figures_that_both_have_are_compared():
    truths = [a_truth(A)]
    with_threshold, without = scored(truths, [some_detections(A)]), scored(truths, [some_detections()])
    differences = compare(with_threshold, without).differences
    assert differences["map_50"].value == pytest.approx(-1.0)
    assert "precision" not in differences


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("classes", {"subject": replace(SUBJECT, classes=("another",), split_revision="s2")}),
        ("data", {"subject": replace(SUBJECT, split_revision="s2")}),
        ("split", {"subject": replace(SUBJECT, split=Split.TEST)}),
        ("resampling", {"resampling": Resampling(resamples=21)}),
        ("resampling", {"resampling": Resampling(resamples=20, seed=1)}),
    ],
)
def test_evaluations_of_other_data_or_other_draws_are_not_compared(what, change):
    one, other = scored([a_truth(A)], [some_detections(A)]), scored([a_truth(A)], [some_detections(A)], **change)
    for compared in (difference_of, compare):
        with pytest.raises(EvaluationFailedError, match=f"differ in their {what}"):
            compared(one, other)


def test_evaluations_of_another_model_and_another_whole_data_set_are_compared():
    """The split alone must be the same: more training images make another revision, and no other test."""
    change = {"revision": "r2", "weights_sha256": "w2", "predictor": "somebody 2.0"}
    one = scored([a_truth(A)], [some_detections(A)])
    other = scored([a_truth(A)], [some_detections(A)], subject=replace(SUBJECT, **change))
    assert difference_of(one, other).names == one.bootstrapped.names


@pytest.mark.parametrize(
    ("difference", "change"),
    [
        (an_estimate(0.06), DifferenceKind.HIGHER),
        (an_estimate(-0.06), DifferenceKind.LOWER),
        (an_estimate(0.05), DifferenceKind.WITHIN_NOISE),
        (an_estimate(-0.05), DifferenceKind.WITHIN_NOISE),
        (an_estimate(0.0, reach=0.0), DifferenceKind.UNCHANGED),
        (an_estimate(0.327, reach=None), DifferenceKind.UNKNOWN),
        (an_estimate(0.0, reach=None), DifferenceKind.UNKNOWN),
        (None, DifferenceKind.UNKNOWN),
    ],
)
def test_a_difference_is_known_only_by_its_interval(difference, change):
    assert change_of(difference) is change


def test_every_figure_of_either_model_has_a_change():
    found = a_comparison()
    bare = replace(found.first, figures={"map_50": an_estimate(0.5)})
    reported = replace(found, first=bare, differences={"map_50": an_estimate(0.06)}).figure_changes
    assert reported["map_50"] is DifferenceKind.HIGHER
    assert {reported[name] for name in found.second.figures if name != "map_50"} == {DifferenceKind.UNKNOWN}
