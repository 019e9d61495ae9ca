"""Values as short texts."""

from datetime import datetime, timedelta, timezone

import pytest

from cv_yolo.reports.text import (
    ABSENT,
    count_text,
    duration_text,
    escaped,
    images_and_boxes_text,
    metric_text,
    score_text,
    time_text,
)


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
def test_a_duration_is_told_in_the_units_that_suit_it(seconds, text):
    assert duration_text(seconds) == text


def test_a_time_is_told_in_utc_wherever_it_was_taken():
    in_paris = datetime(2025, 3, 4, 13, 30, 5, tzinfo=timezone(timedelta(hours=1)))
    assert time_text(in_paris) == "2025-03-04 12:30:05 UTC"


@pytest.mark.parametrize(("count", "text"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_a_count_agrees_with_its_noun(count, text):
    assert count_text(count, "image") == text


def test_boxes_have_a_plural_of_their_own():
    assert (images_and_boxes_text(1, 1), images_and_boxes_text(3, 6)) == ("1 image, 1 box", "3 images, 6 boxes")


def test_a_known_metric_is_written_as_people_write_it_and_another_as_it_is():
    assert (metric_text("map_50"), metric_text("map_75")) == ("mAP50", "map_75")


def test_what_html_would_read_as_its_own_is_escaped():
    assert escaped("<b a=\"1\" c='2'>&") == "&lt;b a=&quot;1&quot; c=&#x27;2&#x27;&gt;&amp;"


def test_control_characters_which_xml_forbids_become_spaces():
    assert escaped("a\x1b[31mb\x00\nc\ud800") == "a [31mb  c "
