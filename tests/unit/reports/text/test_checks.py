"""Each kind of check in words, and in JSON; no number is rounded into another meaning."""

import json
from dataclasses import asdict, replace
from typing import get_args

import pytest
from pydantic import TypeAdapter

from cv_yolo.domain.promotion.checks import (
    AlreadyInStageCheck,
    BudgetCheck,
    Check,
    ClassFloorCheck,
    ClassResult,
    GroupsCheck,
    Outcome,
    ProofCheck,
    SelectionCheck,
)
from cv_yolo.domain.promotion.decision import Decision
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.reports.text.checks import check_text, checks_json
from tests.builders import (
    a_champion_check,
    a_check,
    a_decision,
    a_recorded_check,
    an_estimate,
    an_image_count,
    every_kind_of_check,
)

PASSED, FAILED, UNDECIDED, WAIVED = Outcome.PASSED, Outcome.FAILED, Outcome.UNDECIDED, Outcome.WAIVED
NO_INTERVAL = an_estimate(0.6, reach=None)


def sentence(check: Check) -> str:
    return check_text(check).sentence


def test_the_builders_make_every_kind_of_check() -> None:
    assert {type(check) for check in every_kind_of_check()} == set(get_args(Check))


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_kind_has_words_and_json_for_every_outcome(outcome: Outcome) -> None:
    checks = every_kind_of_check(outcome=outcome)
    for check, data in zip(checks, json.loads(json.dumps(checks_json(checks))), strict=True):
        text = check_text(check)
        assert all([text.title, text.required, text.measured])
        assert text.sentence.endswith(".")
        assert (data["kind"], data["outcome"], data["sentence"]) == (check.kind, outcome, text.sentence)


def test_a_decision_with_every_kind_of_check_survives_being_stored() -> None:
    decision, stored = a_decision(checks=every_kind_of_check()), TypeAdapter(Decision)
    assert stored.validate_json(stored.dump_json(decision)) == decision


def test_a_check_that_an_earlier_version_stored_is_read_as_it_was_recorded() -> None:
    stored = TypeAdapter(Decision)
    old = json.loads(stored.dump_json(a_decision(checks=(a_recorded_check(),))))
    del old["checks"][0]["kind"]
    (check,) = stored.validate_python(old).checks
    assert check == a_recorded_check()


def test_json_keeps_the_names_the_numbers_and_all_that_the_kind_holds() -> None:
    (data,) = checks_json([a_check(outcome=UNDECIDED, more_images=7)])
    assert data["data"]["required"] == 0.5
    del data["data"]
    assert data == {
        "kind": "floor",
        "name": "floor map_50",
        "required": "above 0.5",
        "measured": "0.610 [0.560, 0.660]",
        "outcome": "undecided",
        "sentence": "mAP50 is 0.610 [0.560, 0.660]: the interval includes the floor of 0.5, so it is undecided.",
        "estimate": asdict(an_estimate()),
        "limit": 0.5,
        "more_images": 7,
    }


def test_names_in_json_are_those_of_earlier_versions() -> None:
    assert [each["name"] for each in checks_json(every_kind_of_check())] == [
        "proof",
        "selection",
        "champion",
        "test images",
        "floor map_50",
        "required classes",
        "class floor",
        "champion",
        "classes",
        "slices",
        "latency",
        "size",
        "floor map_50",
    ]


def test_proof_counts_the_runs() -> None:
    assert sentence(ProofCheck(outcome=PASSED, proven=3, runs=4)) == (
        "3 of 4 runs finished with weights that load and an evaluation."
    )
    assert check_text(ProofCheck(outcome=FAILED, proven=0, runs=1)).measured == "0 of 1 run"


@pytest.mark.parametrize(
    ("within_noise", "scored", "said"),
    [
        (1, 1, "e3 is the only run with scores."),
        (1, 3, "e3 has the best mAP50 on val, and no other run is within noise of it."),
        (2, 3, "2 runs are within noise of the best mAP50 on val; e3 is the cheapest of them."),
    ],
)
def test_a_selection_says_why_the_run_was_chosen(within_noise: int, scored: int, said: str) -> None:
    check = SelectionCheck(
        outcome=PASSED, metric="map_50", chosen="e3", within_noise=within_noise, scored=scored, runs=4
    )
    assert sentence(check) == said


