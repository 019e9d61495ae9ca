"""The gate, check by check, on hand-made figures whose intervals are known."""

from dataclasses import replace

import numpy as np
import pytest

from cv_yolo.domain.evaluation.evaluation import Scored
from cv_yolo.domain.evaluation.intervals import Bootstrapped, Resampling, estimates, expanded
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.promotion.decision import Verdict
from cv_yolo.domain.promotion.judgement import GateInput, judge
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.domain.promotion.versions import Stage
from tests.builders import (
    a_champion,
    a_decision,
    a_gate,
    a_policy,
    a_scored,
    a_subject,
    an_estimate,
    an_evaluation,
)

PASSED, FAILED, UNDECIDED, WAIVED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED
STEPS = np.linspace(-1, 1, 201)
REACH = expanded(0.95, STEPS[::10])  # of an even spread from -1 to 1, the interval reaches so far to both sides
MATCHED = a_scored().matched
NO_FLOORS = {"floors": {}}


def a_model(map_50=0.6, *, reach=0.02, images=40, others=None, **subject):
    """A model scored on test images: map_50 with an interval that reaches so far to both sides.

    `others` maps further figures to their value and reach; a reach of None leaves the figure without an interval.
    """
    figures = {"map_50": (map_50, reach), "map_50_95": (map_50 / 2, reach)} | (others or {})
    spread = STEPS / REACH
    around = np.stack(
        [np.full(len(STEPS), np.nan) if far is None else far * spread for _, far in figures.values()], axis=1
    )
    point = np.array([value for value, _ in figures.values()])
    found = Bootstrapped(
        names=tuple(figures), point=point, samples=point + around, jackknife=(point + around / 10)[::10]
    )
    evaluation = an_evaluation(
        subject=a_subject(**subject), images=images, figures=estimates(found, confidence=0.95), resampling=Resampling()
    )
    return Scored(evaluation=evaluation, matched=MATCHED, bootstrapped=found)


def a_case(candidate, champion=None, *, least=30, holder=None, stage=Stage.STAGING, **gate):
    """The case of a candidate against a champion's score; `holder` says who holds the stage where that matters."""
    if champion is not None and holder is None:
        holder = a_champion()
    policy = a_policy(gate=a_gate(**(NO_FLOORS | gate)), min_images=least)
    return GateInput(stage=stage, policy=policy, candidate=candidate, champion=holder, incumbent=champion)


def outcomes(case):
    """How each check ended, by its kind, of a floor with the metric."""
    checks, _ = judge(case, use=1)
    return {identity(check): check.outcome for check in checks}


def identity(check):
    return f"floor {check.metric}" if check.kind == "floor" else check.kind


def the_check(case, name):
    (found,) = [check for check in judge(case, use=1)[0] if identity(check) == name]
    return found


def verdict(case):
    checks, judgement = judge(case, use=1)
    return a_decision(checks=checks, judgement=judgement, champion=case.champion, policy=case.policy).verdict


# the test images


def test_as_many_images_as_the_policy_asks_for_are_enough():
    check = the_check(a_case(a_model(images=30)), "test_images")
    assert (check.outcome, check.required, check.measured, check.more_images) == (PASSED, 30, 30, None)


def test_on_too_few_images_no_interval_is_believed_however_good_it_looks():
    case = a_case(a_model(0.99, images=29), a_model(0.1, images=29), floors={"map_50": 0.5})
    assert outcomes(case) == dict.fromkeys(("test_images", "floor map_50", "champion"), UNDECIDED)
    assert the_check(case, "test_images").more_images == 1
    assert verdict(case) is Verdict.INCONCLUSIVE


def test_on_too_few_images_nothing_is_rejected_either():
    case = a_case(a_model(0.1, images=29), a_model(0.9, images=29), floors={"map_50": 0.5})
    assert verdict(case) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("provisional", [False, True])
