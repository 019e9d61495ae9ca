"""Values as short texts."""

from datetime import datetime, timedelta, timezone

import pytest

from cv_yolo.reports.text.formatting import (
    ABSENT,
    bytes_text,
    count_text,
    counted_text,
    difference_text,
    duration_text,
    estimate_text,
    images_and_boxes_text,
    latency_text,
    list_text,
    metric_text,
    number_text,
    ordinal_text,
    percent_text,
    score_text,
    time_text,
)
from tests.builders import an_estimate


@pytest.mark.parametrize(("value", "text"), [(0.5321, "0.532"), (0.0, "0.000"), (1.0, "1.000"), (None, ABSENT)])
def test_a_score_has_three_decimals_and_a_missing_one_is_no_zero(value, text):
    assert score_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.2, "< 1 s"),
        (41.2, "41 s"),
        (59.7, "1 min 00 s"),
        (185.0, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (3725.0, "1 h 02 min"),
    ],
)
def test_a_duration_is_shown_in_the_units_that_suit_it(seconds, text):
    assert duration_text(seconds) == text


def test_a_time_is_shown_in_utc_wherever_it_was_taken():
    in_paris = datetime(2025, 3, 4, 13, 30, 5, tzinfo=timezone(timedelta(hours=1)))
    assert time_text(in_paris) == "2025-03-04 12:30:05 UTC"


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_a_count_agrees_with_its_noun(count, text):
    assert count_text(count, "image") == text


def test_boxes_have_a_plural_of_their_own():
    assert (images_and_boxes_text(1, 1), images_and_boxes_text(3, 6)) == ("1 image, 1 box", "3 images, 6 boxes")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("map_50", "mAP50"),
        ("ar_small", "AR100 of small boxes"),
        ("class/traffic light/ap_50", "AP50 of traffic light"),
        ("slice/light=night/map_50", "mAP50 where light=night"),
        ("size/small/recall", "recall of small boxes"),
        ("error/missed/cost", "cost of missed errors"),
        ("calibration/d_ece", "D-ECE"),
        ("class/odd", "class/odd"),
        ("something_else", "something_else"),
    ],
)
def test_a_known_figure_is_written_as_people_write_it_and_another_as_it_is(name, text):
    assert metric_text(name) == text


@pytest.mark.parametrize(("value", "text"), [(0.5, "0.5"), (-0.02, "−0.02"), (-0.0, "0"), (1, "1"), (1e-06, "1e−06")])
def test_a_limit_has_no_trailing_zeros_and_a_proper_minus(value, text):
    assert number_text(value) == text


def test_an_estimate_is_shown_with_its_interval_where_it_has_one():
    assert estimate_text(an_estimate(0.612)) == "0.612 [0.562, 0.662]"
    assert estimate_text(an_estimate(0.612, reach=None)) == "0.612"
    assert estimate_text(None) == ABSENT


@pytest.mark.parametrize(
    ("value", "reach", "text"),
    [
        (0.043, 0.03, "+0.043 [+0.013, +0.073]"),
        (-0.01, 0.03, "−0.010 [−0.040, +0.020]"),
        (-0.0001, 0.0002, "0.000 [0.000, 0.000]"),
    ],
)
def test_a_difference_has_signs_but_nothing_has_none(value, reach, text):
    assert difference_text(an_estimate(value, reach=reach)) == text


@pytest.mark.parametrize(
    ("estimate", "signed", "text"),
    [
        (an_estimate(12.0, reach=4.6), False, "12 [7, 17]"),
        (an_estimate(-3.0, reach=4.0), True, "−3 [−7, +1]"),
        (an_estimate(2.0, reach=None), True, "+2"),
        (None, True, "0"),
    ],
)
def test_counts_are_whole(estimate, signed, text):
    assert counted_text(estimate, signed=signed) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (112, "112th"),
    ],
)
def test_ordinals_end_as_they_are_spoken(number, text):
    assert ordinal_text(number) == text


@pytest.mark.parametrize(("part", "text"), [(0.95, "95 %"), (0.995, "99.5 %")])
def test_a_fraction_is_shown_in_percent(part, text):
    assert percent_text(part) == text


@pytest.mark.parametrize(
    ("words", "text"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_words_are_listed_as_they_are_spoken(words, text):
    assert list_text(words) == text


@pytest.mark.parametrize(("milliseconds", "text"), [(12.345, "12.3 ms"), (140.2, "140 ms"), (None, ABSENT)])
def test_a_latency_is_shown_in_milliseconds(milliseconds, text):
    assert latency_text(milliseconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(312, "312 B"), (4100, "4.1 kB"), (12_300_000, "12.3 MB"), (1_200_000_000, "1.2 GB")]
)
def test_sizes_are_as_people_read_them(size: int, text: str) -> None:
    assert bytes_text(size) == text
