"""The grid, end to end, with the real ZenML, MLflow, DVC and Ultralytics; small. The tests build on each other."""

import json
import math
import re
from pathlib import Path

import pytest

from tests.e2e.project import SMALL, Project, make_project, noise_in
from tests.e2e.records import read_records

pytestmark = pytest.mark.slow
GRID = ("grid", "--config", "configs/demo.yaml", "--epochs", "1,2", *SMALL)
EPOCH_METRICS = {"train/box_loss", "val/precision", "val/recall", "val/map_50", "val/map_50_95", "lr/pg0"}
FILES = {
    "weights/best.pt",
    "training/results.csv",
    "training/confusion_matrix.png",
    "training/BoxPR_curve.png",
    "training/BoxF1_curve.png",
    "training/labels.jpg",
    "evaluation/sample_predictions.jpg",
    "evaluation/val/evaluation.json",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("grid") / "project")


def test_a_fresh_clone_goes_from_nothing_to_a_detector_that_is_promoted_provisionally(project: Project) -> None:
    done = project.run_module("cv_yolo", *GRID, "--json")
    assert done.exit_code == 0, done.err
    assert noise_in(done.err) == [], "on no Python, not even while the interpreter ends"
    reported = done.json
    assert (reported["verdict"], reported["promoted"], reported["provisional"]) == ("promote", True, True), (
        "10 test images are few"
    )
    outcomes = {check["name"]: check["outcome"] for check in reported["decision"]["checks"]}
    assert outcomes["test images"] == "waived"
    assert not {"failed", "undecided"} & set(outcomes.values())
    judgement = reported["decision"]["judgement"]
    assert (judgement["candidate"]["images"], judgement["champion"], judgement["use"]) == (10, None, 1)
    assert (project.root / "data" / "demo" / "data.yaml").is_file(), "made by its DVC stage"
    records = read_records(project)
    assert [run["status"] for run in records["runs"]] == ["FINISHED", "FINISHED"]
    assert records["pipelines"][0]["status"] == "completed"
    assert records["pipelines"][0]["pipeline"] == "yolo_training_pipeline"
    assert set(records["pipelines"][0]["steps"]) == {
        "prepare_tiny_coco_dataset",
        "train_yolo_tiny_e1_s64",
        "train_yolo_tiny_e2_s64",
        "evaluate_yolo_tiny_e1_s64",
        "evaluate_yolo_tiny_e2_s64",
        "decide_promotion",
        "summarize_yolo_experiment",
    }


def test_every_run_has_its_whole_record(project: Project) -> None:
    for run in read_records(project)["runs"]:
        epochs = int(run["params"]["epochs"])
        assert set(run["metrics"]) >= EPOCH_METRICS | {"latency_ms", "interval/map_50/low", "interval/map_50/high"}
        assert run["metrics"]["interval/map_50/low"] <= run["metrics"]["final/map_50"]
        assert all(run["steps"][name] == list(range(1, epochs + 1)) for name in EPOCH_METRICS), "each step once"
        assert set(run["files"]) >= FILES
        assert any(re.fullmatch(r"evaluation/val/[0-9a-f]{12}/detections\.npz", name) for name in run["files"])
        assert set(run["tags"]) >= {"git_commit", "git_dirty", "dataset_revision", "pipeline_run", "seed", "machine"}
        assert run["tags"]["version.ultralytics"]
        assert len(run["tags"]["git_commit"]) == 40


def test_the_table_is_what_mlflow_holds_and_a_rerun_of_the_champion_changes_nothing(project: Project) -> None:
    before = project.run("history", "--json").json
    done = project.run(*GRID, "--json")
    assert done.exit_code == 0, done.err
    decision = done.json["decision"]
    assert decision["champion"]["run_id"] == decision["chosen"]
    assert (done.json["verdict"], decision["judgement"]) == ("promote", None), "no test image was looked at again"
    assert project.run("history", "--json").json == before
    held = {run["id"]: run for run in read_records(project)["runs"]}
    rows = decision["rows"]
    assert {row["run_id"] for row in rows} == set(held)
    for row in rows:
        metrics = held[row["run_id"]]["metrics"]
        assert row["scores"] == {name: metrics[f"final/{name}"] for name in row["scores"]}
        assert row["duration_s"] == metrics["duration_s"]
        assert all(math.isfinite(value) for value in row["scores"].values())
    selection = decision["selection"]
    best = max(rows, key=lambda row: (row["scores"]["map_50"], -row["epochs"]))
    cheapest = min((row for row in rows if row["run_id"] in selection["within_noise"]), key=lambda row: row["epochs"])
    assert (selection["best"], decision["chosen"]) == (best["run_id"], cheapest["run_id"])


