"""What a model never finds is the first line of every summary."""

import json
from dataclasses import replace

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.reports.pages.comparison import comparison_html, evaluation_html
from cv_yolo.reports.pages.decision import decision_html
from cv_yolo.reports.pages.summary import summary_html
from cv_yolo.reports.text.decision import decision_markdown
from cv_yolo.reports.text.gaps import beside_title, gap_sentences, gap_title, gaps_json, missing_names
from cv_yolo.reports.text.sentences import next_steps, verdict_sentence, verdict_title
from tests.builders import (
    a_check,
    a_comparison,
    a_comparison_report,
    a_decision,
    a_decision_report,
    a_judgement,
    a_manifest,
    a_run_report,
    an_estimate,
    an_evaluation,
    an_evaluation_report,
)
from tests.unit.domain.evaluation.test_gaps import ALL, of

LOST = of(
    ALL | {"class/helmet/ap_50": 0.0, "class/vest/ap_50": 0.0, "map_50": 0.3},
    boxes={"helmet": 69},
)
SAID = "2 of 3 classes are never detected: helmet (69 boxes), vest (12 boxes)"
PROMOTED = a_decision(judgement=a_judgement(candidate=LOST))
REJECTED = a_decision(judgement=a_judgement(candidate=LOST), checks=(a_check(outcome=Outcome.FAILED),))


def heading(html):
    return html.partition("<h1>")[2].partition("</h1>")[0]


def test_classes_are_counted_and_named_with_their_boxes():
    assert gap_sentences(LOST) == (SAID,)
    assert gap_title(LOST) == SAID
    assert missing_names(LOST) == "helmet, vest"


def test_where_all_is_found_nothing_is_said():
    assert (gap_sentences(an_evaluation()), gap_title(an_evaluation()), gap_title(None)) == ((), "", "")
    assert beside_title(None) == beside_title(an_evaluation()) == ()
    assert gaps_json(None) == {"warnings": [], "gaps": []}


@pytest.mark.parametrize(
    ("evaluation", "sentence"),
    [
        (of({"class/a/ap_50": 0.0}, classes=("a",), boxes={"a": 1}), "1 of 1 class is never detected: a (1 box)"),
        (
            of({"class/a/ap_50": 0.5}, classes=("a", "b"), boxes={"b": 0}),
            "1 of 2 classes is not measured: b (no boxes in val)",
        ),
        (of({"class/a/ap_50": 0.5}, classes=("a", "b")), "1 of 2 classes is not measured: b (12 boxes)"),
        (
            of(ALL | {"class/vest/recall": 0.0}),
            "1 of 3 classes is not detected at the confidence threshold: vest (12 boxes)",
        ),
        (
            of(ALL | {"slice/light=night/map_50": 0.0}, slices={"light=night": 1, "light=day": 3}),
            "1 of 2 slices is never detected: light=night (1 image)",
        ),
        (of(ALL | {"map_small": 0.0, "map_large": 0.0}), "Large and small boxes are never detected"),
    ],
)
def test_every_gap_has_its_sentence(evaluation, sentence):
    if "light=night" in sentence:
        evaluation = replace(evaluation, figures=evaluation.figures | {"slice/light=day/map_50": an_estimate(0.5)})
    assert gap_sentences(evaluation) == (sentence,)
    assert gap_title(evaluation) == sentence[0].lower() + sentence[1:]


def test_a_long_list_is_cut_and_shorter_in_a_title():
    names = tuple(f"c{number:02}" for number in range(20))
    evaluation = of({f"class/{name}/ap_50": 0.0 for name in names}, classes=names)
    assert gap_title(evaluation).endswith("c02 (12 boxes) and 17 more")
    assert gap_sentences(evaluation)[0].endswith("c11 (12 boxes) and 8 more")
    assert missing_names(evaluation) == "c00, c01, c02 and 17 more"


def test_a_title_names_slices_and_sizes_only_where_no_class_is_missing():
    both = of(ALL | {"class/vest/ap_50": 0.0, "map_small": 0.0})
    assert gap_title(both) == "1 of 3 classes is never detected: vest (12 boxes)"
    assert gap_sentences(both)[1] == "Small boxes are never detected"
    assert beside_title(both) == ("Small boxes are never detected",)
    assert missing_names(of(ALL | {"map_small": 0.0})) == "small boxes"