def test_without_test_images_nothing_is_judged_not_even_provisionally(provisional):
    case = a_case(None, provisional=provisional, floors={"map_50": 0.5})
    (check,), judgement = judge(case, use=1)
    assert judgement is None
    assert (check.kind, check.outcome, check.measured, check.more_images) == ("test_images", UNDECIDED, 0, 30)


# a provisional gate


def test_a_provisional_gate_lets_a_first_version_enter_on_few_images():
    case = a_case(a_model(0.6, reach=0.3, images=10), provisional=True, floors={"map_50": 0.5})
    assert outcomes(case) == {"test_images": WAIVED, "floor map_50": WAIVED, "champion": PASSED}
    assert the_check(case, "floor map_50").few_images
    assert verdict(case) is Verdict.PROMOTE


@pytest.mark.parametrize(("value", "outcome"), [(0.501, WAIVED), (0.5, FAILED), (0.4, FAILED)])
def test_a_provisional_entry_must_at_least_lie_above_the_floor(value, outcome):
    case = a_case(a_model(value, reach=0.3, images=10), provisional=True, floors={"map_50": 0.5})
    assert the_check(case, "floor map_50").outcome is outcome


@pytest.mark.parametrize(("difference", "outcome"), [(0.05, WAIVED), (-0.05, WAIVED), (-0.15, FAILED)])
def test_against_a_provisional_champion_a_provisional_entry_must_not_be_shown_to_be_worse(difference, outcome):
    """The difference is uncertain by 0.1."""
    candidate, champion = a_model(0.6 + difference, reach=0.1, images=10), a_model(0.6, reach=0.0, images=10)
    case = a_case(candidate, champion, holder=a_champion(provisional=True), provisional=True)
    assert outcomes(case) == {"test_images": WAIVED, "champion": outcome}


def test_a_champion_that_passed_the_whole_gate_is_not_replaced_provisionally():
    case = a_case(a_model(0.9, images=10), a_model(0.5, images=10), provisional=True)
    assert outcomes(case) == {"test_images": UNDECIDED, "champion": UNDECIDED}


def test_a_provisional_gate_asks_for_everything_where_there_are_enough_images():
    case = a_case(a_model(0.6, reach=0.2, images=30), provisional=True, floors={"map_50": 0.5})
    assert outcomes(case)["floor map_50"] is UNDECIDED


def test_a_figure_without_an_interval_is_not_waived():
    case = a_case(a_model(0.6, reach=None, images=10), provisional=True, floors={"map_50": 0.5})
    assert outcomes(case)["floor map_50"] is UNDECIDED


# the floors


@pytest.mark.parametrize(
    ("value", "reach", "outcome"),
    [
        (0.60, 0.05, PASSED),
        (0.60, 0.20, UNDECIDED),
        (0.45, 0.20, UNDECIDED),
        (0.40, 0.05, FAILED),
        (0.50, 0.00, FAILED),  # exactly on it is not above it
    ],
)
def test_the_whole_interval_must_lie_above_the_floor(value, reach, outcome):
    check = the_check(a_case(a_model(value, reach=reach), floors={"map_50": 0.5}), "floor map_50")
    assert (check.outcome, check.required, check.measured.value, check.few_images) == (outcome, 0.5, value, False)


def test_a_good_point_estimate_with_a_weak_lower_bound_is_held():
    assert verdict(a_case(a_model(0.9, reach=0.5), floors={"map_50": 0.5})) is Verdict.INCONCLUSIVE


def test_every_floor_is_asked_for():
    case = a_case(a_model(0.6, others={"recall": (0.2, 0.01)}), floors={"map_50": 0.5, "recall": 0.4})
    assert outcomes(case) == {
        "test_images": PASSED,
        "floor map_50": PASSED,
        "floor recall": FAILED,
        "champion": PASSED,
    }


@pytest.mark.parametrize(("figure", "measured"), [("recall", None), ("map_50", an_estimate(0.6, reach=None))])
def test_a_floor_under_a_figure_that_is_absent_or_has_no_interval_is_undecided(figure, measured):
    check = the_check(a_case(a_model(0.6, reach=None), floors={figure: 0.1}), f"floor {figure}")
    assert (check.outcome, check.measured, check.more_images) == (UNDECIDED, measured, None)


