"""How sure a figure is."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cv_yolo.domain.evaluation.intervals import (
    CELLS_AT_ONCE,
    JACKKNIFE_GROUPS,
    Bootstrapped,
    Estimate,
    Interval,
    Measure,
    Method,
    Resampling,
    bootstrap,
    chance_of_at_least,
    estimates,
    expanded,
    holm,
    images_to_settle,
    interval_of,
    together,
)
from tests.unit.domain.splits import LAWS

FEW = Resampling(resamples=60)
SHARES = st.floats(0, 1, allow_subnormal=False)
SAMPLES = arrays(np.float64, st.integers(20, 60), elements=SHARES)
JACKKNIFES = arrays(np.float64, st.integers(3, 20), elements=SHARES)
CONFIDENCES = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


def mean_of(values, *, cells=0):
    """The mean of a value of each image, which a draw of no images does not define."""
    values = np.asarray(values, dtype=np.float64)

    def compute(draws):
        with np.errstate(invalid="ignore"):
            return (draws @ values / draws.sum(axis=1))[:, None]

    return Measure(names=("mean",), compute=compute, cells=cells)


def draws_of(images, resampling, *, cells=0):
    """All draws that a measure is asked about: of the resamples, and of the images left out."""
    asked = []

    def compute(draws):
        asked.append(draws)
        return np.zeros((len(draws), 1))

    bootstrap(Measure(names=("any",), compute=compute, cells=cells), images=images, resampling=resampling)
    return np.concatenate(asked)


def known_within(value, low, high):
    return Estimate(value=value, interval=Interval(low=low, high=high, method=Method.BCA))


# the draws


@LAWS
@given(st.integers(1, 12), st.integers(0, 5), st.integers(1, 40), st.integers(1, CELLS_AT_ONCE))
def test_the_draws_depend_only_on_the_images_and_the_resampling(images, seed, resamples, cells):
    """Whatever is measured, and in however many portions: so two models can be compared on the same draws."""
    resampling = Resampling(seed=seed, resamples=resamples)
    np.testing.assert_array_equal(draws_of(images, resampling, cells=cells), draws_of(images, resampling))


@LAWS
@given(st.integers(1, 12), st.integers(1, 40))
def test_first_comes_the_split_itself_then_every_resample_has_as_many_images_then_each_image_is_left_out(
    images, number
):
    draws = draws_of(images, Resampling(resamples=number))
    assert len(draws) == 1 + number + images
    assert draws[0].tolist() == [1] * images
    assert (draws[1 : number + 1].sum(axis=1) == images).all()
    np.testing.assert_array_equal(draws[number + 1 :], 1 - np.eye(images))


@pytest.mark.parametrize(
    ("cells", "at_once"), [(1, CELLS_AT_ONCE // 3), (CELLS_AT_ONCE // 100, 100), (10 * CELLS_AT_ONCE, 1)]
)
def test_no_more_is_computed_at_once_than_fits_the_caches(cells, at_once):
    """A draw takes as many cells as the measure says, at least one for each of the three images."""
    asked = []

    def compute(draws):
        asked.append(len(draws))
        return np.zeros((len(draws), 1))

    measure = Measure(names=("any",), compute=compute, cells=cells)
    bootstrap(measure, images=3, resampling=Resampling(resamples=250))
    assert max(asked) == min(250, at_once)
    assert sum(asked) == 1 + 250 + 3


def test_another_seed_gives_other_draws():
    assert (draws_of(9, Resampling(seed=1)) != draws_of(9, Resampling(seed=2))).any()


def test_of_many_images_groups_are_left_out_each_image_once():
    images = 2 * JACKKNIFE_GROUPS + 7
    left_out = 1 - draws_of(images, Resampling(resamples=1))[2:]
    assert len(left_out) == JACKKNIFE_GROUPS
    assert left_out.sum(axis=0).tolist() == [1] * images
    assert set(left_out.sum(axis=1)) == {2, 3}


def test_every_image_is_drawn_about_equally_often():
    draws = draws_of(5, Resampling(resamples=4000))[1:4001]
    np.testing.assert_allclose(draws.mean(axis=0), 1.0, atol=0.06)
    np.testing.assert_allclose(draws.var(axis=0), 0.8, atol=0.1)  # 1 - 1/5


# the interval


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("ties", [False, True])
def test_the_interval_is_that_of_scipy_on_the_same_resamples(seed, confidence, ties):
    """With ties many resamples equal the figure itself; half of them count as below it."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 3, size=16).astype(np.float64) if ties else rng.exponential(size=25)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, confidence_level=confidence, method="BCa", rng=np.random.default_rng(seed)
    )
    jackknife = np.array([np.delete(values, index).mean() for index in range(len(values))])
    ours = interval_of(float(values.mean()), theirs.bootstrap_distribution, jackknife, confidence)
    assert ours.method is Method.BCA
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)