def test_staging_is_held_in_both_registries_by_the_chosen_run(project: Project) -> None:
    records = read_records(project)
    assert records["aliases"]["cv_yolo_tiny"] == {"staging": 1}
    assert records["stages"] == {"v1": "staging"}
    listed = project.run("models", "--json").json
    assert [(version["version"], version["stage"]) for version in listed] == [("1", "staging")]


def test_the_decision_is_recorded_and_all_records_agree(project: Project) -> None:
    first = project.run("history", "--json").json[0]
    assert (first["action"], first["version"], first["stage"], first["former"]) == ("promoted", "1", "staging", None)
    assert first["provisional"] is True
    assert first["run_id"] in {run["id"] for run in read_records(project)["runs"]}
    verified = project.run("history", "--verify")
    assert (verified.exit_code, "chain intact" in verified.out) == (0, True)
    checked = project.run("models", "check", "--dry-run")
    assert (checked.exit_code, checked.out) == (0, "OK: MLflow and ZenML agree with the audit log.\n")


def test_artifacts_are_loaded_with_their_types_and_the_report_is_shown(project: Project) -> None:
    newest = read_records(project)["pipelines"][0]
    assert newest["decision_type"] == "cv_yolo.domain.promotion.decision"
    assert newest["visualisations"] == ["html"]


def test_the_decision_is_written_twice_and_links_to_its_evidence(project: Project) -> None:
    pages = sorted((project.root / "reports" / "decisions").glob("*"))
    assert {page.suffix for page in pages} == {".md", ".html"}
    for run in read_records(project)["runs"]:
        assert all(run["id"] in page.read_text(encoding="utf-8") for page in pages)


def test_the_same_again_trains_nothing_and_does_not_even_import_pytorch(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_records(project)
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = project.run_module("cv_yolo", *GRID)
    assert done.exit_code == 0, done.err
    after = read_records(project)
    assert after["runs"] == before["runs"] or len(after["runs"]) == len(before["runs"])
    assert after["versions"] == before["versions"]
    assert {status for name, status in after["pipelines"][0]["steps"].items() if "yolo_tiny" in name} == {"cached"}
    assert "reused: the same data, code and settings" in done.err
    imported = {line.rpartition("|")[2].strip() for line in done.err.splitlines() if line.startswith("import time:")}
    assert imported & {"zenml", "torch", "sklearn"} == {"zenml"}


def test_another_cell_trains_only_that_cell(project: Project) -> None:
    before = {run["id"] for run in read_records(project)["runs"]}
    done = project.run("grid", "--config", "configs/demo.yaml", "--epochs", "1,2,3", *SMALL)
    assert done.exit_code in {0, 4}, done.err
    new = [run for run in read_records(project)["runs"] if run["id"] not in before]
    assert [run["name"] for run in new] == ["e3_s64"]


def test_one_changed_label_trains_again_on_a_new_revision_and_is_judged_again(project: Project) -> None:
    label = sorted((project.root / "data" / "demo" / "labels" / "train").glob("*.txt"))[0]
    label.write_text("0 0.5 0.5 0.25 0.25\n", encoding="utf-8")
    before = {run["id"]: run for run in read_records(project)["runs"]}
    reported = project.run("history", "--json").json
    done = project.run("grid", "--config", "configs/demo.yaml", "--epochs", "1", *SMALL)
    assert done.exit_code in {0, 4}, done.err
    assert f"1 changed (labels/train/{label.name})" in done.err
    entry = project.run("history", "--json").json[-1]
    assert entry["number"] == len(reported) + 1
    assert f"Decision {entry['decision']}: {entry['verdict']}" in done.out
    assert f"Decision number {len(reported) + 1} on these test images" in done.out
    assert entry["action"] == ("promoted" if done.exit_code == 0 else "judged")
    assert len(entry["evaluations"]) == 2, "the candidate's and the champion's"
    assert entry["test_revision"] == reported[0]["test_revision"], "a label of train is none of test"
    new = [run for run in read_records(project)["runs"] if run["id"] not in before]
    assert [run["name"] for run in new] == ["e1_s64"]
    assert new[0]["tags"]["dataset_revision"] not in {run["tags"]["dataset_revision"] for run in before.values()}
    assert new[0]["tags"]["dvc_versioned"] == "false"


def test_nothing_is_written_outside_the_project(project: Project) -> None:
    uri_lines = (project.root / ".cv-yolo" / "ultralytics" / "Ultralytics" / "settings.json").read_text("utf-8")
    assert json.loads(uri_lines)["mlflow"] is False
    assert not list((project.root / "data").rglob("*.cache"))
    assert not (project.root / "runs").exists()
    assert not (project.root / ".zen").exists()
    assert not list(Path(project.root).glob("*.pt"))
