"""The written decision as a page."""

import base64
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from cv_yolo.domain.data.findings import Severity
from cv_yolo.domain.evaluation.intervals import Estimate
from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.reports.pages.decision import decision_html
from cv_yolo.reports.text.sentences import certainty_sentences, next_steps, verdict_sentence
from tests.builders import (
    a_champion,
    a_check,
    a_comparison,
    a_curve,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_judgement,
    a_policy,
    a_recorded_check,
    a_row,
    a_run,
    a_run_report,
    an_annotated_image,
    an_estimate,
    an_evaluation,
    another_test_set,
    some_thumbnails,
)
from tests.unit.reports.parsed_pages import SVG, Page, asks_for_nothing

NASTY = "<script>alert('1')</script>&\"|"
NOTHING = {"chosen": None, "selection": None, "judgement": None, "checks": (a_check(outcome=Outcome.FAILED),)}


def page_of(**changes):
    return Page(decision_html(a_decision_report(**changes)))


def banner_of(decision):
    html = decision_html(a_decision_report(decision=decision))
    return html.split('<header class="banner ')[1].split('"')[0], html.split("<h1>")[1].split("</h1>")[0]


def charts_of(html):
    return [ET.fromstring(svg) for svg in SVG.findall(html) if svg.startswith('<svg class="chart"')]


def against_a_champion(**changes):
    comparison = a_comparison()
    judgement = a_judgement(
        candidate=comparison.second, champion=comparison.first, differences=comparison.differences, use=2
    )
    decision = a_decision(champion=a_champion(), judgement=judgement)
    return a_decision_report(decision=decision, comparison=comparison, thumbnails=some_thumbnails(), **changes)


def test_the_page_needs_nothing_but_itself():
    assert asks_for_nothing(decision_html(a_decision_report()))
    assert asks_for_nothing(decision_html(against_a_champion()))


def test_what_was_decided_how_sure_it_is_and_what_to_do_next_come_before_everything_else():
    report = a_decision_report()
    html = decision_html(report)
    first = Page(html.split("</header>")[0].split("<main>")[1] + "</header>").text
    assert "Promoted to staging" in first
    assert verdict_sentence(report) in first
    assert all(sentence in first for sentence in certainty_sentences(report))
    assert all(step.replace("`", "") in first for step in next_steps(report))
    assert html.index("How sure") < html.index("What to do next") < html.index("<h2>")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (Outcome.PASSED, "good"),
        (Outcome.WAIVED, "open"),
        (Outcome.UNDECIDED, "open"),
        (Outcome.FAILED, "bad"),
    ],
)
def test_each_end_of_a_decision_looks_like_one(outcome, kind):
    found, heading = banner_of(a_decision(checks=(a_check(outcome=outcome),)))
    assert found == kind
    assert '<svg class="icon"' in heading


def test_the_four_outcomes_have_four_signs_and_four_words():
    checks = tuple(a_recorded_check(name=f"check {outcome}", outcome=outcome) for outcome in Outcome)
    html = decision_html(a_decision_report(decision=a_decision(checks=checks)))
    items = [item.split("</li>")[0] for item in html.split('<ul class="checks">')[1].split("<li ")[1:5]]
    assert len({SVG.findall(item)[0] for item in items}) == 4
    assert [
        f"check {outcome}</strong>: <em>{outcome}</em>" in item for outcome, item in zip(Outcome, items, strict=True)
    ] == [True] * 4


def test_a_check_shows_what_was_required_what_was_measured_and_its_sentence():
    text = page_of().text
    assert "Required: above 0.5. Measured: 0.610 [0.560, 0.660]." in text
    assert "mAP50 is 0.610 [0.560, 0.660]: above the floor of 0.5." in text


def test_a_measured_check_is_drawn_against_its_limit():
    def drawn(**changes):
        html = decision_html(a_decision_report(decision=a_decision(checks=(a_check(**changes),))))
        return html.split('<ul class="checks">')[1].split("</ul>")[0]

    assert drawn().count('class="limit"') == 1
    assert 'class="reach"' not in drawn(measured=Estimate(value=0.6))
    assert 'class="drawn"' not in drawn(measured=None)


def test_a_worn_out_test_set_is_warned_of():
    page = page_of(decision=a_decision(judgement=a_judgement(use=21)))
    assert page.count("warning") == 1
    assert "This is the 21st decision on this test set" in page.text


def test_other_test_images_than_those_of_the_last_decision_are_warned_of():
    for severity, kind in ((Severity.WARNING, "good"), (Severity.ERROR, "open")):
        decision = a_decision(data_findings=(another_test_set(severity),))
        assert page_of(decision=decision).count("warning") == 1
        assert "judged by other test images" in page_of(decision=decision).text
        assert banner_of(decision)[0] == kind


def test_the_parts_follow_in_the_order_in_which_they_are_read():
    html = decision_html(against_a_champion())
    assert [part.split("</h2>")[0] for part in html.split("<h2>")[1:]] == [
        "Checks", "Metrics", "By class", "By size", "Errors", "Precision and recall", "Calibration", "Confusion",
        "Images", "Runs", "Training", "Data", "Policy", "Provenance",
    ]  # fmt: skip


def test_the_candidate_stands_beside_the_champion_with_the_images_that_it_changes():
    html = decision_html(against_a_champion())
    page = Page(html)
    assert "champion e1_s320" in page.text
    assert "Regressions of candidate e3_s320" in page.text
    assert ".case:not(.k0-missed)" in html
    assert (len(page.all("image")), len(page.all("use"))) == (3, 3)


