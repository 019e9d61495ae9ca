"""Which detection claims which ground truth."""

import numpy as np

from cv_yolo.domain.matching import UNMATCHED, match_greedily

HALF = np.array([0.5])


def test_each_ground_truth_is_claimed_once_by_the_surest_detection():
    assert match_greedily(np.array([[0.6], [0.9]]), HALF).tolist() == [[0, UNMATCHED]]


def test_a_detection_claims_the_ground_truth_it_overlaps_most():
    assert match_greedily(np.array([[0.6, 0.8, 0.7]]), HALF).tolist() == [[1]]


def test_a_detection_whose_first_choice_is_taken_claims_the_next():
    assert match_greedily(np.array([[0.6, 0.8], [0.7, 0.9]]), HALF).tolist() == [[1, 0]]


def test_of_equal_overlaps_the_last_is_claimed():
    assert match_greedily(np.array([[0.7, 0.7, 0.6]]), HALF).tolist() == [[1]]


def test_an_overlap_of_exactly_the_threshold_is_enough_and_less_is_not():
    assert match_greedily(np.array([[0.5], [0.4999]]), HALF).tolist() == [[0, UNMATCHED]]
    assert match_greedily(np.array([[0.4999]]), HALF).tolist() == [[UNMATCHED]]


def test_each_threshold_is_matched_anew():
    overlaps = np.array([[0.6, 0.0], [0.9, 0.7]])
    assert match_greedily(overlaps, np.array([0.5, 0.75])).tolist() == [[0, 1], [UNMATCHED, 0]]


def test_a_whole_overlap_satisfies_even_a_threshold_of_one():
    assert match_greedily(np.array([[1.0 - 1e-12]]), np.array([1.0])).tolist() == [[0]]


def test_without_ground_truth_nothing_is_claimed():
    assert match_greedily(np.empty((2, 0)), HALF).tolist() == [[UNMATCHED, UNMATCHED]]


def test_without_detections_nothing_is_claimed():
    assert match_greedily(np.empty((0, 2)), HALF).shape == (1, 0)
