"""The gate is calibrated: a small version of `benchmarks/gate_calibration.py`, within the precision of few trials.

A rate must have a Monte-Carlo interval (Wilson's, 95 %) that reaches what is demanded: with 120 trials a coverage of
88 % or more can still be one of 93 %, and of 30 trials two promotions can still be 5 %, six cannot.
"""

from dataclasses import replace

import pytest
from scipy import stats

from benchmarks.gate_calibration import COVERAGE, PROMOTIONS, QUICK, REJECTIONS, SEED, Line, rates, wilson
from benchmarks.gate_trials import SCENARIOS, Study, Trial, run_trial, run_trials, true_figures
from cv_yolo.domain.evaluation.intervals import Estimate, Interval, Method
from cv_yolo.domain.promotion.decision import Verdict


@pytest.fixture(scope="module")
def truth():
    return true_figures(SCENARIOS["one class"], images=QUICK.truth_images, seed=SEED)


@pytest.fixture(scope="module")
def studied():
    """The trials of each study of the plan, by number of images."""
    return {
        study.images: (study, list(run_trials(study, trials)))
        for study, trials in (
            (
                Study(scenario=SCENARIOS[name], images=images, resampling=QUICK.resampling, seed=SEED, light=light),
                trials,
            )
            for name, images, trials, light in QUICK.studies
        )
    }


def lines_of(study, truth, trials):
    return {
        line.what.split(" covers ")[0].split(" promotes ")[0].split(" rejects ")[0]: line
        for line in rates(study, truth, trials)
    }


@pytest.mark.parametrize("images", [100, 1000])
def test_intervals_cover_the_truth_as_often_as_they_say(studied, truth, images):
    lines = [line for line in rates(studied[images][0], truth, studied[images][1]) if line.demand == COVERAGE]
    assert len(lines) == {100: 10, 1000: 8}[images]
    assert [line for line in lines if not line.holds] == []


@pytest.mark.parametrize("images", [100, 1000])
@pytest.mark.parametrize("promise", ["superiority/equal", "non-inferiority/worse"])
def test_a_model_that_is_not_good_enough_is_hardly_ever_promoted(studied, truth, images, promise):
    line = lines_of(studied[images][0], truth, studied[images][1])[promise]
    assert line.demand == PROMOTIONS[promise]
    assert line.holds, line


def test_a_clearly_better_model_is_promoted_where_there_are_a_thousand_images(studied, truth):
    line = lines_of(studied[1000][0], truth, studied[1000][1])["superiority/better"]
    assert line.demand == (0.8, 1.0)
    assert line.rate >= 0.8


def test_the_differences_are_those_that_the_demands_are_about(truth):
    """The worse one is worse by little more than the margin: the hardest case."""
    assert truth.value["better-champion/map_50"] == pytest.approx(0.05, abs=4 * truth.error["better-champion/map_50"])
    assert truth.value["worse-champion/map_50"] == pytest.approx(-0.021, abs=4 * truth.error["worse-champion/map_50"])


# the benchmark itself can say no


def changed(trials, **how):
    return [replace(trial, **{name: change(getattr(trial, name)) for name, change in how.items()}) for trial in trials]


def of_half_the_width(estimates):
    def halved(estimate):
        low, high = estimate.interval.low, estimate.interval.high
        middle, reach = (low + high) / 2, (high - low) / 4
        return Estimate(
            value=estimate.value, interval=Interval(low=middle - reach, high=middle + reach, method=Method.BCA)
        )

    return {name: halved(estimate) for name, estimate in estimates.items()}


def test_intervals_that_are_too_narrow_are_found_out(studied, truth):
    study, trials = studied[100]
    lines = list(rates(study, truth, changed(trials, estimates=of_half_the_width)))
    assert not any(line.holds for line in lines if line.demand == COVERAGE)


def test_estimates_without_intervals_cover_nothing(studied, truth):
    study, trials = studied[1000]

    def bare(estimates):
        return {name: Estimate(value=estimate.value) for name, estimate in estimates.items()}

    assert lines_of(study, truth, changed(trials, estimates=bare))["95 % interval of champion/map_50"].rate == 0


def test_a_gate_that_is_wrong_way_round_is_found_out(studied, truth):
    study, trials = studied[1000]

    def turned(verdicts):
        return {
            name: Verdict.REJECT if verdict is Verdict.PROMOTE else Verdict.PROMOTE
            for name, verdict in verdicts.items()
        }

    lines = lines_of(study, truth, changed(trials, verdicts=turned))
    assert [lines[promise].word for promise in (*PROMOTIONS, *REJECTIONS)] == ["does not hold"] * 4


# the parts


def test_a_trial_depends_on_its_number_and_nothing_else():
    study = Study(
        scenario=SCENARIOS["three classes"], images=40, resampling=replace(QUICK.resampling, resamples=40), seed=1
    )
    one, again, other = (run_trial(study, number) for number in (3, 3, 4))
    assert isinstance(one, Trial)
    assert one == again
    assert one.estimates != other.estimates


@pytest.mark.parametrize(("hits", "trials"), [(0, 30), (27, 30), (1000, 1000), (953, 1000)])
def test_wilsons_interval_is_that_of_scipy(hits, trials):
    theirs = stats.binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert wilson(hits, trials) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize(
    ("low", "rate", "high", "demand", "word"),
    [
        (0.935, 0.95, 0.96, COVERAGE, "holds"),
        (0.91, 0.925, 0.94, COVERAGE, "holds within chance"),
        (0.90, 0.91, 0.925, COVERAGE, "does not hold"),
        (0.975, 0.98, 0.985, COVERAGE, "does not hold"),
        (0.1, 0.2, 0.3, None, "informational"),
    ],
)
def test_a_rate_holds_where_its_own_interval_reaches_the_demand(low, rate, high, demand, word):
    line = Line(scenario="s", images=9, what="w", rate=rate, low=low, high=high, demand=demand)
    assert (line.word, line.holds) == (word, word != "does not hold")