def test_an_undecided_floor_says_how_many_further_images_would_settle_it():
    """Twice as far from the floor as the interval allows: four times the images in all."""
    check = the_check(a_case(a_model(0.6, reach=0.2, images=40), floors={"map_50": 0.5}), "floor map_50")
    assert check.more_images == pytest.approx(120, abs=1)


def test_a_settled_check_needs_no_further_images():
    for value in (0.4, 0.9):
        assert the_check(a_case(a_model(value), floors={"map_50": 0.5}), "floor map_50").more_images is None


# the champion


def test_without_a_champion_it_is_a_first_promotion_by_the_floors_alone():
    check = the_check(a_case(a_model()), "champion")
    assert (check.outcome, check.version, check.measured) == (PASSED, None, None)


@pytest.mark.parametrize(
    ("rule", "difference", "outcome"),
    [
        (Rule.NON_INFERIORITY, 0.05, PASSED),
        (Rule.NON_INFERIORITY, 0.0, PASSED),
        (Rule.NON_INFERIORITY, -0.02, UNDECIDED),
        (Rule.NON_INFERIORITY, -0.05, FAILED),
        (Rule.SUPERIORITY, 0.05, PASSED),
        (Rule.SUPERIORITY, 0.005, UNDECIDED),
        (Rule.SUPERIORITY, 0.0, UNDECIDED),
        (Rule.SUPERIORITY, -0.05, FAILED),
    ],
)
def test_the_whole_interval_of_the_difference_must_lie_above_what_the_rule_asks_for(rule, difference, outcome):
    """The difference is uncertain by 0.01, though each model alone is by 0.3 and more."""
    case = a_case(a_model(0.6 + difference, reach=0.31), a_model(0.6, reach=0.3), rule=rule, margin=0.02)
    check = the_check(case, "champion")
    assert check.outcome is outcome
    assert check.required == (0.0 if rule is Rule.SUPERIORITY else -0.02)
    assert (check.metric, check.rule, check.version, check.stage) == ("map_50", rule, "2", Stage.STAGING)
    assert check.measured.value == pytest.approx(difference)


def test_a_difference_exactly_on_the_limit_does_not_pass():
    on_it = a_case(a_model(0.75, reach=0.0), a_model(0.75, reach=0.0), rule=Rule.SUPERIORITY)
    assert outcomes(on_it)["champion"] is FAILED
    at_the_margin = a_case(a_model(0.5, reach=0.0), a_model(0.75, reach=0.0), margin=0.25)
    assert outcomes(at_the_margin)["champion"] is FAILED


def test_the_gates_metric_is_compared():
    candidate, champion = a_model(0.6, others={"map_50_95": (0.5, 0.01)}), a_model(0.9, others={"map_50_95": (0.3, 0)})
    assert outcomes(a_case(candidate, champion, metric="map_50_95"))["champion"] is PASSED
    assert outcomes(a_case(candidate, champion, metric="map_50"))["champion"] is FAILED


@pytest.mark.parametrize("stage", [Stage.STAGING, Stage.PRODUCTION])
def test_the_gate_of_the_stage_applies(stage):
    policy = a_policy(
        gates={Stage.STAGING: a_gate(rule=Rule.NON_INFERIORITY), Stage.PRODUCTION: a_gate(rule=Rule.SUPERIORITY)}
    )
    case = GateInput(
        stage=stage, policy=policy, candidate=a_model(), champion=a_champion(), incumbent=a_model(reach=0.015)
    )
    assert outcomes(case)["champion"] is (PASSED if stage is Stage.STAGING else UNDECIDED)


def test_a_champion_that_could_not_be_scored_leaves_the_comparison_undecided():
    case = a_case(a_model(0.9), holder=a_champion(version="7"))
    check = the_check(case, "champion")
    assert (check.outcome, check.version, check.measured, check.more_images) == (UNDECIDED, "7", None, None)
    assert judge(case, use=1)[1].champion is None


