"""`runs` and `show`: what MLflow holds, as tables and as JSON."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.files.outbox import FolderOutbox
from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.tracking_events import RunDetails
from cv_yolo.ports.records import NewRun
from cv_yolo.settings import Settings

PARAMS = {"epochs": "3", "image_size_px": "320"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A project with three runs; and the ids of its runs."""
    root = tmp_path_factory.mktemp("recorded")
    container = Container(Settings(root=root))
    tracker = container.records.tracker()
    ids = {}
    for name, score in (("e3_s320", 0.5), ("e5_s320", 0.61)):
        ids[name] = tracker.start(NewRun(name=name, params=PARAMS, tags={"dataset_revision": "r1", "note": "[bold]"}))
        tracker.log_metrics(ids[name], {"final/map_50": score, "final/precision": 0.7, "duration_s": 61.0})
        tracker.finish(ids[name], RunStatus.FINISHED)
    ids["e5_s416"] = tracker.start(NewRun(name="e5_s416", params=PARAMS, tags={}))
    tracker.finish(ids["e5_s416"], RunStatus.FAILED, "TrainingFailedError: out of [memory]")
    return root, ids


@pytest.fixture
def ids(recorded: tuple[Path, dict[str, str]], project: Path) -> dict[str, str]:
    shutil.copytree(recorded[0], project, dirs_exist_ok=True)
    return recorded[1]


@pytest.fixture
def empty(recorded: tuple[Path, dict[str, str]], project: Path) -> Path:
    """A project with a store, and nothing in the experiment that is asked for."""
    shutil.copytree(recorded[0], project, dirs_exist_ok=True)
    return project


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    return json.loads(out_of(capsys, *arguments, "--json"))


def test_runs_are_a_table_newest_first(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    header, *rows = out_of(capsys, "runs").splitlines()
    assert header.split()[:3] == ["run", "epochs", "px"]
    assert "…" not in header
    assert [row.split()[0] for row in rows] == ["e5_s416", "e5_s320", "e3_s320"]
    assert [row.split()[-3] for row in rows] == [ids[name][:8] for name in ("e5_s416", "e5_s320", "e3_s320")]
    assert "0.610" in rows[1]
    assert "failed" in rows[0]
    assert "finished" in rows[1]


def test_runs_are_json_for_machines(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    found = json_of(capsys, "runs")
    assert [each["run_id"] for each in found] == [ids["e5_s416"], ids["e5_s320"], ids["e3_s320"]]
    assert found[1]["metrics"]["final/map_50"] == 0.61
    assert [each["status"] for each in found] == ["failed", "finished", "finished"]


def test_an_experiment_without_runs_says_how_to_make_some(empty: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No runs yet." in out_of(capsys, "runs", "--experiment", "another")
    assert json_of(capsys, "runs", "--experiment", "another") == []


def test_a_project_without_any_records_has_no_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "No runs yet." in out_of(capsys, "runs")


@pytest.mark.parametrize("start", [32, 8])
def test_a_run_is_shown_by_its_id_or_the_beginning_of_it(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str], start: int
) -> None:
    assert json_of(capsys, "show", ids["e3_s320"][:start])["name"] == "e3_s320"


def test_a_run_is_shown_by_its_name_with_all_that_is_known(
    ids: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = out_of(capsys, "show", "e5_s320")
    for expected in (ids["e5_s320"], "scores", "map_50", "parameters", "image_size_px", "origin", "dataset_revision"):
        assert expected in text
    assert "[bold]" in text  # a tag is text, not markup


def test_of_two_runs_of_one_name_the_newest_is_shown(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    newest = Container().records.tracker().start(NewRun(name="e3_s320", params=PARAMS, tags={}))
    assert json_of(capsys, "show", "e3_s320")["run_id"] == newest


def test_a_failed_run_says_why(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert "TrainingFailedError: out of [memory]" in out_of(capsys, "show", "e5_s416")


def test_an_unknown_run_is_your_input(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", "unknown"]) == 2
    assert capsys.readouterr().err == "error: unknown: no such run\nhint: `cv-yolo runs` lists what there is\n"


def test_a_beginning_that_fits_several_runs_is_refused(ids: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", ""]) == 2
    assert "3 runs begin with it" in capsys.readouterr().err


def test_a_damaged_store_is_a_service_that_is_down(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = project / ".cv-yolo" / "mlflow" / "mlflow.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"this is not a database" * 100)
    assert run(["runs"]) == 3
    assert "file is not a database" in capsys.readouterr().err


def test_a_run_that_records_no_training_is_counted_and_shown_without_a_table(
    ids: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = (
        Container(Settings(root=project)).records.tracker("another").start(NewRun(name="foreign", params={}, tags={}))
    )
    assert run(["runs", "--experiment", "another"]) == 0
    assert "1 more runs are not trainings" in capsys.readouterr().err
    assert f"MLflow run {foreign}" in out_of(capsys, "show", "foreign", "--experiment", "another")
    assert ids


def test_undelivered_events_are_delivered_before_runs_are_listed(
    ids: dict[str, str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = ids["e3_s320"]
    outbox = FolderOutbox(Settings(root=project).outbox / "embedded")
    with outbox.opened(run_id) as events:
        events.add(RunDetails(run_id=run_id, at=datetime.now(UTC), tags={"note": "late"}))
    assert json_of(capsys, "show", run_id)["tags"]["note"] == "late"
    assert outbox.runs() == ()


@pytest.mark.parametrize("command", [("runs",), ("runs", "--json"), ("show", "e3_s320"), ("models",), ("history",)])
def test_lists_need_no_library_that_takes_long_to_import(
    ids: dict[str, str], project: Path, command: tuple[str, ...]
) -> None:
    heavy = ("mlflow", "zenml", "sqlalchemy", "numpy", "pydantic", "requests")
    script = f"import sys; from cv_yolo.cli.main import run; run({command}); print(set({heavy}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