def test_the_title_of_a_decision_names_them():
    assert verdict_title(PROMOTED) == f"Promoted to staging, but {SAID}"
    assert verdict_title(REJECTED) == f"Rejected: not promoted to staging; {SAID}"


def test_a_promotion_says_that_the_policy_did_not_ask_for_them_and_that_there_is_something_to_do():
    report = a_decision_report(decision=PROMOTED)
    assert verdict_sentence(report).endswith("it passed all 2 checks; the policy does not require helmet, vest.")
    assert not any("Nothing to do" in step for step in next_steps(report))
    assert next_steps(report)[0].startswith("Check the labels and the training images of helmet, vest, and train again")
    assert "`required_classes`" in next_steps(report)[0]


def test_a_rejected_candidate_is_improved_as_its_checks_say():
    assert "required_classes" not in " ".join(next_steps(a_decision_report(decision=REJECTED)))


def test_the_first_line_of_the_markdown_names_them():
    lines = decision_markdown(a_decision_report(decision=PROMOTED)).splitlines()
    assert lines[0] == f"# Promoted to staging, but {SAID}"
    both = replace(LOST, figures=LOST.figures | {"map_small": an_estimate(0.0)})
    judged = a_decision(judgement=a_judgement(candidate=both))
    assert "- Small boxes are never detected" in decision_markdown(a_decision_report(decision=judged)).splitlines()


def test_the_heading_of_the_page_names_them_and_a_warning_says_what_it_cuts():
    html = decision_html(a_decision_report(decision=PROMOTED))
    assert SAID in heading(html)
    names = tuple("abcde")
    many = of({f"class/{name}/ap_50": 0.0 for name in names}, classes=names)
    cut = decision_html(a_decision_report(decision=a_decision(judgement=a_judgement(candidate=many))))
    assert "c (12 boxes) and 2 more" in heading(cut)
    assert "d (12 boxes), e (12 boxes).</p>" in cut
    assert f"<title>Promoted to staging, but {SAID}" in html


def test_no_page_is_green_whose_title_names_what_is_missing():
    green, amber = '<header class="banner good">', '<header class="banner open">'
    assert amber in decision_html(a_decision_report(decision=PROMOTED))
    assert green in decision_html(a_decision_report())
    assert '<header class="banner bad">' in decision_html(a_decision_report(decision=REJECTED))


def test_the_pages_of_an_evaluation_and_a_comparison_name_them():
    assert heading(evaluation_html(an_evaluation_report(evaluation=LOST))).endswith(f"; {SAID}</span>")
    found = a_comparison()
    lost = replace(found.second, figures=found.second.figures | {"class/person/ap_50": an_estimate(0.0)})
    html = comparison_html(a_comparison_report(comparison=replace(found, second=lost)))
    assert "1 of 1 class is never detected: person (8 boxes)</span>" in heading(html)
    first = replace(found.first, figures=found.first.figures | {"class/person/ap_50": an_estimate(0.0)})
    html = comparison_html(a_comparison_report(comparison=replace(found, first=first)))
    assert "1 of 1 class is never detected: person (8 boxes).</p>" in html


def test_the_summary_names_what_no_run_finds_and_what_each_does_not():
    found = of(ALL | {"class/vest/ap_50": 0.0})
    runs = (a_run_report(evaluation=LOST), a_run_report(evaluation=found), a_run_report(evaluation=None))
    html = summary_html(runs, a_manifest(), {})
    assert heading(html).endswith(": no run detects vest")
    assert f'<p class="warning">e3_s320: {SAID}.</p>' in html
    whole = summary_html((a_run_report(),), a_manifest(), {})
    assert heading(whole) == "1 run on tiny_coco"
    assert heading(summary_html((a_run_report(evaluation=None),), a_manifest(), {})) == "1 run on tiny_coco"


def test_machines_get_the_sentences_and_the_data():
    said = json.loads(json.dumps(gaps_json(LOST)))
    assert said["warnings"] == [SAID]
    assert said["gaps"][0] == {"group": "class", "name": "helmet", "kind": "never found", "count": 69}
