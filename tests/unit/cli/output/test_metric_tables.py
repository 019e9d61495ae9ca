"""Figures in a terminal: each with its interval, a dash for what is not known, and whether a difference is one."""

from dataclasses import replace

import pytest
from rich.console import Console

from cv_yolo.cli.output.metric_tables import print_comparison, print_evaluation
from cv_yolo.domain.evaluation.comparison import Comparison
from cv_yolo.domain.evaluation.evaluation import Evaluation
from tests.builders import FIGURES, a_comparison, a_curve, a_subject, an_estimate, an_evaluation

Capture = pytest.CaptureFixture[str]


def reported(capsys: Capture, evaluation: Evaluation, name: str = "e3_s320") -> list[str]:
    print_evaluation(Console(width=160, highlight=False), evaluation, name=name)
    return capsys.readouterr().out.splitlines()


def compared(capsys: Capture, comparison: Comparison, names: tuple[str, str] = ("old", "new")) -> list[str]:
    print_comparison(Console(width=160, highlight=False), comparison, names=names)
    return capsys.readouterr().out.splitlines()


def row(lines: list[str], name: str) -> list[str]:
    """The cells of the first row of that name."""
    line = next(line for line in lines if line.startswith(f"{name}  "))
    return line.removeprefix(name).split()


def test_an_evaluation_says_what_was_measured_on_what(capsys: Capture) -> None:
    lines = reported(capsys, an_evaluation())
    revision = a_subject().split_revision[:12]
    assert lines[0] == f"e3_s320 on 3 val images, 6 boxes (split revision {revision})"


def test_classes_that_were_left_out_are_named(capsys: Capture) -> None:
    subject = a_subject(detector_classes=("person", "dog", "[cat]"))
    text = " ".join(" ".join(reported(capsys, an_evaluation(subject=subject))).split())
    assert "Ignored, since the data set has no such class: dog, [cat]." in text
    assert "Ignored" not in " ".join(reported(capsys, an_evaluation()))


def test_each_figure_stands_beside_its_interval(capsys: Capture) -> None:
    lines = reported(capsys, an_evaluation())
    assert row(lines, "mAP50") == ["0.610", "0.560", "…", "0.660"]
    assert row(lines, "AR100") == ["0.500", "0.450", "…", "0.550"]
    assert row(lines, "F1") == ["0.640", "0.590", "…", "0.690"]
    assert row(lines, "small boxes") == ["0.200", "0.150", "…", "0.250"]
    assert row(lines, "localisation") == ["0.020", "-0.030", "…", "0.070"]


def test_a_figure_without_an_interval_has_a_dash_beside_it(capsys: Capture) -> None:
    figures = {"map_50": an_estimate(0.5, reach=None), "map_50_95": an_estimate(0.3)}
    lines = reported(capsys, an_evaluation(figures=figures, confidence_threshold=None))
    assert row(lines, "mAP50") == ["0.500", "–"]
    assert not any(line.startswith(("precision", "recall", "F1", "small boxes")) for line in lines)
    assert row(lines, "missed") == ["–", "–"]


def test_of_the_average_recalls_the_one_with_the_most_detections_is_shown(capsys: Capture) -> None:
    figures = {name: an_estimate(value) for name, value in FIGURES.items() if not name.startswith("ar_")}
    recalls = {"ar_5": an_estimate(0.3), "ar_300": an_estimate(0.4), "ar_20": an_estimate(0.35)}
    lines = reported(capsys, an_evaluation(figures=figures | recalls))
    assert row(lines, "AR300")[0] == "0.400"
    assert not any(line.startswith(("AR5", "AR20")) for line in lines)


def test_a_single_class_is_not_repeated_and_several_are_listed(capsys: Capture) -> None:
    assert "By class" not in reported(capsys, an_evaluation())
    figures = an_evaluation().figures | {"class/dog/ap_50": an_estimate(0.4)}
    curves = (a_curve(), a_curve(name="dog"))
    lines = reported(capsys, an_evaluation(figures=figures, curves=curves))
    assert "By class" in lines
    assert row(lines, "person: AP50")[0] == "0.610"
    assert row(lines, "dog: AP50")[0] == "0.400"
    assert row(lines, "dog: recall") == ["–", "–"]


