"""The runs' curves."""

from xml.etree import ElementTree as ET

import pytest

from cv_yolo.reports.charts.curves import compared_charts, loss_charts, precision_recall_charts, score_chart
from cv_yolo.reports.tables.metric_rows import of_comparison, of_evaluation
from tests.builders import a_comparison_report, a_curve, a_run, a_run_report, an_evaluation, an_evaluation_report


def named(name, **changes):
    return a_run_report(run=a_run(run_id=f"id of {name}", name=name), **changes)


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("text")]


def annotated(svg):
    return [title.text for path in ET.fromstring(svg).iter("path") for title in path.iter("title")]


def points(svg):
    return [line.get("points").split() for line in ET.fromstring(svg).iter("polyline")]


def test_validation_scores_have_one_chart_with_a_line_for_each_run():
    svg = score_chart((named("first"), named("second")))
    assert {"first", "second", "Validation mAP50 by epoch"} <= set(texts(svg))
    assert [len(line) for line in points(svg)] == [3, 3]


def test_every_epoch_of_a_short_training_is_marked_with_its_value():
    assert annotated(score_chart((named("first"),))) == ["first: 0.200 at 1", "first: 0.450 at 2", "first: 0.600 at 3"]


def test_of_a_long_training_only_the_last_epoch_is_marked():
    history = {"val/map_50": tuple((epoch, epoch / 100) for epoch in range(1, 31))}
    assert annotated(score_chart((named("long", history=history),))) == ["long: 0.300 at 30"]


def test_each_loss_has_a_chart_of_its_own():
    titles = [ET.fromstring(svg).find("title").text for svg in loss_charts((named("first"),))]
    assert [title.rsplit(" ", 1)[1] for title in titles] == ["(box)", "(cls)", "(dfl)"]


def test_what_no_run_recorded_has_no_chart():
    runs = (named("first", history={"train/box_loss": ((1, 1.0),)}), named("second", history={}))
    assert score_chart(runs) is None
    assert len(loss_charts(runs)) == 1


def test_a_run_keeps_its_colour_where_another_run_has_no_curve():
    svg = score_chart((named("failed", history={}), named("good")))
    assert 'class="slot-1"' in svg
    assert 'class="slot-0"' not in svg


def test_precision_by_recall_marks_where_the_run_operates():
    (svg,) = precision_recall_charts((named("first"),))
    assert annotated(svg) == ["first: 0.720 at 0.58"]
    assert "Precision and recall: person" in texts(svg)


def test_precision_is_drawn_up_to_the_first_recall_that_is_not_reached():
    partly, fully = (*(1.0,) * 80, *(0.0,) * 21), (0.5,) * 101
    runs = tuple(
        named(name, evaluation=an_evaluation(curves=(a_curve(precision=precisions),)))
        for name, precisions in (("partly", partly), ("fully", fully))
    )
    (svg,) = precision_recall_charts(runs)
    assert [len(line) for line in points(svg)] == [81, 101]


def test_each_class_has_its_chart_with_the_point_where_the_run_operates_on_this_class():
    both = an_evaluation(curves=(a_curve(), a_curve(name="dog")))
    charts = precision_recall_charts((named("first", evaluation=both), named("failed", evaluation=None)))
    assert [ET.fromstring(svg).find("title").text.rsplit(" ", 1)[1] for svg in charts] == ["person", "dog"]
    assert [annotated(svg) for svg in charts] == [["first: 0.720 at 0.58"], []]
    assert all("failed" not in texts(svg) for svg in charts)


def test_a_class_that_a_run_was_not_scored_on_has_no_line_of_that_run():
    runs = (named("persons"), named("dogs", evaluation=an_evaluation(curves=(a_curve(name="dog"),))))
    assert [("persons" in texts(svg), "dogs" in texts(svg)) for svg in precision_recall_charts(runs)] == [
        (True, False),
        (False, True),
    ]


def test_the_text_alternative_of_a_chart_names_its_precision_at_some_recalls_and_where_it_ends():
    (svg,) = precision_recall_charts((named("first"),))
    assert ET.fromstring(svg).find("desc").text == (
        "first: precision 0.900 at recall 0.20, 0.750 at recall 0.50; the curve ends at recall 0.79."
    )


def test_a_class_that_is_never_detected_has_no_line_and_the_chart_says_so():
    blind = named("blind", evaluation=an_evaluation(curves=(a_curve(precision=(0.0,) * 101),)))
    (alone,), (beside,) = precision_recall_charts((blind,)), precision_recall_charts((blind, named("seeing")))
    assert {"never detected", "blind: never detected"} <= set(texts(alone))
    assert points(alone) == []
    assert annotated(alone) == []
    assert {"blind: never detected", "seeing"} <= set(texts(beside))
    assert "never detected" not in texts(beside)
    assert len(points(beside)) == 1


@pytest.mark.parametrize(
    ("precision", "reported"),
    [
        ((0.0,) * 101, "blind: no correct detection."),
        ((1.0,) * 5 + (0.0,) * 96, "blind: precision 1.000 at recall 0.00; the curve ends at recall 0.04."),
    ],
)
def test_a_curve_that_ends_early_is_shown_as_far_as_it_goes(precision, reported):
    blind = named("blind", evaluation=an_evaluation(curves=(a_curve(precision=precision),)))
    (svg,) = precision_recall_charts((blind,))
    assert ET.fromstring(svg).find("desc").text == reported


def test_two_models_are_drawn_with_the_bands_in_which_they_lie():
    (svg,) = compared_charts(of_comparison(a_comparison_report()))
    bands = list(ET.fromstring(svg).iter("polygon"))
    assert [len(band.get("points").split()) for band in bands] == [202, 202]
    assert {"A", "B"} <= set(texts(svg))


def test_one_model_is_drawn_in_the_colour_of_the_second():
    (svg,) = compared_charts(of_evaluation(an_evaluation_report()))
    assert 'class="slot-0"' in svg
    assert 'class="slot-6"' not in svg


def test_without_an_evaluation_there_is_no_chart():
    assert precision_recall_charts((named("failed", evaluation=None),)) == ()
