"""The written decision as Markdown."""

import pytest

from cv_yolo.reports.decision_markdown import decision_markdown
from cv_yolo.reports.wording import verdict_sentence
from tests.builders import (
    a_champion,
    a_check,
    a_decision,
    a_decision_report,
    a_failed_row,
    a_manifest,
    a_policy,
    a_row,
    a_version,
)

NASTY = "a|b <i>&amp; [x](y) `c` *d* _e_\nf"
HARMLESS = r"a\|b &lt;i>&amp;amp; \[x\](y) \`c\` \*d\* \_e\_ f"


def rows_of_table(markdown, heading):
    part = markdown.split(f"## {heading}\n\n", 1)[1]
    lines = part.split("\n\n", 1)[0].splitlines()
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_the_verdict_comes_first():
    report = a_decision_report()
    title, sentence = decision_markdown(report).split("\n\n")[:2]
    assert title == "# Promoted to staging"
    assert sentence == f"**{verdict_sentence(report)}**"


def test_the_parts_follow_in_the_order_in_which_they_are_read():
    headings = [line for line in decision_markdown(a_decision_report()).splitlines() if line.startswith("#")]
    assert headings == [
        "# Promoted to staging",
        "## Checks",
        "## How sure",
        "## Runs",
        "## What it was measured on",
        "## Policy",
        "## Provenance",
    ]


def test_every_check_is_told_with_what_was_required_and_measured():
    report = a_decision_report()
    rows = rows_of_table(decision_markdown(report), "Checks")
    assert rows == [
        [check.name, check.required, check.measured, "yes", check.sentence] for check in report.decision.checks
    ]


def test_a_check_that_was_not_passed_stands_out():
    decision = a_decision(checks=(a_check(), a_check(name="champion", passed=False)))
    rows = rows_of_table(decision_markdown(a_decision_report(decision=decision)), "Checks")
    assert [row[3] for row in rows] == ["yes", "**no**"]


def test_the_table_holds_the_values_of_the_rows_best_first_and_marked():
    rows = rows_of_table(decision_markdown(a_decision_report()), "Runs")
    assert rows == [
        ["**e3_s320** (best)", "3", "320 px", "0.610", "0.340", "0.720", "0.580", "0.310", "41 s", "finished"],
        ["e3_s416", "3", "416 px", "0.580", "0.340", "0.720", "0.580", "0.310", "41 s", "finished"],
    ]


def test_failed_runs_are_in_the_table_and_have_their_reasons():
    decision = a_decision(rows=(a_row(), a_failed_row()))
    markdown = decision_markdown(a_decision_report(decision=decision, failures={"e8_s640": "no weights"}))
    assert [row[0] for row in rows_of_table(markdown, "Runs")] == ["**e3_s320** (best)", "e5_s416", "e8_s640"]
    assert "- **e5_s416** (failed): out of memory\n" in markdown
    assert "- **e8_s640** (failed): no weights\n" in markdown


def test_without_failures_nothing_is_said_about_them():
    assert "did not finish" not in decision_markdown(a_decision_report())


def test_how_sure_names_the_number_of_images_and_the_missing_interval():
    markdown = decision_markdown(a_decision_report())
    assert "This decision compares point estimates on 3 validation images; it carries no interval." in markdown


def test_every_record_can_be_found_again():
    report = a_decision_report()
    markdown = decision_markdown(report)
    identifiers = (
        *(row.run_id for row in report.decision.rows),
        report.decision.id,
        report.pipeline_run,
        report.git_commit,
        report.manifest.revision,
        report.manifest.dvc_hash,
        report.version.weights_sha256,
    )
    assert all(f"`{identifier}`" in markdown for identifier in identifiers)
    assert "made at 2025-03-04 12:00:00 UTC" in markdown


def test_a_rejection_against_a_champion_names_the_champion():
    champion = a_champion(row=a_row(run_id="run-0", name="e9_s640", map_50=0.8))
    markdown = decision_markdown(
        a_decision_report(decision=a_decision(champion=champion), version=a_version(version="4"))
    )
    assert markdown.startswith("# Not promoted to staging\n\n**Version 4 (run e3_s320) was registered but not")
    assert "- Champion: version 2 (run e9_s640), mAP50 0.800" in markdown


def test_a_decision_with_nothing_chosen_is_written_all_the_same():
    report = a_decision_report(decision=a_decision(rows=(a_failed_row(),)), version=None, runs=())
    markdown = decision_markdown(report)
    assert markdown.startswith("# Nothing to promote\n")
    assert "(best)" not in markdown
    assert "run-9" in markdown


def test_runs_on_other_data_are_warned_of():
    decision = a_decision(rows=(a_row(name="old", revision="f" * 64),))
    markdown = decision_markdown(a_decision_report(decision=decision))
    assert "**Not scored on this revision of the data: old.**" in markdown


def test_what_markdown_and_html_would_read_as_their_own_is_made_harmless():
    decision = a_decision(rows=(a_row(name=NASTY), a_failed_row(reason=NASTY)))
    report = a_decision_report(decision=decision, failures={NASTY: NASTY}, manifest=a_manifest(name=NASTY))
    markdown = decision_markdown(report)
    assert f"| **{HARMLESS}** (best) |" in markdown
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
    assert decision_markdown(a_decision_report()) == decision_markdown(a_decision_report())