def test_the_whole_bootstrap_of_a_mean_is_that_of_scipy_up_to_chance():
    values = np.random.default_rng(1).exponential(size=40)
    found = bootstrap(mean_of(values), images=40, resampling=Resampling(resamples=20_000))
    ours = estimates(found, confidence=0.95)["mean"]
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=20_000,
        confidence_level=expanded(0.95, found.jackknife[:, 0]),
        method="BCa",
        rng=np.random.default_rng(2),
    )
    assert ours.value == pytest.approx(values.mean())
    assert (ours.interval.low, ours.interval.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.04)


@LAWS
@given(st.lists(st.floats(0.01, 1), min_size=15, max_size=40), st.lists(st.floats(0.01, 1), min_size=2, max_size=9))
def test_bca_is_the_percentile_interval_where_bias_and_acceleration_vanish(steps, influences):
    """Resamples, and images' influences, that lie alike on both sides of the point."""
    samples = np.concatenate([-np.cumsum(steps), np.cumsum(steps)])
    jackknife = np.concatenate([-np.array(influences), influences])
    found = interval_of(0.0, samples, jackknife, 0.9)
    assert found.method is Method.BCA
    np.testing.assert_allclose((found.low, found.high), np.quantile(samples, (0.05, 0.95)), rtol=1e-6, atol=1e-9)


@LAWS
@given(SHARES, SAMPLES, JACKKNIFES, CONFIDENCES)
def test_an_interval_never_leaves_the_range_of_the_resamples(point, samples, jackknife, confidence):
    found = interval_of(point, samples, jackknife, confidence)
    assert samples.min() <= found.low <= found.high <= samples.max()


@LAWS
@given(SHARES, SAMPLES, JACKKNIFES)
def test_a_surer_interval_contains_a_less_sure_one_of_the_same_method(point, samples, jackknife):
    narrow, wide = (interval_of(point, samples, jackknife, confidence) for confidence in (0.8, 0.95))
    assume(narrow.method is wide.method)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assert narrow.width <= wide.width


@LAWS
@given(SAMPLES, CONFIDENCES)
def test_a_percentile_interval_contains_the_median_of_the_resamples(samples, confidence):
    found = interval_of(float(samples.min()) - 1, samples, np.empty(0), confidence)
    assert found.method is Method.PERCENTILE
    assert found.low <= np.median(samples) <= found.high


@LAWS
@given(SHARES, SAMPLES, JACKKNIFES)
def test_the_interval_of_the_negated_figure_is_the_negated_interval(point, samples, jackknife):
    there, back = interval_of(point, samples, jackknife, 0.9), interval_of(-point, -samples, -jackknife, 0.9)
    assert there.method is back.method
    np.testing.assert_allclose((back.low, back.high), (-there.high, -there.low), rtol=0, atol=1e-9)


def test_more_resamples_above_the_point_than_below_move_the_interval_upwards():
    samples, jackknife = np.linspace(0, 1, 201), np.array([0.4, 0.6])
    assert interval_of(0.5, samples, jackknife, 0.9).low == pytest.approx(0.05, abs=0.01)
    assert interval_of(0.6, samples, jackknife, 0.9).low > 0.06


@pytest.mark.parametrize(
    ("point", "jackknife"),
    [
        (0.5, [0.3, 0.3, 0.3]),  # no image has an influence
        (0.5, [0.1, 0.1, 0.1]),  # whose mean is not exactly 0.1
        (0.5, []),
        (0.5, [math.nan, math.nan]),
        (-1.0, [0.3, 0.5, 0.4]),  # all resamples on one side of the point
        (2.0, [0.3, 0.5, 0.4]),
    ],
)
def test_where_bca_is_not_defined_the_interval_is_by_percentiles(point, jackknife):
    samples = np.linspace(0, 1, 1001)
    found = interval_of(point, samples, np.array(jackknife), 0.95)
    assert found.method is Method.PERCENTILE
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))


