"""The written decision as Markdown."""

import pytest

from cv_yolo.domain.promotion.checks import Outcome
from cv_yolo.reports.text.decision import decision_markdown
from cv_yolo.reports.text.sentences import certainty_sentences, verdict_sentence
from tests.builders import (
    a_champion,
    a_champion_check,
    a_check,
    a_curve,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_judgement,
    a_manifest,
    a_policy,
    a_row,
    a_subject,
    a_version,
    an_estimate,
    an_evaluation,
    another_test_set,
)

NASTY = "a|b <i>&amp; [x](y) `c` *d* _e_\nf"
HARMLESS = r"a\|b &lt;i>&amp;amp; \[x\](y) \`c\` \*d\* \_e\_ f"


def rows_of_table(markdown, heading):
    part = markdown.split(f"# {heading}\n\n", 1)[1]
    table = next(block for block in part.split("\n\n") if block.startswith("|"))
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def against_a_champion():
    figures = {"map_50": an_estimate(), "slice/light=day/map_50": an_estimate()}
    evaluation = an_evaluation(figures=figures, slices={"light=day": 40})
    judgement = a_judgement(candidate=evaluation, champion=evaluation, differences={"map_50": an_estimate(0.1)}, use=4)
    return a_decision_report(decision=a_decision(champion=a_champion(), judgement=judgement))


def test_what_was_decided_comes_first_then_how_sure_it_is_and_what_to_do_next():
    report = a_decision_report(decision=a_decision(champion=a_champion()))
    blocks = decision_markdown(report).split("\n\n")
    assert blocks[:2] == ["# Promoted to staging", f"**{verdict_sentence(report)}**"]
    assert blocks[3:5] == ["## How sure", " ".join(certainty_sentences(report)).replace("[", r"\[").replace("]", r"\]")]
    assert blocks[5:7] == ["## What to do next", "Nothing to do. To undo it: `cv-yolo rollback --stage staging`."]


def test_the_parts_follow_in_the_order_in_which_they_are_read():
    headings = [line for line in decision_markdown(a_decision_report()).splitlines() if line.startswith("#")]
    assert headings == [
        "# Promoted to staging",
        "## How sure",
        "## What to do next",
        "## Checks",
        "## Metrics",
        "### By class, AP50",
        "### Errors: what each type costs in mAP50",
        "## Runs",
        "## Data",
        "## Policy",
        "## Provenance",
    ]


def test_every_check_is_shown_with_what_was_required_and_measured():
    rows = rows_of_table(decision_markdown(a_decision_report()), "Checks")
    assert rows[1] == [
        "✓",
        "floor mAP50",
        "above 0.5",
        r"0.610 \[0.560, 0.660\]",
        "passed",
        r"mAP50 is 0.610 \[0.560, 0.660\]: above the floor of 0.5.",
    ]


def test_a_check_that_was_not_passed_stands_out_and_each_outcome_has_its_sign():
    decision = a_decision(checks=tuple(a_check(outcome=outcome) for outcome in Outcome))
    rows = rows_of_table(decision_markdown(a_decision_report(decision=decision)), "Checks")
    assert [(row[0], row[4]) for row in rows] == [
        ("✓", "passed"),
        ("✕", "**failed**"),
        ("?", "**undecided**"),
        ("◐", "**waived**"),
    ]


def test_the_figures_of_a_candidate_alone_have_their_intervals():
    markdown = decision_markdown(a_decision_report())
    assert "| Metric | candidate e3_s320 | Note |" in markdown
    assert "| mAP50 | 0.610 [0.560, 0.660] |  |" in markdown


def test_against_a_champion_the_difference_and_what_it_means_stand_beside_the_figures():
    markdown = decision_markdown(against_a_champion())
    assert "| Metric | champion e1_s320 | candidate e3_s320 | Difference | Meaning | Note |" in markdown
    rows = rows_of_table(markdown, "Metrics")
    assert rows[0][1:5] == ["0.610 [0.560, 0.660]", "0.610 [0.560, 0.660]", "+0.100 [+0.050, +0.150]", "better"]
    slices = rows_of_table(markdown, "By slice, mAP50")
    assert (slices[0][0], slices[0][4:]) == ("light=day", ["unknown", "40 images"])


def test_a_long_list_is_cut_and_counted():
    names = tuple(f"class {number}" for number in range(20))
    candidate = an_evaluation(
        subject=a_subject(classes=names),
        curves=tuple(a_curve(name=name) for name in names),
        figures={f"class/{name}/ap_50": an_estimate() for name in names},
    )
    decision = a_decision(judgement=a_judgement(candidate=candidate))
    markdown = decision_markdown(a_decision_report(decision=decision))
    assert len(rows_of_table(markdown, "By class, AP50")) == 12
    assert "The other 8 are on the page beside this file." in markdown


def test_a_worn_out_test_set_is_warned_of():
    markdown = decision_markdown(a_decision_report(decision=a_decision(judgement=a_judgement(use=21))))
    assert "**This is the 21st decision on this test set, and the policy allows 20:" in markdown


