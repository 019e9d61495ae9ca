"""Figures as rows."""

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.reports.tables.metric_rows import (
    Scores,
    better_or_worse,
    class_rows,
    coco_rows,
    error_counts,
    error_rows,
    main_rows,
    meaning,
    of_comparison,
    of_decision,
    of_evaluation,
    size_rows,
    slice_rows,
)
from tests.builders import (
    a_champion,
    a_comparison_report,
    a_curve,
    a_decision,
    a_judgement,
    a_subject,
    an_estimate,
    an_evaluation,
    an_evaluation_report,
)


def pair(figures, differences, **changes):
    evaluation = an_evaluation(figures=figures, **changes)
    return Scores(names=("A", "B"), evaluations=(evaluation, evaluation), differences=differences)


def of_classes(*names, figure="ap_50", values=(), differences=(), truths=50):
    figures = {f"class/{name}/{figure}": an_estimate(value) for name, value in zip(names, values, strict=True)}
    apart = {f"class/{name}/{figure}": an_estimate(value) for name, value in zip(names, differences, strict=False)}
    curves = tuple(a_curve(name=name, truths=truths) for name in names)
    return figures, apart, {"subject": a_subject(classes=names), "curves": curves}


@pytest.mark.parametrize(
    ("difference", "higher", "lower"),
    [
        (an_estimate(0.1), "better", "worse"),
        (an_estimate(-0.1), "worse", "better"),
        (an_estimate(0.01), "", ""),
        (an_estimate(0.1, reach=None), "", ""),
        (None, "", ""),
    ],
)
def test_only_an_interval_beyond_zero_separates_two_models(difference, higher, lower):
    assert better_or_worse(difference) == higher
    assert better_or_worse(difference, higher_is_better=False) == lower


def test_a_comparison_has_both_values_and_the_difference_in_each_row():
    scores = of_comparison(a_comparison_report())
    row = main_rows(scores)[0]
    assert (scores.pair, scores.names, row.label) == (True, ("A", "B"), "mAP50")
    assert [value.value for value in row.values] == [scores.evaluations[n].figures["map_50"].value for n in (0, 1)]
    assert row.difference == scores.differences["map_50"]


def test_one_model_has_one_value_and_no_difference():
    scores = of_evaluation(an_evaluation_report())
    row = main_rows(scores)[0]
    assert (scores.pair, len(row.values), row.difference, row.better_or_worse) == (False, 1, None, "")


def test_main_figures_come_first_and_cocos_twelve_are_complete():
    scores = of_evaluation(an_evaluation_report())
    assert [row.label for row in main_rows(scores)] == ["mAP50", "mAP50-95", "mAP75", "precision", "recall", "F1"]
    assert len(coco_rows(scores)) == 12


def test_a_figure_that_no_model_has_is_no_row():
    assert [row.label for row in main_rows(pair({"recall": an_estimate()}, {}))] == ["recall"]


def test_sizes_are_shown_with_their_limits():
    rows = size_rows(of_evaluation(an_evaluation_report()))
    assert [(row.label, row.note) for row in rows] == [
        ("small boxes", "below 32² px"),
        ("medium boxes", "32² to 96² px"),
        ("large boxes", "above 96² px"),
    ]


def test_the_class_that_loses_most_comes_first_and_one_without_a_difference_last():
    figures, differences, changes = of_classes(
        "a", "b", "c", "d", values=(0.5, 0.6, 0.7, 0.8), differences=(0.1, -0.2, 0.0)
    )
    rows = class_rows(pair(figures, differences, **changes))
    assert [row.label for row in rows] == ["b", "c", "a", "d"]


def test_of_one_model_the_weakest_class_comes_first():
    figures, _, changes = of_classes("a", "b", values=(0.7, 0.5))
    rows = class_rows(Scores(names=("A",), evaluations=(an_evaluation(figures=figures, **changes),)))
    assert [row.label for row in rows] == ["b", "a"]


def test_a_class_with_few_boxes_says_so():
    for truths, note in ((19, "19 boxes: too few to be sure"), (20, "20 boxes"), (1, "1 box: too few to be sure")):
        figures, _, changes = of_classes("a", values=(0.7,), truths=truths)
        scores = Scores(names=("A",), evaluations=(an_evaluation(figures=figures, **changes),))
        assert class_rows(scores)[0].note == note


def test_a_slice_shows_how_many_images_it_has():
    figures = {f"slice/light={light}/map_50": an_estimate(value) for light, value in (("day", 0.8), ("night", 0.4))}
    evaluation = an_evaluation(figures=figures, slices={"light=day": 40, "light=night": 3})
    rows = slice_rows(Scores(names=("A",), evaluations=(evaluation,)))
    assert [(row.label, row.note) for row in rows] == [
        ("light=night", "3 images: too few to be sure"),
        ("light=day", "40 images"),
    ]


def test_errors_are_shown_with_what_they_mean_and_fewer_are_better():
    scores = pair({"error/missed/cost": an_estimate(0.1), "error/missed/count": an_estimate(9.0)},
                  {"error/missed/cost": an_estimate(-0.2), "error/missed/count": an_estimate(-4.0)})  # fmt: skip
    (cost,), (count,) = error_rows(scores), error_counts(scores)
    assert (cost.label, cost.better_or_worse) == ("missed", "better")
    assert cost.note == "an annotated object without a detection"
    assert count.better_or_worse == "better"


def test_a_decision_compares_the_champion_with_the_candidate():
    judgement = a_judgement(champion=an_evaluation(), differences={"map_50": an_estimate(0.1)})
    scores = of_decision(a_decision(champion=a_champion(), judgement=judgement))
    assert scores.names == ("champion e1_s320", "candidate e3_s320")
    assert scores.differences == judgement.differences
    assert scores.subject.subject.split is Split.TEST


def test_a_decision_without_a_champion_is_about_the_candidate_alone():
    assert of_decision(a_decision()).names == ("candidate e3_s320",)
    assert of_decision(a_decision(chosen=None)).names == ("candidate",)


def test_a_decision_that_asked_no_test_image_has_no_scores():
    assert of_decision(a_decision(judgement=None)) is None


@pytest.mark.parametrize(
    ("difference", "word"),
    [
        (an_estimate(0.327, reach=None), "unknown"),
        (None, "unknown"),
        (an_estimate(0.01), "within noise"),
        (an_estimate(0.0, reach=0.0), "unchanged"),
        (an_estimate(0.1), "better"),
    ],
)
def test_a_difference_without_an_interval_is_unknown(difference, word):
    assert meaning(difference) == word