@pytest.mark.parametrize(
    ("point", "confidence"),
    [
        (0.999_995, 0.9999),  # the correction of the upper end has no end itself
        (0.999_995, 0.5),  # both ends are corrected beyond the last resample
    ],
)
def test_where_one_image_outweighs_all_others_the_interval_may_be_by_percentiles(point, confidence):
    samples, jackknife = np.linspace(0, 1, 100_001), np.array([0.5] * 30 + [-9.0])
    found = interval_of(point, samples, jackknife, confidence)
    assert found.method is Method.PERCENTILE
    assert (found.low, found.high) == pytest.approx(((1 - confidence) / 2, (1 + confidence) / 2))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_an_interval_does_not_depend_on_the_unit_of_the_figure(scale):
    samples, jackknife = np.linspace(0, 1, 101), np.array([0.4, 0.5, 0.9])
    found, scaled = (interval_of(0.4 * by, samples * by, jackknife * by, 0.9) for by in (1.0, scale))
    assert scaled.method is found.method is Method.BCA
    assert (scaled.low / scale, scaled.high / scale) == pytest.approx((found.low, found.high))


def test_resamples_that_do_not_define_the_figure_are_left_out_and_99_of_100_must():
    known = np.linspace(0, 1, 99)
    enough, less = (np.concatenate([known, np.full(unknown, np.nan)]) for unknown in (1, 2))
    jackknife = np.array([0.4, math.nan, 0.6])
    assert interval_of(0.5, enough, jackknife, 0.9) == interval_of(0.5, known, np.array([0.4, 0.6]), 0.9)
    assert interval_of(0.5, less, jackknife, 0.9) is None


@pytest.mark.parametrize(("defining", "has_one"), [(1, False), (2, False), (3, False), (6, True), (30, True)])
def test_a_figure_that_rests_on_a_few_images_has_no_interval_however_little_it_varies(defining, has_one):
    """As the average precision of a class that is annotated in so many of 30 images."""

    def compute(draws):
        drawn = draws[:, :defining].sum(axis=1)
        return np.where(drawn > 0, 0.5, np.nan)[:, None]

    found = bootstrap(Measure(names=("rare",), compute=compute), images=30, resampling=Resampling())
    estimate = estimates(found, confidence=0.95)["rare"]
    assert estimate.value == 0.5
    assert (estimate.interval is not None) is has_one


def test_figures_that_the_split_does_not_define_are_absent():
    found = Bootstrapped(
        names=("known", "unknown", "rare"),
        point=np.array([0.5, math.nan, 0.3]),
        samples=np.array([[0.4, 0.1, math.nan], [0.6, 0.1, math.nan], [0.5, 0.1, 0.2]]),
        jackknife=np.empty((0, 3)),
    )
    known = estimates(found, confidence=0.9)
    assert list(known) == ["known", "rare"]
    assert known["known"].interval.method is Method.PERCENTILE
    assert known["rare"] == Estimate(value=0.3)


# differences


@LAWS
@given(st.lists(SHARES, min_size=1, max_size=12))
def test_a_figure_differs_from_itself_by_exactly_nothing(values):
    found = bootstrap(mean_of(values), images=len(values), resampling=FEW)
    (difference,) = estimates(found.minus(found), confidence=0.95).values()
    nothing = Interval(low=0.0, high=0.0, method=Method.PERCENTILE)
    assert difference == Estimate(value=0.0, interval=nothing if len(values) > 1 else None)


def test_a_constant_advantage_on_every_image_is_known_exactly_however_much_the_images_differ():
    values = np.random.default_rng(0).uniform(size=30)
    better, worse = (bootstrap(mean_of(each), images=30, resampling=FEW) for each in (values + 0.25, values))
    difference = estimates(better.minus(worse), confidence=0.95)["mean"]
    assert (difference.interval.low, difference.interval.high) == pytest.approx((0.25, 0.25))
    assert estimates(better, confidence=0.95)["mean"].interval.width > 0.1


def test_differences_are_of_the_same_figures_of_the_same_draws():
    one = bootstrap(mean_of([0, 1]), images=2, resampling=FEW)
    fewer = bootstrap(mean_of([0, 1]), images=2, resampling=Resampling(resamples=59))
    other = bootstrap(Measure(names=("other",), compute=mean_of([0, 1]).compute), images=2, resampling=FEW)
    for wrong in (fewer, other):
        with pytest.raises(ValueError, match="not the same figures of the same draws"):
            one.minus(wrong)


