"""A policy that could not decide on a data set is known before anything is trained."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.evaluation.intervals import (
    MOST_RESAMPLES,
    Bootstrapped,
    Resampling,
    chance_of_at_least,
    holm,
    interval_of,
    least_resamples,
    least_resamples_of_an_interval,
)
from cv_yolo.domain.promotion.policy import judged_on, misfits, shortages
from cv_yolo.domain.promotion.versions import Stage
from tests.builders import a_gate, a_policy, a_truth

BOX = (10.0, 10.0, 60.0, 90.0)
LAWS = settings(deadline=None, database=None)


def a_test_split(boxes, *, classes=None, slices=None):
    """As many images as there are lists; each list holds the class of every box."""
    classes = classes or tuple("abcde")
    truths = [
        a_truth(*[BOX] * len(each), image=f"images/test/{number}.jpg", classes=each)
        for number, each in enumerate(boxes)
    ]
    return judged_on(truths, classes, slices or {})


def many_classes(count, *, images=40):
    """Every class in every image."""
    names = tuple(f"class {number}" for number in range(count))
    return a_test_split([list(range(count))] * images, classes=names)


def policy(*, resamples=2000, confidence=0.95, production=None, min_images=30, **gate):
    gates = {Stage.STAGING: a_gate(**({"floors": {}} | gate))}
    gates |= {} if production is None else {Stage.PRODUCTION: a_gate(**({"floors": {}} | production))}
    made = Resampling(resamples=resamples, confidence=confidence)
    return a_policy(gates=gates, resampling=made, min_images=min_images)


# guards that could not fail


@LAWS
@given(comparisons=st.integers(1, 2000), confidence=st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99, 0.999]))
def test_with_the_least_resamples_a_hopeless_class_fails_and_with_one_fewer_none_can(comparisons, confidence):
    """At the worst: a hundredth of the resamples does not define the class, and no other class is worse."""
    least = least_resamples(comparisons, confidence)

    def fails(resamples):
        defined = int(np.ceil(0.99 * resamples))
        samples = np.array([-0.9] * defined + [np.nan] * (resamples - defined))
        return holm([chance_of_at_least(-0.1, samples), *[1.0] * (comparisons - 1)])[0] < 1 - confidence

    assert fails(least)
    assert not fails(least - 1)


@pytest.mark.parametrize(
    ("comparisons", "confidence", "least"), [(1, 0.95, 19), (30, 0.95, 605), (80, 0.95, 1615), (30, 0.999, 30302)]
)
def test_the_number_of_resamples_grows_with_the_classes_and_the_confidence(comparisons, confidence, least):
    assert least_resamples(comparisons, confidence) == least


def test_a_class_guard_with_too_few_resamples_is_refused_and_says_how_many_it_takes():
    (misfit,) = misfits(policy(resamples=100, class_margin=0.1), many_classes(30))
    assert misfit.key == "intervals.resamples"
    assert misfit.message == (
        "at least 605 for 30 classes at 95 %, not 100: with fewer, gates.staging.class_margin cannot fail"
    )
    assert misfit.hint == "set it to 605 or more, or leave gates.staging.class_margin out"
    assert misfits(policy(resamples=605, class_margin=0.1), many_classes(30)) == ()
    assert misfits(policy(resamples=604, class_margin=0.1), many_classes(30))


def test_without_a_margin_no_resamples_are_asked_for():
    assert misfits(policy(resamples=100), many_classes(30)) == ()


def test_classes_without_test_boxes_are_not_compared_and_do_not_count():
    names = tuple(f"class {number}" for number in range(30))
    few = a_test_split([[0, 1, 2]] * 40, classes=names)
    assert misfits(policy(resamples=100, class_margin=0.1), few) == ()


def test_a_slice_guard_with_too_few_resamples_is_refused_too():
    slices = {f"camera={number}": tuple(image % 12 == number for image in range(120)) for number in range(12)}
    split = a_test_split([[0]] * 120, slices=slices)
    (misfit,) = misfits(policy(resamples=200, slice_margin=0.1), split)
    assert misfit.message.startswith("at least 241 for 12 slices at 95 %, not 200: with fewer, gates.staging.slice_mar")
    assert misfits(policy(resamples=241, slice_margin=0.1), split) == ()


def test_a_slice_of_images_without_boxes_is_not_compared():
    slices = {"scene=empty": (True,) * 20 + (False,) * 20, "scene=full": (False,) * 20 + (True,) * 20}
    split = a_test_split([[]] * 20 + [[0]] * 20, slices=slices)
    assert list(split.groups("slice")) == ["scene=full"]


def test_the_guard_of_every_gate_counts():
    found = misfits(policy(resamples=100, production={"class_margin": 0.1}), many_classes(30))
    assert "gates.production.class_margin cannot fail" in found[0].message


def test_more_resamples_than_are_allowed_are_no_remedy():
    (misfit,) = misfits(policy(resamples=MOST_RESAMPLES, confidence=0.999, class_margin=0.1), many_classes(30))
    assert misfit.message.startswith("at least 30302 for 30 classes at 99.9 %, not 10000")
    assert misfit.hint == (
        "that is more than 10000: lower intervals.confidence, or leave gates.staging.class_margin out and set floors"
    )


def test_a_guard_none_of_whose_classes_is_in_enough_images_is_refused():
    rare = a_test_split([[0], [1], [2]] + [[]] * 37)
    (misfit,) = misfits(policy(class_margin=0.1), rare)
    assert misfit.key == "gates.staging.class_margin"
    assert misfit.message == ("cannot fail: none of 3 classes is in enough of the 40 test images for an interval")
    assert misfits(policy(class_margin=0.1, min_images=41), rare) == (), "nothing is settled on so few images anyway"


def test_one_class_in_enough_images_is_enough_for_a_guard():
    assert misfits(policy(class_margin=0.1), a_test_split([[0], [0, 1]] * 20)) == ()


def test_a_guard_over_one_class_names_one_class():
    (misfit,) = misfits(policy(class_margin=0.1), a_test_split([[0]] + [[]] * 39))
    assert "none of 1 class is" in misfit.message


# names


def test_a_required_class_that_the_data_lacks_is_refused_with_the_one_that_was_meant():
    split = a_test_split([[0]], classes=("helmet", "vest"))
    (misfit,) = misfits(policy(required_classes=("helmt", "vest")), split)
    assert misfit.key == "gates.staging.required_classes"
    assert misfit.message == "the data set has no class 'helmt'; did you mean 'helmet'?"
    assert misfit.hint == "its classes: helmet, vest; correct the policy or the data set"


@pytest.mark.parametrize(("name", "meant"), [("Helmet", "helmet"), ("HELMETS", "helmet"), ("dog", None)])
def test_only_a_name_that_is_close_is_guessed(name, meant):
    (misfit,) = misfits(policy(required_classes=(name,)), a_test_split([[0]], classes=("helmet", "vest")))
    assert misfit.message == f"the data set has no class {name!r}" + (f"; did you mean {meant!r}?" if meant else "")


def test_a_long_list_of_classes_is_cut():
    (misfit,) = misfits(policy(required_classes=("dog",)), many_classes(20))
    assert "class 11 and 8 more;" in misfit.hint


@pytest.mark.parametrize("figure", ["class/helmt/ap_50", "class/helmt/recall", "class/a/b/ap_50"])
def test_a_floor_of_a_class_that_the_data_lacks_is_refused(figure):
    (misfit,) = misfits(policy(floors={figure: 0.1}), a_test_split([[0]], classes=("helmet",)))
    assert misfit.key == f"gates.staging.floors.{figure}"
    assert "the data set has no class" in misfit.message


def test_a_floor_of_a_slice_that_the_test_split_lacks_is_refused():
    split = a_test_split([[0], [0]], slices={"light=day": (True, False), "light=night": (False, True)})
    (misfit,) = misfits(policy(floors={"slice/light=nigth/map_50": 0.1}), split)
    assert misfit.message == "the test split has no slice 'light=nigth'; did you mean 'light=night'?"
    assert misfits(policy(floors={"slice/light=night/map_50": 0.1}), split) == ()
    (misfit,) = misfits(policy(floors={"slice/light=night/map_50": 0.1}), a_test_split([[0]]))
    assert misfit.hint.startswith("its slices: none;")


def test_without_test_images_no_slice_is_known_and_none_is_refused():
    assert misfits(policy(floors={"slice/light=night/map_50": 0.1}), a_test_split([])) == ()


def test_names_that_are_there_and_floors_of_other_figures_are_fine():
    split = a_test_split([[0]], classes=("helmet", "a/b"))
    floors = {"map_50": 0.1, "class/helmet/ap_50": 0.1, "class/a/b/ap_50": 0.1, "size/small/recall": 0.1}
    assert misfits(policy(required_classes="all", floors=floors), split) == ()


# what the test images are too few for


def test_a_required_class_with_too_few_boxes_is_named_before_training():
    split = a_test_split([[0] * 10, [1] * 9], classes=("helmet", "vest"))
    assert shortages(policy(required_classes="all"), split) == (
        "gates.staging.required_classes: vest has 9 boxes in test, 10 are required: the decision will be inconclusive",
    )
    assert shortages(policy(required_classes="all", required_boxes=9), split) == ()
    assert shortages(policy(required_classes=("helmet", "dog")), split) == ()
    assert shortages(policy(required_classes="all"), a_test_split([])) == ()


def test_crowds_are_no_boxes_that_could_be_found():
    truth = a_truth(BOX, BOX, image="1.jpg")
    split = judged_on([replace(truth, crowds=np.array([True, False]))], ("person",), {})
    assert split.boxes_of("person") == 1


# intervals


@pytest.mark.parametrize(("confidence", "least"), [(0.5, 3), (0.95, 39), (0.99, 199), (0.999, 1999), (0.9999, 19999)])
def test_an_interval_needs_a_resample_beyond_each_of_its_ends(confidence, least):
    assert least_resamples_of_an_interval(confidence) == least


def test_a_policy_whose_intervals_would_have_no_tails_is_refused():
    with pytest.raises(ValueError, match=r"intervals.resamples: at least 1999 for intervals at 99.9 %, not 100"):
        policy(resamples=100, confidence=0.999)
    assert policy(resamples=1999, confidence=0.999)


def test_a_class_that_collapses_fails_the_guard_on_the_least_resamples():
    """From AP 0.90 to 0.00, in 30 classes of 40 images each, measured by the whole machinery."""
    rng, least = np.random.default_rng(0), least_resamples(30, 0.95)
    found = rng.uniform(size=(40, 30)) < 0.9
    draws = np.apply_along_axis(np.bincount, 1, rng.integers(40, size=(least, 40)), minlength=40)
    before = draws @ found / 40
    after = before.copy()
    after[:, 7] = 0
    difference = Bootstrapped(
        names=tuple(map(str, range(30))), point=np.zeros(30), samples=after - before, jackknife=np.zeros((2, 30))
    )
    chances = holm([chance_of_at_least(-0.1, difference.samples[:, column]) for column in range(30)])
    assert [column for column, chance in enumerate(chances) if chance < 0.05] == [7]
    assert interval_of(-0.9, difference.samples[:, 7], np.array([0.1, 0.2]), 0.95).high < -0.1


def test_the_fewest_resamples_that_evaluate_and_compare_take_are_enough_for_their_confidence():
    assert least_resamples_of_an_interval(Resampling().confidence) <= 100
