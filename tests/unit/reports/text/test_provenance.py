"""Labelled facts about the data, the policy and the provenance."""

from dataclasses import replace

import pytest

from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.promotion.policy import Rule
from cv_yolo.reports.tables.metric_rows import of_comparison, of_evaluation
from cv_yolo.reports.text.provenance import (
    data_facts,
    evaluation_facts,
    other_data,
    policy_facts,
    provenance_facts,
    run_facts,
)
from tests.builders import (
    a_champion,
    a_comparison_report,
    a_decision,
    a_decision_report,
    a_gate,
    a_manifest,
    a_policy,
    a_row,
    a_subject,
    an_evaluation,
    an_evaluation_report,
    an_image,
)


def values(facts):
    return {fact.label: fact.value for fact in facts}


def test_the_data_are_named_counted_and_pinned():
    manifest = a_manifest(classes=("person", "dog"))
    assert values(data_facts(manifest)) == {
        "Data set": "tiny_coco",
        "Classes": "person, dog",
        "Trained on": "split train: 4 images, 8 boxes",
        "Chosen on": "split val: 3 images, 6 boxes",
        "Judged on": "split test: no images",
        "Revision": manifest.revision,
        "DVC hash": "0123456789abcdef0123456789abcdef.dir",
        "Recorded by DVC": "yes, with this content",
    }


def test_test_images_are_counted_as_those_that_judge():
    images = (*a_manifest().images, an_image(split=Split.TEST, image="images/test/1.jpg"))
    assert values(data_facts(a_manifest(images=images)))["Judged on"] == "split test: 1 image, 2 boxes"


def test_content_that_dvc_has_not_recorded_is_not_called_recorded():
    assert values(data_facts(a_manifest(versioned=False)))["Recorded by DVC"] == "no, its content has changed"


def test_a_folder_that_dvc_does_not_know_has_no_hash():
    facts = values(data_facts(a_manifest(dvc_hash=None, versioned=False)))
    assert facts["DVC"] == "this folder is not tracked"
    assert "DVC hash" not in facts


def test_identifiers_are_marked_as_exact_and_sentences_are_not():
    exact = {fact.label for fact in data_facts(a_manifest()) if fact.exact}
    assert exact == {"Revision", "DVC hash"}


def test_runs_on_other_data_are_named():
    rows = (a_row(), a_row(run_id="run-2", name="old", revision="f" * 64), a_row(run_id="run-3", revision=None))
    assert other_data(rows, a_manifest()) == "Not scored on this revision of the data: old."


def test_runs_on_the_same_data_need_no_warning():
    assert other_data((a_row(),), a_manifest()) is None


def test_the_policy_is_shown_with_its_gate_its_test_set_and_its_file():
    assert values(policy_facts(a_decision())) == {
        "Model": "cv_yolo_tiny",
        "Chosen among runs": "the cheapest run within noise of the best mAP50 on val",
        "Gate into": "staging",
        "Against the champion": "mAP50 not worse by more than 0.02",
        "Floor of mAP50": "lower bound above 0.5",
        "Champion": "none at the time of the decision",
        "Test images": "at least 30; at most 20 decisions on the same images",
        "Intervals": "95 %, 2000 resamples, seed 0",
        "Policy file": "policy.yaml",
        "Policy (SHA-256)": "c" * 64,
    }


def test_everything_that_a_gate_asks_for_is_shown():
    gate = a_gate(
        rule=Rule.SUPERIORITY,
        class_margin=0.1,
        slice_margin=0.05,
        floors={"class/dog/recall": 0.3},
        max_latency_ms=20.0,
        max_size_bytes=9_000_000,
        provisional=True,
    )
    facts = values(policy_facts(a_decision(policy=a_policy(gate=gate, source="", sha256=""))))
    assert facts["Against the champion"] == "mAP50 better"
    assert facts["Each class"] == "not shown to be worse by more than 0.1"
    assert facts["Each slice"] == "not shown to be worse by more than 0.05"
    assert facts["Floor of recall of dog"] == "lower bound above 0.3"
    assert facts["Latency"] == "at most 20 ms per image"
    assert facts["Size"] == "at most 9000000 bytes"
    assert "fewer test images" in facts["Provisional"]
    assert facts["Policy file"] == facts["Policy (SHA-256)"] == "–"


def test_the_champion_is_shown_with_version_and_run():
    assert values(policy_facts(a_decision(champion=a_champion())))["Champion"] == "version 2 (run e1_s320)"
    provisional = a_decision(champion=a_champion(provisional=True))
    assert values(policy_facts(provisional))["Champion"] == "version 2 (run e1_s320), provisional"


def test_the_provenance_leads_to_every_record():
    report = a_decision_report()
    assert values(provenance_facts(report)) == {
        "Decision": "decision-7",
        "Made at": "2025-03-04 12:00:00 UTC",
        "ZenML pipeline run": report.pipeline_run,
        "Git commit": report.git_commit,
        "Git working tree": "clean",
        "Version": "3 of cv_yolo_tiny",
        "Weights (SHA-256)": "a" * 64,
        "MLflow run of e3_s320": "run-1",
        "MLflow run of e3_s416": "run-2",
    }


def test_uncommitted_changes_and_missing_origins_are_shown():
    facts = values(provenance_facts(a_decision_report(git_dirty=True, git_commit="", pipeline_run="", version=None)))
    assert facts["Git working tree"] == "with uncommitted changes"
    assert facts["Git commit"] == facts["ZenML pipeline run"] == "–"
    assert "Version" not in facts


def test_two_runs_of_the_same_name_keep_their_own_ids():
    facts = run_facts((a_row(run_id="run-1"), a_row(run_id="run-2")))
    assert [fact.value for fact in facts] == ["run-1", "run-2"]


def test_each_evaluation_is_shown_with_its_data_its_weights_and_its_predictor():
    report = a_comparison_report()
    facts = values(evaluation_facts(of_comparison(report)))
    assert facts["Split test (revision)"] == report.comparison.first.subject.split_revision
    assert facts["A: evaluation"] == report.comparison.first.id
    assert facts["B: weights (SHA-256)"] == "missing (2,)"
    assert facts["B: detections"] == "ultralytics 8.4.190 (pt), at 320 px, 12.5 ms per image"


def test_detections_that_were_left_out_are_shown():
    subject = a_subject(detector_classes=("dog", "person"))
    facts = values(evaluation_facts(of_evaluation(an_evaluation_report(evaluation=an_evaluation(subject=subject)))))
    assert facts["B: detections"].endswith("per image; ignored, since the data set has no such class: dog")


def test_an_unknown_origin_is_shown_as_such():
    foreign = an_evaluation(subject=replace(a_subject(), settings=None, latency_ms=None))
    facts = values(evaluation_facts(of_evaluation(an_evaluation_report(evaluation=foreign))))
    assert facts["B: detections"] == "ultralytics 8.4.190 (pt), unknown settings, unknown latency"


@pytest.mark.parametrize(
    ("required", "reported"),
    [
        ("all", "all: at least 10 boxes in test, and detected"),
        (("a", "b"), "a, b: at least 10 boxes in test, and detected"),
    ],
)
def test_what_is_asked_of_classes_is_among_the_facts_of_the_policy(required, reported):
    gate = a_gate(required_classes=required, class_floor=0.2)
    facts = {fact.label: fact.value for fact in policy_facts(a_decision(policy=a_policy(gate=gate)))}
    assert facts["Required classes"] == reported
    assert facts["Floor of AP50 of every class"] == "lower bound above 0.2"