def test_a_metric_that_only_one_of_them_has_leaves_the_comparison_undecided():
    case = a_case(a_model(others={"f1": (0.9, 0.01)}), a_model(), metric="f1")
    assert outcomes(case)["champion"] is UNDECIDED


def test_a_model_is_not_worse_than_itself_and_not_better():
    one = a_scored(1)
    assert outcomes(a_case(one, one, least=4, rule=Rule.NON_INFERIORITY))["champion"] is PASSED
    assert outcomes(a_case(one, one, least=4, rule=Rule.SUPERIORITY))["champion"] is FAILED


# classes and slices

CLASS, SLICE = {"class_margin": 0.1}, {"slice_margin": 0.1}


def by_class(*differences, reach=0.02, kind="class", figure="ap_50"):
    """A candidate and a champion whose classes differ so much."""
    names = [f"{kind}/{chr(ord('a') + number)}/{figure}" for number in range(len(differences))]
    candidate = {name: (0.5 + each, reach) for name, each in zip(names, differences, strict=True)}
    return a_model(others=candidate), a_model(others=dict.fromkeys(names, (0.5, 0.0)))


@pytest.mark.parametrize(("kind", "figure", "name"), [("class", "ap_50", "classes"), ("slice", "map_50", "slices")])
@pytest.mark.parametrize(("difference", "outcome"), [(-0.2, FAILED), (-0.1, PASSED), (0.1, PASSED)])
def test_no_class_and_no_slice_may_be_shown_to_be_worse(kind, figure, name, difference, outcome):
    case = a_case(*by_class(0.0, difference, kind=kind, figure=figure), **(CLASS | SLICE))
    assert outcomes(case) == {"test_images": PASSED, "champion": PASSED, name: outcome}


def test_the_classes_that_are_worse_are_named_with_the_lowest_of_all():
    check = the_check(a_case(*by_class(-0.2, 0.0, -0.3), **CLASS), "classes")
    assert (check.worse, check.lowest, check.compared, check.not_compared) == (("a", "c"), "c", 3, ())
    assert (check.required, check.measured.value) == (-0.1, pytest.approx(-0.3))


def test_where_no_class_is_worse_that_is_said():
    check = the_check(a_case(*by_class(-0.05, 0.2), **CLASS), "classes")
    assert (check.worse, check.resamples, check.least_resamples) == ((), 201, None)


def test_a_class_that_is_barely_worse_counts_alone_but_not_as_one_of_many():
    """3 % of its resamples reach the margin: less than 5 % alone, not after Holm over four."""
    barely = -0.1 - 0.94 * 0.05 / REACH
    assert outcomes(a_case(*by_class(barely, reach=0.05), **CLASS))["classes"] is FAILED
    assert outcomes(a_case(*by_class(barely, 0.0, 0.0, 0.0, reach=0.05), **CLASS))["classes"] is PASSED


def test_a_worse_class_rejects_a_candidate_that_is_better_on_the_whole():
    candidate, champion = by_class(-0.3, 0.4)
    better = a_model(0.9, others={"class/a/ap_50": (0.2, 0.02)})
    assert verdict(a_case(better, champion, **CLASS)) is Verdict.REJECT
    assert verdict(a_case(candidate, champion)) is Verdict.PROMOTE  # the policy says nothing about classes


def test_other_figures_of_a_class_are_not_compared():
    case = a_case(*by_class(-0.4, figure="ap_50_95"), **(CLASS | SLICE))
    assert outcomes(case) == {"test_images": PASSED, "champion": PASSED}


def test_on_too_few_images_classes_are_not_compared():
    candidate, champion = (replace(model, evaluation=replace(model.evaluation, images=10)) for model in by_class(-0.4))
    assert "classes" not in outcomes(a_case(candidate, champion, **CLASS))


