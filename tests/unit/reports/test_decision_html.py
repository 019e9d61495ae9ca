"""The written decision as a page."""

import base64
from xml.etree import ElementTree as ET

from cv_yolo.domain.runs import RunStatus
from cv_yolo.reports.decision_html import decision_html
from cv_yolo.reports.wording import verdict_sentence
from tests.builders import (
    a_champion,
    a_check,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_policy,
    a_row,
    a_run,
    a_run_report,
    an_evaluation,
    class_scores,
)
from tests.unit.reports.pages import SVG, Page, asks_for_nothing

NASTY = "<script>alert('1')</script>&\"|"


def page_of(**changes):
    return Page(decision_html(a_decision_report(**changes)))


def test_the_page_needs_nothing_but_itself():
    assert asks_for_nothing(decision_html(a_decision_report()))


def test_the_verdict_comes_first():
    report = a_decision_report()
    html = decision_html(report)
    assert html.index("<h1>Promoted to staging</h1>") < html.index("<h2>")
    assert verdict_sentence(report) in Page(html).text
    assert '<header class="banner promote">' in html


def test_a_rejection_looks_like_one():
    html = decision_html(a_decision_report(decision=a_decision(policy=a_policy(floor=0.9))))
    assert '<header class="banner reject">' in html
    assert "<h1>Not promoted to staging</h1>" in html


def test_checks_are_marked_in_words_as_well_as_in_colour():
    checks = (a_check(), a_check(name="champion", passed=False, sentence="It stays."))
    page = page_of(decision=a_decision(checks=checks))
    assert (page.count("passed"), page.count("failed")) == (1, 1)
    assert "floor: passed" in page.text
    assert "champion: not passed" in page.text
    assert "It stays." in page.text
    assert "Required: map_50 > 0.5. Measured: 0.6100." in page.text


def test_the_table_has_a_caption_and_headings_and_marks_the_best():
    html = decision_html(a_decision_report())
    page = Page(html)
    assert len(page.all("caption")) == 1
    assert [each["scope"] for each in page.all("th")] == ["col"] * 10 + ["row"] * 2
    assert '<tr class="best"><th scope="row">e3_s320 <small>best</small></th><td>3</td><td>320 px</td>' in html
    assert "<td>0.610</td><td>0.340</td><td>0.720</td><td>0.580</td><td>0.310</td><td>41 s</td>" in html


def test_a_wide_table_scrolls_in_a_container_that_the_keyboard_reaches():
    (container,) = [each for each in page_of().all("div") if each.get("class") == "scroll"]
    assert container["tabindex"] == "0"
    assert container["aria-label"]


def test_failed_runs_are_shown_with_their_reasons():
    decision = a_decision(rows=(a_row(), a_failed_row()))
    page = page_of(decision=decision, failures={"e8_s640": "no weights"})
    assert page.count("unproven") == 2
    assert "e5_s416 (failed): out of memory" in page.text
    assert "e8_s640 (failed): no weights" in page.text


def test_a_run_that_finished_needs_no_reason():
    page = page_of()
    assert "did not finish" not in page.text
    assert page.count("unproven") == 0


def test_every_record_can_be_found_again():
    report = a_decision_report()
    text = Page(decision_html(report)).text
    records = (report.decision.id, report.pipeline_run, report.git_commit, report.manifest.revision, "run-1", "run-2")
    assert all(record in text for record in records)
    assert "2025-03-04 12:00:00 UTC" in text


def test_how_sure_is_told():
    assert "point estimates on 3 validation images; it carries no interval." in page_of().text


def test_all_curves_are_well_formed_pictures_with_titles():
    charts = [ET.fromstring(svg) for svg in SVG.findall(decision_html(a_decision_report()))]
    assert [chart.find("title").text.split(":")[0] for chart in charts] == [
        "Validation mAP50 by epoch",
        "Precision and recall",
        "Training loss",
        "Training loss",
        "Training loss",
    ]


def test_runs_without_curves_are_said_to_have_none():
    page = page_of(runs=(a_run_report(history={}, evaluation=None),))
    assert "No curves were recorded." in page.text
    assert page.all("svg") == []


def test_an_evaluation_alone_is_enough_for_a_curve():
    page = page_of(runs=(a_run_report(history={}),))
    assert len(page.all("svg")) == 1
    assert "trainer's own measurements" not in page.text
    assert "The mark is where the run operates" in page.text


def test_losses_alone_are_enough_for_curves():
    page = page_of(runs=(a_run_report(history={"train/box_loss": ((1, 1.0),)}, evaluation=None),))
    assert len(page.all("svg")) == 1
    assert "trainer's own measurements" in page.text


def test_with_several_classes_the_common_operating_point_is_explained():
    evaluation = an_evaluation(per_class=(class_scores(), class_scores(name="dog")))
    assert "common to all classes" in page_of(runs=(a_run_report(evaluation=evaluation),)).text


def test_the_chosen_runs_samples_are_inside_the_page_with_words_for_them():
    runs = (
        a_run_report(run=a_run(run_id="run-2", name="other"), samples_jpeg=b"another"),
        a_run_report(samples_jpeg=b"mine"),
    )
    page = page_of(runs=runs)
    (picture,) = page.all("img")
    assert picture["src"] == "data:image/jpeg;base64," + base64.b64encode(b"mine").decode()
    assert "e3_s320" in picture["alt"]
    assert "Sample predictions of e3_s320" in page.text


def test_without_samples_there_is_no_picture():
    assert page_of(runs=(a_run_report(samples_jpeg=None),)).all("img") == []


def test_a_decision_with_nothing_chosen_has_neither_figures_nor_samples():
    decision = a_decision(rows=(a_failed_row(run_id="run-1", status=RunStatus.STOPPED),))
    page = page_of(decision=decision, version=None)
    assert "Nothing to promote" in page.text
    assert page.count("figures") == 0
    assert page.all("img") == []


def test_figures_that_could_not_be_computed_are_dashes():
    html = decision_html(a_decision_report(decision=a_decision(rows=(a_row(scores={"map_50": 0.6}),))))
    assert "<dt>mAP50</dt><dd>0.600</dd>" in html
    assert "<dt>precision</dt><dd>–</dd>" in html


def test_the_champion_is_named():
    assert "version 2 (run e1_s320), mAP50 0.550" in page_of(decision=a_decision(champion=a_champion())).text


def test_runs_on_other_data_are_warned_of():
    decision = a_decision(rows=(a_row(name="old", revision="f" * 64),))
    assert "Not scored on this revision of the data: old." in page_of(decision=decision).text


def test_names_and_reasons_with_markup_are_text():
    decision = a_decision(
        rows=(a_row(name=NASTY), a_failed_row(name=NASTY, reason=NASTY)), policy=a_policy(model=NASTY)
    )
    html = decision_html(
        a_decision_report(
            decision=decision,
            runs=(a_run_report(run=a_run(name=NASTY)),),
            failures={NASTY: NASTY},
            pipeline_run=NASTY,
            git_commit=NASTY,
        )
    )
    assert "<script" not in html
    assert NASTY in Page(html).text
    assert asks_for_nothing(html)


def test_the_same_decision_makes_the_same_page_twice():
    assert decision_html(a_decision_report()) == decision_html(a_decision_report())
