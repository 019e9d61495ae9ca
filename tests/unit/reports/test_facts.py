"""Labelled facts about the data, the policy and the provenance."""

from cv_yolo.domain.dataset import Split
from cv_yolo.reports.facts import data_facts, other_data, policy_facts, provenance_facts, run_facts
from tests.builders import a_champion, a_decision, a_decision_report, a_manifest, a_policy, a_row, an_image


def values(facts):
    return {fact.label: fact.value for fact in facts}


def test_the_data_are_named_counted_and_pinned():
    manifest = a_manifest(classes=("person", "dog"))
    assert values(data_facts(manifest)) == {
        "Data set": "tiny_coco",
        "Classes": "person, dog",
        "Scored on": "split val: 3 images, 6 boxes",
        "Trained on": "split train: 4 images, 8 boxes",
        "Revision": manifest.revision,
        "DVC hash": "0123456789abcdef0123456789abcdef.dir",
        "Recorded by DVC": "yes, exactly this content",
    }


def test_test_images_are_said_to_be_kept_apart():
    images = (*a_manifest().images, an_image(split=Split.TEST, image="images/test/1.jpg"))
    assert values(data_facts(a_manifest(images=images)))["Kept apart"] == "split test: 1 image, 2 boxes"


def test_content_that_dvc_has_not_recorded_is_not_called_recorded():
    assert values(data_facts(a_manifest(versioned=False)))["Recorded by DVC"] == "no, not this content"


def test_a_folder_that_dvc_does_not_know_has_no_hash():
    facts = values(data_facts(a_manifest(dvc_hash=None, versioned=False)))
    assert facts["DVC"] == "does not know this folder"
    assert "DVC hash" not in facts


def test_identifiers_are_marked_as_exact_and_sentences_are_not():
    exact = {fact.label for fact in data_facts(a_manifest()) if fact.exact}
    assert exact == {"Revision", "DVC hash"}


def test_runs_on_other_data_are_named():
    rows = (a_row(), a_row(run_id="run-2", name="old", revision="f" * 64), a_row(run_id="run-3", revision=None))
    assert other_data(rows, a_manifest()) == "Not scored on this revision of the data: old."


def test_runs_on_the_same_data_need_no_warning():
    assert other_data((a_row(),), a_manifest()) is None


def test_the_policy_is_told_with_its_metric_floor_and_alias():
    assert values(policy_facts(a_decision())) == {
        "Model": "cv_yolo_tiny",
        "Alias": "staging",
        "Selects by": "the highest mAP50 (map_50) on the split val",
        "Floor": "map_50 > 0.5",
        "A better champion": "stays",
        "Champion": "none when this was decided",
    }


def test_the_champion_is_told_with_version_run_and_score():
    decision = a_decision(champion=a_champion(), policy=a_policy(keep_better_champion=False))
    facts = values(policy_facts(decision))
    assert facts["Champion"] == "version 2 (run e1_s320), mAP50 0.550"
    assert facts["A better champion"] == "is replaced all the same"


def test_the_provenance_leads_to_every_record():
    report = a_decision_report()
    assert values(provenance_facts(report)) == {
        "Decision": "decision-7",
        "Made at": "2025-03-04 12:00:00 UTC",
        "ZenML pipeline run": report.pipeline_run,
        "Git commit": report.git_commit,
        "Working tree": "clean",
        "Version": "3 of cv_yolo_tiny",
        "Weights (SHA-256)": "a" * 64,
        "MLflow run of e3_s320": "run-1",
        "MLflow run of e3_s416": "run-2",
    }


def test_uncommitted_changes_and_missing_origins_are_told():
    facts = values(provenance_facts(a_decision_report(git_dirty=True, git_commit="", pipeline_run="", version=None)))
    assert facts["Working tree"] == "with uncommitted changes"
    assert facts["Git commit"] == facts["ZenML pipeline run"] == "–"
    assert "Version" not in facts


def test_two_runs_of_the_same_name_keep_their_own_ids():
    facts = run_facts((a_row(run_id="run-1"), a_row(run_id="run-2")))
    assert [fact.value for fact in facts] == ["run-1", "run-2"]