def test_without_a_champion_the_candidates_own_errors_are_shown():
    page = page_of(annotated=(an_annotated_image(),), thumbnails=some_thumbnails())
    assert "Images with errors" in page.text
    assert len(page.all("image")) == 1


def test_without_images_at_hand_the_figures_are_shown_all_the_same():
    html = decision_html(a_decision_report())
    assert "<h2>Metrics</h2>" in html
    assert "<h2>Images</h2>" not in html


def test_a_decision_that_asked_no_test_image_shows_only_runs_and_records():
    html = decision_html(a_decision_report(decision=a_decision(judgement=None)))
    assert "<h2>Metrics</h2>" not in html
    assert "<h2>Runs</h2>" in html


def test_the_table_has_a_caption_and_headings_and_marks_what_was_put_forward():
    html = decision_html(a_decision_report())
    runs = html.split('<section id="runs">')[1].split("</section>")[0]
    page = Page(runs)
    assert len(page.all("caption")) == 1
    assert [each["scope"] for each in page.all("th")] == ["col"] * 12 + ["row"] * 2
    assert '<tr class="best"><th scope="row">e3_s320 <small>chosen, best on val</small></th>' in runs
    assert "<td>0.610 <small>[0.560, 0.660]</small></td>" in runs
    assert "within noise" in page.text
    assert "2 runs are within noise of the best" in page.text


def test_a_wide_table_scrolls_in_a_container_that_the_keyboard_reaches():
    containers = [each for each in page_of().all("div") if each.get("class") == "scroll"]
    assert containers
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in containers)


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
    assert report.decision.judgement.candidate.id in text
    assert "2025-03-04 12:00:00 UTC" in text


def test_all_curves_are_well_formed_pictures_with_titles():
    charts = charts_of(decision_html(a_decision_report(decision=a_decision(judgement=None))))
    assert [chart.find("title").text.split(":")[0] for chart in charts] == [
        "Validation mAP50 by epoch",
        "Precision and recall",
        "Training loss",
        "Training loss",
        "Training loss",
    ]


def test_runs_without_curves_are_said_to_have_none():
    page = page_of(runs=(a_run_report(history={}, evaluation=None),), decision=a_decision(judgement=None))
    assert "No curves were recorded." in page.text
    assert page.count("chart") == 0


def test_an_evaluation_alone_is_enough_for_a_curve():
    page = page_of(runs=(a_run_report(history={}),), decision=a_decision(judgement=None))
    assert page.count("chart") == 1
    assert "trainer's own metrics" not in page.text
    assert "The marker is the operating point" in page.text


def test_losses_alone_are_enough_for_curves():
    runs = (a_run_report(history={"train/box_loss": ((1, 1.0),)}, evaluation=None),)
    page = page_of(runs=runs, decision=a_decision(judgement=None))
    assert page.count("chart") == 1
    assert "trainer's own metrics" in page.text


def test_the_curves_of_many_classes_are_folded_away():
    evaluation = an_evaluation(curves=tuple(a_curve(name=f"class {number}") for number in range(9)))
    page = page_of(runs=(a_run_report(evaluation=evaluation),), decision=a_decision(judgement=None))
    assert "5 more classes" in page.text
    assert page.count("chart") == 13


def test_the_chosen_runs_samples_are_inside_the_page_with_words_for_them():
    runs = (
        a_run_report(run=a_run(run_id="run-2", name="other"), samples_jpeg=b"another"),
        a_run_report(samples_jpeg=b"mine"),
    )
    page = page_of(runs=runs)
    (picture,) = page.all("img")
    assert picture["src"] == "data:image/jpeg;base64," + base64.b64encode(b"mine").decode()
    assert "e3_s320" in picture["alt"]
    assert "Sample predictions on the validation images" in page.text


def test_without_samples_there_is_no_picture():
    assert page_of(runs=(a_run_report(samples_jpeg=None),)).all("img") == []
    assert page_of(runs=()).all("img") == []


def test_a_decision_with_nothing_chosen_has_neither_figures_nor_samples():
    decision = a_decision(rows=(a_failed_row(run_id="run-1", status=RunStatus.STOPPED),), **NOTHING)
    page = page_of(decision=decision, version=None)
    assert "Nothing to promote" in page.text
    assert page.all("img") == []
    assert banner_of(decision)[0] == "bad"


def test_runs_on_other_data_are_warned_of():
    decision = a_decision(rows=(a_row(name="old", revision="f" * 64),), selection=None)
    assert "Not scored on this revision of the data: old." in page_of(decision=decision).text


def test_names_and_reasons_with_markup_are_text():
    decision = a_decision(
        rows=(a_row(name=NASTY), a_failed_row(name=NASTY, reason=NASTY)),
        selection=None,
        policy=a_policy(model=NASTY),
        checks=(
            a_recorded_check(name=NASTY, required=NASTY, measured=NASTY, sentence=NASTY, outcome=Outcome.UNDECIDED),
        ),
        accepted=NASTY,
    )
    report = a_decision_report(
        decision=decision,
        runs=(a_run_report(run=a_run(name=NASTY)),),
        failures={NASTY: NASTY},
        pipeline_run=NASTY,
        git_commit=NASTY,
    )
    html = decision_html(report)
    assert "<script" not in html
    assert NASTY in Page(html).text
    assert asks_for_nothing(html)


def test_figures_that_could_not_be_measured_are_no_rows():
    judgement = a_judgement(candidate=replace(a_judgement().candidate, figures={"map_50": an_estimate()}))
    figures = decision_html(a_decision_report(decision=a_decision(judgement=judgement)))
    assert "mAP75" not in figures


def test_the_same_decision_makes_the_same_page_twice():
    assert decision_html(against_a_champion()) == decision_html(against_a_champion())
