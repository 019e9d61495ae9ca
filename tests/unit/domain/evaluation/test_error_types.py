"""In which way detections are wrong, and what each way costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.evaluation.error_types import NO_TRUTH, ErrorType, classify_errors, error_measure
from cv_yolo.domain.evaluation.matching import IOU_THRESHOLDS, find_overlaps, match
from cv_yolo.domain.evaluation.operating_point import right_and_listed
from tests.random_boxes import random_pictures, repeated, table_of

LAWS = settings(max_examples=60, deadline=None, database=None)
SEEDS = st.integers(0, 100_000)

PERSON, DOG, CAR = 0, 1, 2
SQUARE = (0, 0, 10, 10)
HALF, THIRD, TENTH = (0, 0, 10, 5), (5, 0, 15, 10), (0, 0, 10, 1)  # by their IoU with the square
ELSEWHERE = (50, 50, 60, 60)


def a_picture(truths, detections, *, crowds=None, image="1.jpg"):
    """Boxes as `(corners, class)` and `(corners, class, confidence)`."""
    return (
        GroundTruth(
            image=image,
            boxes_xyxy=np.array([box for box, _ in truths], dtype=np.float64).reshape(-1, 4),
            class_ids=np.array([class_id for _, class_id in truths], dtype=np.int64),
            crowds=None if crowds is None else np.array(crowds, dtype=bool),
        ),
        Detections(
            image=image,
            boxes_xyxy=np.array([box for box, _, _ in detections], dtype=np.float64).reshape(-1, 4),
            class_ids=np.array([class_id for _, class_id, _ in detections], dtype=np.int64),
            confidences=np.array([confidence for _, _, confidence in detections], dtype=np.float64),
        ),
    )


def errors_of(truths, detections, **changes):
    """The error of each detection, in the order given: their confidences must differ."""
    table = table_of([a_picture(truths, detections, **changes)])
    errors = dict(zip(table.found.confidence.tolist(), classify_errors(table).errors, strict=True))
    return [errors[confidence] for _, _, confidence in detections]


def missed_of(truths, detections, **changes):
    return classify_errors(table_of([a_picture(truths, detections, **changes)])).missed.tolist()


def figures_of(pictures, draw=None):
    measure = error_measure(table_of(pictures))
    draws = np.ones((1, len(pictures))) if draw is None else np.array([draw], dtype=np.float64)
    return dict(zip(measure.names, measure.compute(draws)[0].tolist(), strict=True))


def costs_of(*pictures):
    figures = figures_of(list(pictures))
    return {kind: figures[f"error/{kind}/cost"] for kind in ErrorType}


def only(**costs):
    return pytest.approx({kind: costs.get(kind, 0.0) for kind in ErrorType})


def same(first, second):
    assert first.keys() == second.keys()
    np.testing.assert_allclose(list(first.values()), list(second.values()), rtol=0, atol=1e-9)


class TestTypes:
    def test_a_detection_on_a_box_of_its_class_is_not_an_error(self):
        assert errors_of([(SQUARE, DOG)], [(SQUARE, DOG, 0.9)]) == [None]

    def test_a_detection_near_a_box_of_its_class_is_a_localisation_error(self):
        assert errors_of([(SQUARE, DOG)], [(THIRD, DOG, 0.9)]) == [ErrorType.LOCALISATION]

    def test_an_overlap_of_exactly_a_tenth_is_near_enough_for_a_localisation_error(self):
        assert errors_of([(SQUARE, DOG)], [(TENTH, DOG, 0.9)]) == [ErrorType.LOCALISATION]

    def test_an_overlap_of_exactly_half_with_a_claimed_box_is_a_localisation_error_as_in_the_reference(self):
        found = [(SQUARE, DOG, 0.9), (HALF, DOG, 0.8)]
        assert errors_of([(SQUARE, DOG)], found) == [None, ErrorType.LOCALISATION]

    def test_a_detection_on_a_box_of_another_class_is_a_classification_error(self):
        found = [(SQUARE, DOG, 0.9), (HALF, DOG, 0.8)]
        assert errors_of([(SQUARE, CAR)], found) == [ErrorType.CLASSIFICATION] * 2

    def test_a_detection_near_a_box_of_its_class_and_on_another_is_a_localisation_error(self):
        truths = [(SQUARE, CAR), (THIRD, DOG)]
        assert errors_of(truths, [(SQUARE, DOG, 0.9)]) == [ErrorType.LOCALISATION]

    def test_a_second_detection_of_a_claimed_box_is_a_duplicate(self):
        found = [(SQUARE, DOG, 0.9), (SQUARE, DOG, 0.8)]
        assert errors_of([(SQUARE, DOG)], found) == [None, ErrorType.DUPLICATE]

    def test_a_duplicate_that_lies_on_a_box_of_another_class_too_is_a_classification_error(self):
        found = [(SQUARE, DOG, 0.9), (SQUARE, DOG, 0.8)]
        assert errors_of([(SQUARE, DOG), (SQUARE, CAR)], found) == [None, ErrorType.CLASSIFICATION]

    def test_a_detection_near_a_box_of_another_class_is_both_errors(self):
        assert errors_of([(SQUARE, CAR)], [(THIRD, DOG, 0.9)]) == [ErrorType.BOTH]

    def test_an_overlap_of_exactly_a_tenth_with_another_class_is_background(self):
        assert errors_of([(SQUARE, CAR)], [(TENTH, DOG, 0.9)]) == [ErrorType.BACKGROUND]

    def test_a_detection_near_nothing_is_background(self):
        assert errors_of([(SQUARE, DOG)], [(ELSEWHERE, DOG, 0.9)]) == [ErrorType.BACKGROUND]
        assert errors_of([], [(ELSEWHERE, DOG, 0.9)]) == [ErrorType.BACKGROUND]

    def test_a_detection_that_claims_a_crowd_is_neither_right_nor_wrong(self):
        table = table_of([a_picture([(SQUARE, DOG)], [(HALF, DOG, 0.9)], crowds=[True])])
        found = classify_errors(table)
        assert (found.errors.tolist(), found.right.tolist()) == ([None], [False])

    def test_being_near_a_crowd_is_being_near_nothing(self):
        found = [((8, 0, 18, 10), DOG, 0.9), (THIRD, CAR, 0.8), (SQUARE, CAR, 0.7)]
        assert errors_of([(SQUARE, DOG)], found, crowds=[True]) == [ErrorType.BACKGROUND] * 3


class TestMissed:
    def test_a_box_that_nothing_is_near_is_missed(self):
        assert missed_of([(SQUARE, DOG), (ELSEWHERE, DOG)], [(SQUARE, DOG, 0.9)]) == [False, True]

    def test_all_boxes_of_an_image_without_detections_are_missed(self):
        assert missed_of([(SQUARE, DOG), (ELSEWHERE, CAR)], []) == [True, True]

    def test_a_box_that_a_localisation_or_classification_error_would_claim_is_not_missed(self):
        assert missed_of([(SQUARE, DOG)], [(THIRD, DOG, 0.9)]) == [False]
        assert missed_of([(SQUARE, DOG)], [(SQUARE, CAR, 0.9)]) == [False]

    def test_a_box_with_only_both_errors_near_it_is_missed(self):
        assert missed_of([(SQUARE, DOG)], [(THIRD, CAR, 0.9)]) == [True]

    def test_a_crowd_is_never_missed(self):
        assert missed_of([(SQUARE, DOG)], [], crowds=[True]) == [False]


class TestRepairs:
    def test_the_surest_error_at_a_box_repairs_it_whatever_its_type(self):
        found = [(THIRD, DOG, 0.9), (SQUARE, CAR, 0.8), (THIRD, DOG, 0.7)]
        table = table_of([a_picture([(SQUARE, DOG)], found)])
        repairs = classify_errors(table).repairs
        assert dict(zip(table.found.confidence.tolist(), repairs.tolist(), strict=True)) == {
            0.9: 0,
            0.8: NO_TRUTH,
            0.7: NO_TRUTH,
        }

    def test_an_error_at_a_claimed_box_repairs_nothing(self):
        table = table_of([a_picture([(SQUARE, DOG)], [(SQUARE, DOG, 0.9), (THIRD, DOG, 0.8)])])
        assert classify_errors(table).repairs.tolist() == [NO_TRUTH, NO_TRUTH]

    def test_of_two_boxes_equally_near_the_first_is_repaired(self):
        table = table_of([a_picture([(SQUARE, DOG), (SQUARE, DOG)], [(THIRD, DOG, 0.9)])])
        found = classify_errors(table)
        assert (found.repairs.tolist(), found.missed.tolist()) == ([0], [False, True])


class TestCosts:
    def test_a_perfect_detector_pays_nothing(self):
        assert costs_of(a_picture([(SQUARE, DOG)], [(SQUARE, DOG, 0.9)])) == only()

    def test_by_hand_a_wrong_one_on_the_background_that_is_surer_than_two_right_ones_costs_a_third(self):
        """Precisions 0, 1/2, 2/3, so 2/3 at every recall; without the wrong one 1."""
        found = [((80, 80, 90, 90), DOG, 0.9), (SQUARE, DOG, 0.8), (ELSEWHERE, DOG, 0.7)]
        costs = costs_of(a_picture([(SQUARE, DOG), (ELSEWHERE, DOG)], found))
        assert costs == only(background=1 / 3)

    def test_by_hand_a_duplicate_between_two_right_ones(self):
        """Precisions 1, 1/2, 2/3: 51 recalls at 1, the other 50 at 2/3, which the fix raises to 1."""
        found = [(SQUARE, DOG, 0.9), (SQUARE, DOG, 0.8), (ELSEWHERE, DOG, 0.7)]
        costs = costs_of(a_picture([(SQUARE, DOG), (ELSEWHERE, DOG)], found))
        assert costs == only(duplicate=50 / 3 / 101)

    def test_by_hand_a_dog_near_a_car_that_is_surer_than_the_right_dog(self):
        """Dogs: wrong, right, so 1/2 where 1 could be; the car is found: the mean of two classes falls by 1/4."""
        found = [(THIRD, DOG, 0.9), (ELSEWHERE, DOG, 0.8), (SQUARE, CAR, 0.9)]
        costs = costs_of(a_picture([(SQUARE, CAR), (ELSEWHERE, DOG)], found))
        assert costs == only(both=1 / 4)

    def test_by_hand_one_of_two_missed(self):
        """Precision 1 up to recall 1/2, that is at 51 of 101 recalls; asked for the one alone, at all."""
        costs = costs_of(a_picture([(SQUARE, DOG), (ELSEWHERE, DOG)], [(SQUARE, DOG, 0.9)]))
        assert costs == only(missed=50 / 101)

    def test_by_hand_the_only_box_found_out_of_place(self):
        assert costs_of(a_picture([(SQUARE, DOG)], [(THIRD, DOG, 0.9)])) == only(localisation=1.0)

    def test_by_hand_the_only_box_taken_for_another_class(self):
        """The dog becomes a right car; dogs, of which there are none, do not count before or after."""
        assert costs_of(a_picture([(SQUARE, CAR)], [(SQUARE, DOG, 0.9)])) == only(classification=1.0)

    def test_by_hand_of_two_errors_at_one_box_only_the_type_of_the_surer_costs(self):
        """Misplaced, then misclassified: fixed alone, the first is right and the second merely gone."""
        costs = costs_of(a_picture([(SQUARE, DOG)], [(THIRD, DOG, 0.9), (SQUARE, CAR, 0.8)]))
        assert costs == only(localisation=1.0)

    def test_by_hand_what_claims_a_crowd_costs_nothing(self):
        truths = [(ELSEWHERE, DOG), (SQUARE, DOG)]
        found = [(SQUARE, DOG, 0.9), (ELSEWHERE, DOG, 0.8)]
        assert costs_of(a_picture(truths, found, crowds=[False, True])) == only()

    def test_a_crowd_need_not_be_found_as_computed_by_hand(self):
        """Wrong, right, so 1/2 at every recall where 1 could be, although the crowd is not found."""
        truths, found = [(ELSEWHERE, DOG), (SQUARE, DOG)], [((80, 80, 90, 90), DOG, 0.9), (ELSEWHERE, DOG, 0.8)]
        assert costs_of(a_picture(truths, found, crowds=[False, True])) == only(background=1 / 2)

    def test_a_class_of_which_every_box_is_missed_leaves_the_mean_without_them(self):
        """The dog is found, the car is not: (1 + 0) / 2; without the car there are only dogs to average."""
        costs = costs_of(a_picture([(SQUARE, DOG), (ELSEWHERE, CAR)], [(SQUARE, DOG, 0.9)]))
        assert costs == only(missed=1 / 2)

    def test_a_class_of_which_every_box_is_missed_stays_at_zero_where_it_has_false_positives(self):
        found = [(SQUARE, DOG, 0.9), ((80, 80, 90, 90), CAR, 0.8)]
        assert costs_of(a_picture([(SQUARE, DOG), (ELSEWHERE, CAR)], found)) == only()

    def test_a_cost_is_not_known_where_the_fix_leaves_nothing_to_average(self):
        costs = costs_of(a_picture([(SQUARE, DOG)], []))
        assert np.isnan(costs.pop(ErrorType.MISSED))
        assert set(costs.values()) == {0.0}

    def test_without_any_box_there_are_no_errors_and_no_costs(self):
        for figures in (figures_of([]), figures_of([a_picture([], [])])):
            assert all(figures[f"error/{kind}/count"] == 0 for kind in ErrorType)
            assert all(np.isnan(figures[f"error/{kind}/cost"]) for kind in ErrorType)

    def test_a_street_with_errors_of_every_type_costs_what_tidecv_says(self):
        """The expected figures are those of tidecv 1.0.1, which counts in per cent."""
        pictures = [a_picture(truths, found, image=str(number)) for number, (truths, found) in enumerate(STREET)]
        figures = figures_of(pictures)
        for kind, (count, cost) in TIDECV.items():
            assert figures[f"error/{kind}/count"] == count
            assert figures[f"error/{kind}/cost"] == pytest.approx(cost, abs=1e-9)


STREET = [
    (
        [((0, 0, 40, 40), PERSON), ((100, 0, 140, 40), DOG), ((200, 0, 240, 40), PERSON), ((300, 0, 340, 40), CAR)],
        [
            ((2, 0, 42, 40), PERSON, 0.9),
            ((0, 4, 40, 44), PERSON, 0.6),
            ((100, 2, 140, 42), PERSON, 0.8),
            ((200, 20, 240, 60), PERSON, 0.7),
            ((320, 20, 360, 60), CAR, 0.5),
            ((300, 20, 340, 60), DOG, 0.4),
            ((0, 200, 40, 240), PERSON, 0.3),
        ],
    ),
    (
        [((0, 0, 60, 40), CAR), ((100, 100, 160, 160), DOG), ((200, 200, 240, 240), PERSON)],
        [
            ((0, 0, 60, 38), CAR, 0.95),
            ((100, 100, 160, 150), DOG, 0.38),
            ((100, 110, 160, 160), DOG, 0.35),
            ((100, 102, 160, 162), CAR, 0.45),
            ((300, 300, 340, 340), CAR, 0.65),
        ],
    ),
    ([], [((0, 0, 40, 40), PERSON, 0.2)]),
    ([((0, 0, 40, 40), CAR)], []),
    ([((100, 100, 140, 140), PERSON)], [((100, 100, 140, 140), PERSON, 0.25)]),
]
TIDECV = {
    ErrorType.CLASSIFICATION: (2, 0.19966996699669987),
    ErrorType.LOCALISATION: (2, 0.14136413641364098),
    ErrorType.BOTH: (1, 0.08415841584158411),
    ErrorType.DUPLICATE: (2, 0.005500550055005391),
    ErrorType.BACKGROUND: (3, 0.005500550055005391),
    ErrorType.MISSED: (2, 0.09130913091309158),
}


class TestLaws:
    @LAWS
    @given(SEEDS)
    def test_every_wrong_detection_has_one_type_and_no_other_has(self, seed):
        table = table_of(random_pictures(seed))
        matching = match(table, find_overlaps(table, least=0.5), iou_thresholds=IOU_THRESHOLDS[:1])
        right, listed = right_and_listed(table, matching)
        found = classify_errors(table)
        np.testing.assert_array_equal(found.right, right)
        np.testing.assert_array_equal(~found.of(None), listed & ~right)
        assert ErrorType.MISSED not in found.errors.tolist()

    @LAWS
    @given(SEEDS)
    def test_every_box_is_claimed_or_repaired_or_missed_or_a_crowd(self, seed):
        table = table_of(random_pictures(seed))
        found = classify_errors(table)
        repaired = found.repairs[found.repairs != NO_TRUTH]
        assert len(set(repaired.tolist())) == len(repaired)
        assert not found.missed[repaired].any()
        asked = np.count_nonzero(~table.truths.crowd)
        assert asked == np.count_nonzero(found.right) + len(repaired) + np.count_nonzero(found.missed)

    @LAWS
    @given(SEEDS)
    def test_the_counts_are_those_of_the_errors(self, seed):
        pictures = random_pictures(seed)
        found, figures = classify_errors(table_of(pictures)), figures_of(pictures)
        for kind in ErrorType:
            count = np.count_nonzero(found.missed if kind is ErrorType.MISSED else found.of(kind))
            assert figures[f"error/{kind}/count"] == count

    @LAWS
    @given(SEEDS)
    def test_no_fix_makes_a_detector_worse(self, seed):
        figures = figures_of(random_pictures(seed))
        costs = np.array([figures[f"error/{kind}/cost"] for kind in ErrorType])
        assert (np.isnan(costs) | ((costs >= 0) & (costs <= 1))).all()

    @LAWS
    @given(SEEDS, st.integers(2, 4))
    def test_counting_every_image_as_often_changes_no_cost(self, seed, times):
        pictures = random_pictures(seed)
        once, often = figures_of(pictures), figures_of(pictures, [times] * len(pictures))
        scale = {name: times if name.endswith("count") else 1 for name in once}
        same({name: value * scale[name] for name, value in once.items()}, often)

    @LAWS
    @given(SEEDS, st.lists(st.integers(0, 3), min_size=6, max_size=6))
    def test_a_draw_gives_the_figures_of_a_split_with_each_image_as_often(self, seed, times):
        pictures = random_pictures(seed)
        draw = times[: len(pictures)]
        same(figures_of(pictures, draw), figures_of(repeated(pictures, draw)))
