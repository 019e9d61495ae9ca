"""The job on real photographs: COCO128 to a promoted detector, by the documented commands; small."""

import os
from pathlib import Path

import pytest

from tests.e2e.project import REPOSITORY, SMALL, Project, make_project
from tests.e2e.records import read_records

COCO128 = Path(os.environ.get("CV_YOLO_COCO128", REPOSITORY.parent / "shared" / "data" / "coco128"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COCO128.is_dir(), reason=f"COCO128 is not at {COCO128}; set CV_YOLO_COCO128"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_project(tmp_path_factory.mktemp("coco128") / "project")


def test_the_tool_makes_the_data_that_dvc_has_recorded(project: Project) -> None:
    made = project.run_script("tools/make_tiny_person_from_coco128.py", "--source", str(COCO128))
    assert made.exit_code == 0, made.err
    summary = project.run("data", "check", "data/tiny_coco", "--json").json
    assert summary["images"] == {"train": 40, "val": 10, "test": 10}
    assert summary["classes"] == ["person"]
    assert summary["versioned"] is True


def test_both_documented_entry_points_promote_a_detector(project: Project) -> None:
    baseline = project.run_module("src.zenml_pipelines.run_yolo_pipeline_baseline", "--epochs", "1", *SMALL)
    assert baseline.exit_code == 0, baseline.err
    grid = project.run_module("src.zenml_pipelines.run_yolo_pipeline_grid", "--epochs", "1,2", *SMALL)
    assert grid.exit_code in {0, 4}, grid.err
    assert "Decision " in grid.out
    records = read_records(project)
    assert sorted(run["name"] for run in records["runs"]) == ["e1_s64", "e2_s64"], "the grid reuses the baseline's run"
    assert all(run["status"] == "FINISHED" for run in records["runs"])
    assert set(records["stages"].values()) >= {"staging"}


def test_dvc_repro_status_push_and_pull_work_with_coco128(project: Project) -> None:
    (project.root / "data" / "coco128").symlink_to(COCO128.resolve(), target_is_directory=True)
    for command in (("repro", "make_tiny_person"), ("push", "data/tiny_coco")):
        done = project.dvc(*command)
        assert done.exit_code == 0, done.err
    assert "up to date" in project.dvc("status", "make_tiny_person").out
    for file in sorted((project.root / "data" / "tiny_coco").rglob("*"), reverse=True):
        file.unlink() if file.is_file() else file.rmdir()
    (project.root / "data" / "tiny_coco").rmdir()
    assert project.dvc("pull", "data/tiny_coco").exit_code == 0
    assert project.run("data", "check", "data/tiny_coco", "--json").json["versioned"] is True