def test_a_candidate_that_holds_the_stage_is_not_judged() -> None:
    assert sentence(AlreadyInStageCheck(outcome=PASSED, stage=Stage.STAGING, version="2")) == (
        "Version 2 in staging is this run: nothing changes, and no test image was used."
    )


@pytest.mark.parametrize(
    ("images", "outcome", "said"),
    [
        (30, PASSED, "30 test images are enough to trust an interval."),
        (29, UNDECIDED, "29 test images are fewer than 30: too few to trust an interval."),
        (1, UNDECIDED, "1 test image is fewer than 30: too few to trust an interval."),
        (29, WAIVED, "29 test images are fewer than 30: a promotion to staging can only be provisional."),
        (0, UNDECIDED, "The data set has no test images, so nothing can be judged."),
    ],
)
def test_too_few_test_images_are_called_so(images: int, outcome: Outcome, said: str) -> None:
    assert sentence(an_image_count(images, outcome=outcome)) == said


@pytest.mark.parametrize(
    ("changes", "position"),
    [
        ({}, "0.610 [0.560, 0.660]: above the floor of 0.5"),
        ({"outcome": FAILED, "required": 0.7}, "0.610 [0.560, 0.660]: not above the floor of 0.7"),
        ({"outcome": WAIVED}, "0.610 [0.560, 0.660]: above the floor of 0.5, but on too few images to be sure"),
        ({"outcome": UNDECIDED, "few_images": True}, "0.610 [0.560, 0.660]: too few images to decide"),
        ({"outcome": UNDECIDED, "measured": None}, "not known: it could not be measured"),
        (
            {"outcome": UNDECIDED, "measured": NO_INTERVAL},
            "0.600: there is no interval to compare with the limit",
        ),
    ],
)
def test_a_floor_says_where_the_interval_lies(changes: dict[str, object], position: str) -> None:
    assert sentence(a_check(**changes)) == f"mAP50 is {position}."


def test_a_floor_of_one_class_names_it() -> None:
    text = check_text(a_check(metric="class/traffic light/ap_50"))
    assert text.title == "floor AP50 of traffic light"
    assert text.sentence.startswith("AP50 of traffic light is 0.610")


@pytest.mark.parametrize(
    ("changes", "position"),
    [
        ({}, "+0.010 [−0.010, +0.030]: not worse by more than 0.02"),
        ({"outcome": FAILED}, "+0.010 [−0.010, +0.030]: worse by more than 0.02"),
        ({"outcome": FAILED, "few_images": True}, "+0.010 [−0.010, +0.030]: worse"),
        ({"outcome": FAILED, "rule": Rule.SUPERIORITY, "required": 0.0}, "+0.010 [−0.010, +0.030]: not better"),
        ({"rule": Rule.SUPERIORITY, "required": 0.0}, "+0.010 [−0.010, +0.030]: better"),
        (
            {"outcome": UNDECIDED},
            "+0.010 [−0.010, +0.030]: the interval includes the limit of −0.02, so it is undecided",
        ),
        ({"outcome": UNDECIDED, "measured": None}, "not known: it could not be measured"),
        (
            {"outcome": WAIVED},
            "+0.010 [−0.010, +0.030]: not shown to be worse than a champion that is provisional itself",
        ),
    ],
)
def test_the_difference_from_the_champion_is_measured_against_the_rule(
    changes: dict[str, object], position: str
) -> None:
    assert sentence(a_champion_check(**changes)) == f"The difference in mAP50 from version 2 in staging is {position}."


def test_without_a_champion_only_the_floors_count() -> None:
    text = check_text(a_champion_check(version=None, measured=None))
    assert (text.required, text.measured) == ("mAP50: not worse by more than 0.02", "no champion")
    assert text.sentence == "No version is in staging: a first promotion is judged by its floors only."


