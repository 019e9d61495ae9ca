"""The pages of a comparison and of an evaluation."""

from dataclasses import replace

import numpy as np
import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from tests.builders import (
    a_comparison,
    a_comparison_report,
    a_curve,
    a_scored,
    a_subject,
    an_estimate,
    an_evaluation,
    an_evaluation_report,
)
from tests.unit.reports.parsed_pages import Page, asks_for_nothing


def compared(difference=None, **changes):
    found = a_comparison()
    if difference is not None:
        found = replace(found, differences=found.differences | {"map_50": difference})
    return comparison_html(a_comparison_report(comparison=replace(found, **changes)))


def evaluated(**changes):
    evaluation = an_evaluation(**({"subject": a_subject(split=Split.TEST)} | changes))
    return evaluation_html(an_evaluation_report(evaluation=evaluation))


def headings(html):
    return [part.split("</h2>")[0] for part in html.split("<h2>")[1:]]


@pytest.mark.parametrize(
    ("difference", "kind", "sentence"),
    [
        (an_estimate(0.1), "good", "B is better than A by 0.100 mAP50 [0.050, 0.150] on 4 test images"),
        (an_estimate(-0.1), "bad", "B is worse than A by 0.100 mAP50 [0.050, 0.150] on 4 test images"),
        (
            an_estimate(0.0),
            "open",
            "No significant difference between B and A: 0.000 mAP50 [−0.050, +0.050] on 4 test images",
        ),
    ],
)
def test_a_comparison_begins_with_one_sentence_and_a_sign_that_fits_it(difference, kind, sentence):
    html = compared(difference)
    assert f'<header class="banner {kind}">' in html
    assert f"<span>{sentence}</span></h1>" in html
    assert html.index("</h1>") < html.index("<h2>")


def test_the_small_print_names_method_and_thresholds():
    text = Page(compared(an_estimate(0.1))).text
    assert "95 % interval: bias-corrected and accelerated (BCa) bootstrap of 100 resamples" in text
    assert "Confidence threshold of both: 0.500." in text


def test_the_verdict_can_be_about_another_figure():
    html = comparison_html(a_comparison_report(metric="recall"))
    assert "recall" in html.split("</h1>")[0]


@pytest.mark.parametrize("html", [compared(), evaluated()])
def test_the_pages_need_nothing_but_themselves(html):
    assert asks_for_nothing(html)
    assert "2025-03-04 12:00:00 UTC" in Page(html).text


def test_the_parts_of_a_comparison_follow_from_the_whole_to_the_single_image():
    sliced = a_comparison(*(a_scored(number, slices={"light=day": np.arange(4) < 2}) for number in (0, 2)))
    html = comparison_html(a_comparison_report(comparison=sliced))
    assert headings(html) == [
        "Metrics", "By class", "By slice", "By size", "Errors", "Precision and recall", "Calibration", "Confusion",
        "Images", "Provenance",
    ]  # fmt: skip
    links = html.split("</nav>")[0].split("<nav ")[1].split(">", 1)[1]
    assert [link["href"] for link in Page(links).all("a")] == [
        "#metrics", "#classes", "#slices", "#sizes", "#errors", "#curves", "#calibration", "#confusion", "#images",
        "#provenance",
    ]  # fmt: skip


def test_an_evaluation_begins_with_what_the_model_scores():
    html = evaluated()
    assert "<span>B scores 0.610 mAP50 [0.560, 0.660] on 3 test images</span></h1>" in html
    assert '<header class="banner plain">' in html
    assert "Images with errors" in html


def test_what_could_not_be_measured_has_no_part():
    html = evaluated(figures={"map_50": an_estimate()}, curves=(), confusion={})
    assert headings(html) == ["Metrics", "Images", "Provenance"]


def test_of_many_classes_only_some_have_a_curve_and_the_rest_is_said_to_be_in_the_table():
    names = tuple(f"class {number}" for number in range(30))
    html = evaluated(
        subject=a_subject(split=Split.TEST, classes=names),
        curves=tuple(a_curve(name=name) for name in names),
        figures={f"class/{name}/ap_50": an_estimate() for name in names},
    )
    page = Page(html)
    assert page.count("chart") == 24
    assert "18 more classes" in page.text
    assert "The other 6 classes are only in the table above." in page.text


def test_of_many_comparisons_some_differ_by_chance_and_the_page_says_how_many():
    names = tuple(f"class {number}" for number in range(40))
    figures = {f"class/{name}/ap_50": an_estimate() for name in names}
    evaluation = an_evaluation(subject=a_subject(split=Split.TEST, classes=names), figures=figures)
    html = compared(first=evaluation, second=evaluation, differences=figures, changes=())
    assert "at 95 %: of 40 classes, about 2 would look better or worse by chance alone." in Page(html).text


def test_few_comparisons_need_no_such_warning():
    assert "by chance alone" not in compared()


def test_errors_are_counted_with_their_difference():
    text = Page(compared()).text
    assert "Number of errors of each type" in text
    assert "an annotated object without a detection" in text


def test_the_filters_of_the_images_are_rules_of_the_page():
    html = compared()
    assert (
        ".case:not(.k0-missed) { display: none }</style>" in html
        or ".case:not(.k0-missed)" in html.split("</style>")[0]
    )


def test_names_with_markup_are_text():
    html = comparison_html(a_comparison_report(first_name="<b>", second_name="<script>"))
    assert not {"b", "script"} & {tag for tag, _ in Page(html).tags}


def test_the_same_report_makes_the_same_page_twice():
    assert compared() == compared()
    assert evaluated() == evaluated()