def test_slices_are_shown_even_where_there_is_only_one(capsys: Capture) -> None:
    assert "By slice" not in reported(capsys, an_evaluation())
    figures = an_evaluation().figures | {"slice/scene=street/map_50": an_estimate(0.7)}
    lines = reported(capsys, an_evaluation(figures=figures, slices={"scene=street": 2}))
    assert "By slice" in lines
    assert row(lines, "scene=street: mAP50")[0] == "0.700"


def test_how_the_intervals_were_made_and_what_is_in_use_is_shown(capsys: Capture) -> None:
    assert reported(capsys, an_evaluation())[-1] == (
        "Intervals: 95%, bootstrap over images, 2000 resamples, seed 0. Confidence threshold: 0.310. "
        "Latency: 12.5 ms per image."
    )
    bare = an_evaluation(confidence_threshold=None, subject=a_subject(latency_ms=None))
    assert reported(capsys, bare)[-1] == "Intervals: 95%, bootstrap over images, 2000 resamples, seed 0."


def test_what_is_never_found_comes_first(capsys: Capture) -> None:
    lost = {"class/person/ap_50": an_estimate(0.0), "map_small": an_estimate(0.0)}
    lines = reported(capsys, an_evaluation(figures=an_evaluation().figures | lost))
    assert lines[:2] == [
        "Warning: 1 of 1 class is never detected: person (6 boxes)",
        "Warning: Small boxes are never detected",
    ]
    both = a_comparison()
    second = replace(both.second, figures=both.second.figures | lost)
    lines = compared(capsys, replace(both, second=second))
    assert lines[0] == "Warning: new: 1 of 1 class is never detected: person (8 boxes)"


def test_names_are_text_and_no_markup(capsys: Capture) -> None:
    assert reported(capsys, an_evaluation(), name="[red]mine[/]")[0].startswith("[red]mine[/] on ")
    lines = compared(capsys, a_comparison(), names=("[a]", "[b]"))
    assert lines[0].startswith("[b] compared with [a] on ")


def test_a_comparison_shows_both_the_difference_and_the_images_behind_it(capsys: Capture) -> None:
    lines = compared(capsys, a_comparison())
    assert lines[0].startswith("new compared with old on 4 test images, 8 boxes")
    first, second, difference, *_ = row(lines, "recall")
    assert (first, second, difference) == ("0.750", "0.875", "+0.125")
    assert "Images: 1 regression, 2 improvements." in lines


@pytest.mark.parametrize(
    ("value", "word"),
    [(0.06, ["better"]), (-0.06, ["worse"]), (0.04, ["within", "noise"]), (0.05, ["within", "noise"])],
)
def test_a_difference_is_one_where_its_interval_leaves_nothing_out(
    capsys: Capture, value: float, word: list[str]
) -> None:
    comparison = replace(a_comparison(), differences={"map_50": an_estimate(value)})
    assert row(compared(capsys, comparison), "mAP50")[-len(word) :] == word


def test_a_difference_without_an_interval_is_unknown_and_not_noise(capsys: Capture) -> None:
    lines = compared(capsys, replace(a_comparison(), differences={"map_50": an_estimate(0.327, reach=None)}))
    assert row(lines, "mAP50")[2:] == ["+0.327", "–", "unknown"]
    assert row(lines, "mAP50-95")[2:] == ["–", "–", "unknown"]


def test_a_figure_that_only_the_first_model_has_is_there_and_unknown(capsys: Capture) -> None:
    both = a_comparison()
    bare = replace(both.second, figures={}, confidence_threshold=None)
    lines = compared(capsys, replace(both, second=bare, differences={}))
    assert row(lines, "recall") == ["0.750", "–", "–", "–", "unknown"]
    assert "mAP50-95 by the size of the box" in lines


def test_what_two_models_score_alike_in_every_draw_is_unchanged(capsys: Capture) -> None:
    lines = compared(capsys, replace(a_comparison(), differences={"map_50": an_estimate(0.0, reach=0.0)}))
    assert row(lines, "mAP50")[-1] == "unchanged"


def test_an_error_that_costs_more_is_worse(capsys: Capture) -> None:
    comparison = replace(a_comparison(), differences={"error/missed/cost": an_estimate(0.06)})
    assert row(compared(capsys, comparison), "missed")[-1] == "worse"