def test_a_class_that_the_test_images_lack_is_left_out():
    candidate, champion = by_class(np.nan, -0.05)
    assert the_check(a_case(candidate, champion, **CLASS), "classes").compared == 1
    assert "classes" not in outcomes(a_case(*by_class(np.nan), **CLASS))


def test_a_class_in_too_few_images_for_an_interval_shows_nothing():
    """One lost box of a class that is in one image is its whole average precision, on every resample that has it."""
    candidate = a_model(others={"class/common/ap_50": (0.5, 0.02), "class/rare/ap_50": (0.0, None)})
    champion = a_model(others={"class/common/ap_50": (0.5, 0.0), "class/rare/ap_50": (1.0, 0.0)})
    check = the_check(a_case(candidate, champion, **CLASS), "classes")
    assert check.outcome is PASSED
    assert (check.compared, check.lowest, check.not_compared) == (1, "common", ("rare",))


def test_a_guard_none_of_whose_classes_is_in_enough_images_settles_nothing():
    candidate, champion = (
        a_model(others={"class/rare/ap_50": (0.0, None)}),
        a_model(others={"class/rare/ap_50": (1, 0)}),
    )
    check = the_check(a_case(candidate, champion, **CLASS), "classes")
    assert (check.outcome, check.lowest, check.measured) == (UNDECIDED, "rare", an_estimate(-1.0, reach=None))
    assert (check.compared, check.not_compared, check.least_resamples) == (0, ("rare",), None)


def test_a_guard_that_no_class_could_fail_settles_nothing_and_says_how_many_resamples_it_takes():
    """Each model has 201 resamples: enough for 10 classes, and too few for 11."""
    enough, few = (a_case(*by_class(*[0.0] * count), **CLASS) for count in (10, 11))
    assert the_check(enough, "classes").outcome is PASSED
    check = the_check(few, "classes")
    assert check.outcome is UNDECIDED
    assert (check.resamples, check.least_resamples) == (201, 221)
    collapsed = a_case(*by_class(-0.4, *[0.0] * 10), **CLASS)
    assert the_check(collapsed, "classes").outcome is UNDECIDED, "never passed"


# the budgets


@pytest.mark.parametrize(("measured", "outcome"), [(9.5, PASSED), (10.0, PASSED), (10.4, FAILED), (None, UNDECIDED)])
def test_the_latency_must_be_within_the_budget(measured, outcome):
    check = the_check(a_case(a_model(latency_ms=measured), max_latency_ms=10.0), "latency")
    assert (check.outcome, check.required, check.measured) == (outcome, 10.0, measured)


@pytest.mark.parametrize(("measured", "outcome"), [(5000, PASSED), (5001, FAILED), (None, UNDECIDED)])
def test_the_size_must_be_within_the_budget(measured, outcome):
    check = the_check(a_case(a_model(size_bytes=measured), max_size_bytes=5000), "size")
    assert (check.outcome, check.required, check.measured) == (outcome, 5000, measured)


def test_a_budget_holds_however_few_images_there_are():
    assert verdict(a_case(a_model(images=3, latency_ms=99.0), max_latency_ms=10.0)) is Verdict.REJECT


def test_without_budgets_latency_and_size_are_not_asked_for():
    assert outcomes(a_case(a_model(latency_ms=None, size_bytes=None))) == {"test_images": PASSED, "champion": PASSED}


# what is put on record


def test_the_judgement_keeps_both_evaluations_their_differences_and_the_use():
    candidate, champion = a_model(0.65), a_model(0.6, reach=0.0)
    _, judgement = judge(a_case(candidate, champion), use=4)
    assert (judgement.candidate, judgement.champion) == (candidate.evaluation, champion.evaluation)
    assert judgement.use == 4
    assert judgement.differences["map_50"].value == pytest.approx(0.05)
    assert judgement.differences["map_50"].interval.low == pytest.approx(0.03, abs=1e-3)


def test_without_a_champion_there_are_no_differences():
    _, judgement = judge(a_case(a_model()), use=1)
    assert (judgement.champion, judgement.differences) == (None, {})