def test_other_test_images_than_those_of_the_last_decision_are_warned_of():
    markdown = decision_markdown(a_decision_report(decision=a_decision(data_findings=(another_test_set(),))))
    assert "\n\n**The last decision on this data set judged by other test images" in markdown


def test_a_decision_that_asked_no_test_image_has_no_figures():
    markdown = decision_markdown(a_decision_report(decision=a_decision(judgement=None)))
    assert "## Metrics" not in markdown
    assert "The test images were not used." in markdown


def test_the_table_holds_the_values_of_the_rows_best_first_and_marked():
    rows = rows_of_table(decision_markdown(a_decision_report()), "Runs")
    others = ["0.340", "0.720", "0.580", "0.310", "–", "3"]
    assert rows == [
        ["**e3_s320** (chosen, best on val)", "0.610 [0.560, 0.660]", "–", *others, "320 px", "41 s", "finished"],
        [
            "e3_s416 (within noise)",
            "0.580 [0.560, 0.660]",
            "+0.030 [−0.020, +0.080]",
            *others,
            "416 px",
            "41 s",
            "finished",
        ],
    ]


def test_val_is_shown_before_its_table():
    assert "## Runs\n\n2 runs are within noise of the best mAP50" in decision_markdown(a_decision_report())
    alone = a_decision(rows=(a_row(),), selection=None)
    assert "## Runs\n\n| Run |" in decision_markdown(a_decision_report(decision=alone))


def test_failed_runs_are_in_the_table_and_have_their_reasons():
    decision = a_decision(rows=(a_row(), a_failed_row()))
    markdown = decision_markdown(a_decision_report(decision=decision, failures={"e8_s640": "no weights"}))
    assert [row[0].split(" ")[0] for row in rows_of_table(markdown, "Runs")] == ["**e3_s320**", "e5_s416", "e8_s640"]
    assert "- **e5_s416** (failed): out of memory\n" in markdown
    assert "- **e8_s640** (failed): no weights\n" in markdown


def test_without_failures_nothing_is_said_about_them():
    assert "did not finish" not in decision_markdown(a_decision_report())


def test_every_record_can_be_found_again():
    report = a_decision_report()
    markdown = decision_markdown(report)
    identifiers = (
        *(row.run_id for row in report.decision.rows),
        report.decision.id,
        report.decision.judgement.candidate.id,
        report.pipeline_run,
        report.git_commit,
        report.manifest.revision,
        report.manifest.dvc_hash,
        report.version.weights_sha256,
    )
    assert all(f"`{identifier}`" in markdown for identifier in identifiers)
    assert "made at 2025-03-04 12:00:00 UTC" in markdown


def test_a_rejection_names_the_champion_that_stays():
    decision = a_decision(champion=a_champion(), checks=(a_champion_check(outcome=Outcome.FAILED),))
    markdown = decision_markdown(a_decision_report(decision=decision, version=a_version(version="4")))
    assert markdown.startswith(
        "# Rejected: not promoted to staging\n\n**Version 4 (run e3_s320) was registered but not"
    )
    assert "- Champion: version 2 (run e1_s320)" in markdown


def test_a_decision_with_nothing_chosen_is_written_all_the_same():
    decision = a_decision(
        rows=(a_failed_row(),), chosen=None, selection=None, judgement=None, checks=(a_check(outcome=Outcome.FAILED),)
    )
    markdown = decision_markdown(a_decision_report(decision=decision, version=None, runs=()))
    assert markdown.startswith("# Nothing to promote\n")
    assert "chosen" not in markdown
    assert "run-9" in markdown


def test_runs_on_other_data_are_warned_of():
    decision = a_decision(rows=(a_row(name="old", revision="f" * 64),), selection=None)
    markdown = decision_markdown(a_decision_report(decision=decision))
    assert "**Not scored on this revision of the data: old.**" in markdown


def test_what_markdown_and_html_would_read_as_their_own_is_made_harmless():
    decision = a_decision(rows=(a_row(name=NASTY), a_failed_row(reason=NASTY)))
    report = a_decision_report(decision=decision, failures={NASTY: NASTY}, manifest=a_manifest(name=NASTY))
    markdown = decision_markdown(report)
    assert f"| **{HARMLESS}** (chosen, best on val) |" in markdown
    assert f"- **e5_s416** (failed): {HARMLESS}" in markdown
    assert f"- **{HARMLESS}** (failed): {HARMLESS}" in markdown
    assert f"- Data set: {HARMLESS}" in markdown
    assert "<i>" not in markdown


def test_underscores_inside_of_words_stay_as_they_are():
    assert "e3_s320" in decision_markdown(a_decision_report())


@pytest.mark.parametrize(
    ("model", "code"), [("plain", "`plain`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("a\nb|c", "`a b|c`")]
)
def test_an_identifier_is_kept_as_it_is_whatever_it_holds(model, code):
    decision = a_decision(policy=a_policy(model=model))
    assert f"for the model {code}." in decision_markdown(a_decision_report(decision=decision))


def test_the_same_decision_is_written_the_same_way_twice():
    assert decision_markdown(against_a_champion()) == decision_markdown(against_a_champion())