def test_several_measures_together_give_what_each_gives_alone():
    one, other = mean_of([0.1, 0.9, 0.4], cells=7), mean_of([3, 2, 1], cells=9)
    both = together([one, Measure(names=("other",), compute=other.compute, cells=other.cells)])
    assert (both.names, both.cells) == (("mean", "other"), 9)
    found = bootstrap(both, images=3, resampling=FEW)
    alone = bootstrap(one, images=3, resampling=FEW)
    for name in ("point", "samples", "jackknife"):
        assert getattr(found.only({"mean"}), name).tolist() == getattr(alone, name).tolist()


def test_some_of_the_figures_stay_in_their_order():
    found = Bootstrapped(
        names=("a", "b", "c"),
        point=np.array([1.0, 2.0, 3.0]),
        samples=np.array([[4.0, 5.0, 6.0]]),
        jackknife=np.array([[7.0, 8.0, 9.0]]),
    )
    some = found.only(["c", "a", "unknown"])
    assert some.names == ("a", "c")
    assert (some.point.tolist(), some.samples.tolist(), some.jackknife.tolist()) == ([1, 3], [[4, 6]], [[7, 9]])


# chances


def test_the_chance_counts_the_resamples_that_reach_the_limit_and_one_more():
    samples = np.array([0.1, 0.2, 0.3, math.nan])
    assert chance_of_at_least(0.2, samples) == 3 / 4
    assert chance_of_at_least(0.5, samples) == 1 / 4
    assert chance_of_at_least(0.0, samples) == 1.0


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([], ()),
        ([0.04], (0.04,)),
        ([0.01, 0.04, 0.03, 0.005], (0.03, 0.06, 0.06, 0.02)),  # 3 × 0.01; max(2 × 0.03, 0.04); 2 × 0.03; 4 × 0.005
        ([0.2, 0.9, 0.4], (0.6, 0.9, 0.8)),
        ([0.7, 0.6], (1.0, 1.0)),
        ([0.02, 0.02], (0.04, 0.04)),
    ],
)
def test_chances_taken_together_after_holm_worked_out_by_hand(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted)


@LAWS
@given(st.lists(SHARES, min_size=1, max_size=12))
def test_after_holm_a_chance_lies_between_its_own_and_that_of_bonferroni_and_the_order_stays(p_values):
    adjusted = holm(p_values)
    for own, after in zip(p_values, adjusted, strict=True):
        assert own <= after <= min(1.0, len(p_values) * own) + 1e-12
    in_order = [adjusted[index] for index in np.argsort(p_values, kind="stable")]
    assert in_order == sorted(in_order)


# how many images would do


@pytest.mark.parametrize(
    ("estimate", "limit", "images", "expected"),
    [
        (known_within(0.6, 0.4, 0.7), 0.5, 100, 400),  # the lower end must come half as near: four times the images
        (known_within(0.4, 0.3, 0.6), 0.5, 100, 400),  # below the limit the upper end counts
        (known_within(0.6, 0.5, 0.7), 0.5, 100, 101),  # on the limit: one more, at least
        (known_within(0.6, 0.49, 0.7), 0.5, 100, 122),  # 1.1² × 100 = 121.0…
        (known_within(0.5, 0.4, 0.6), 0.5, 100, None),  # no number of images separates what is equal
        (Estimate(value=0.5), 0.4, 100, None),
    ],
)
def test_how_many_images_would_settle_it_worked_out_by_hand(estimate, limit, images, expected):
    assert images_to_settle(estimate, limit, images=images) == expected


# values check themselves


@pytest.mark.parametrize(("low", "high"), [(0.2, 0.1), (math.nan, 1.0), (0.0, math.inf)])
def test_what_is_no_interval_is_refused(low, high):
    with pytest.raises(ValueError, match="not an interval"):
        Interval(low=low, high=high, method=Method.BCA)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_figure_is_refused(value):
    with pytest.raises(ValueError, match="not a figure"):
        Estimate(value=value)


@pytest.mark.parametrize("wrong", [{"confidence": 0.49}, {"confidence": 1.0}, {"resamples": 0}])
def test_a_resampling_that_makes_no_interval_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Resampling(**wrong)


def test_an_interval_is_as_wide_as_from_end_to_end():
    assert Interval(low=0.25, high=0.75, method=Method.BCA).width == 0.5


def test_a_single_image_says_nothing_of_others_so_that_there_is_no_interval():
    alone = Measure(names=("count",), compute=lambda draws: draws[:, :1])
    found = estimates(bootstrap(alone, images=1, resampling=Resampling(resamples=100)), confidence=0.95)
    assert found == {"count": Estimate(value=1.0)}