def classes(*results: ClassResult, outcome: Outcome = PASSED, **changes: object) -> ClassFloorCheck:
    values = {"kind": "required_classes", "metric": "ap_50", "required": 0.0, "required_boxes": 10}
    return ClassFloorCheck(outcome=outcome, classes=results, **(values | changes))  # type: ignore[arg-type]


VEST = ClassResult(outcome=PASSED, name="vest", boxes=12, measured=an_estimate(0.6))


def test_classes_that_pass_are_counted_and_the_lowest_is_named() -> None:
    text = check_text(classes(VEST, replace(VEST, name="gloves", measured=an_estimate(0.5))))
    assert text.required == "each of 2 classes with at least 10 test boxes, and AP50 above 0"
    assert text.measured == "2 of 2 passed; lowest: gloves (0.500 [0.450, 0.550])"
    assert text.sentence == "The AP50 of all 2 classes is above 0."
    assert (text.estimate, text.limit) == (an_estimate(0.5), 0.0)


def test_a_single_class_is_named() -> None:
    text = check_text(classes(VEST, kind="class_floor", required=0.2, required_boxes=1))
    assert (text.required, text.sentence) == ("AP50 above 0.2 for the class vest", "The AP50 of vest is above 0.2.")


def test_classes_that_do_not_pass_are_named_the_worst_first() -> None:
    few = replace(VEST, name="few", boxes=9, outcome=UNDECIDED)
    none = replace(VEST, name="none", boxes=0, outcome=UNDECIDED, measured=None)
    unknown = replace(VEST, name="unknown", outcome=UNDECIDED, measured=None)
    lost = replace(VEST, name="lost", outcome=FAILED, measured=an_estimate(0.0, reach=0.0))
    assert sentence(classes(few, none, unknown, lost, VEST, outcome=FAILED)) == (
        "Not above the limit: lost (0.000 [0.000, 0.000]). "
        "Undecided: few (9 of 10 test boxes), none (no test boxes), unknown (not known)."
    )
    assert sentence(classes(replace(VEST, outcome=WAIVED), outcome=WAIVED)) == (
        "Above the limit, but on too few images to be sure: vest (0.600 [0.550, 0.650])."
    )


def a_group(**changes: object) -> GroupsCheck:
    (check,) = [each for each in every_kind_of_check() if isinstance(each, GroupsCheck) and each.kind == "slices"]
    return replace(check, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "No slice is shown to be worse than the champion's by more than 0.1."),
        ({"worse": ("night", "rain")}, "Worse than the champion by more than 0.1: night, rain."),
        (
            {"compared": 0, "not_compared": ("night",)},
            "Undecided: no slice is in enough test images for an interval. "
            "In too few test images to be compared: night.",
        ),
        (
            {"resamples": 201, "least_resamples": 221},
            "Undecided: 201 resamples are too few for any slice to fail; at least 221 are needed.",
        ),
    ],
)
def test_groups_that_are_worse_or_cannot_be_compared_are_named(changes: dict[str, object], said: str) -> None:
    assert sentence(a_group(**changes)) == said


def test_groups_name_the_lowest_and_the_correction() -> None:
    text = check_text(a_group())
    assert text.required == "no slice shown to be worse by more than 0.1 (Holm correction for 2)"
    assert text.measured == "lowest: night −0.200 [−0.250, −0.150]"


@pytest.mark.parametrize(
    ("check", "measured", "required"),
    [
        (BudgetCheck(outcome=PASSED, kind="latency", required=10.0, measured=9.5), "9.5 ms", "10 ms"),
        (BudgetCheck(outcome=FAILED, kind="size", required=5000, measured=5001), "5001 bytes", "5000 bytes"),
        (
            BudgetCheck(outcome=FAILED, kind="size", required=6_000_000, measured=6_123_456),
            "6123456 bytes",
            "6000000 bytes",
        ),
        (BudgetCheck(outcome=UNDECIDED, kind="latency", required=10.0, measured=None), "not measured", "10 ms"),
    ],
)
def test_a_budget_names_its_unit(check: BudgetCheck, measured: str, required: str) -> None:
    text = check_text(check)
    assert (text.measured, text.required) == (measured, f"at most {required}")
    assert text.sentence == f"The {check.kind} is {measured}; the policy allows {required}."
