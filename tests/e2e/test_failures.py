"""What goes wrong is red, named, and not remembered as done; with the real ZenML, MLflow and Ultralytics."""

import os
import signal
import subprocess
import sys

import pytest

from cv_yolo.container import WORKER_SERVER
from tests.e2e.project import SMALL, Project, make_project, noise_in, wait_for, workers_of
from tests.e2e.records import read_records

pytestmark = pytest.mark.slow
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds child processes in /proc")
LONG = ("grid", "--config", "configs/demo.yaml", "--epochs", "40", *SMALL)


@pytest.fixture(autouse=True)
def own_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command forks its workers by a server of its own, as a user's does: nothing of it may be left."""
    monkeypatch.delenv(WORKER_SERVER, raising=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("failures") / "project")
    drawn = made.run("data", "synth", "--counts", "8", "4", "2", "--size", "64")
    assert drawn.exit_code == 0, drawn.err
    return made


def _wait_for_an_epoch(project: Project, run: str, *, since: dict[str, str]) -> None:
    """Wait until a pipeline run that is not in `since` has trained an epoch of the run."""

    def reported() -> bool:
        new = [text for name, text in project.journals().items() if name not in since]
        return any(f'"epoch","run":"{run}"' in text for text in new)

    wait_for(reported, what=f"an epoch of {run}")


@needs_proc
def test_a_killed_training_fails_its_run_and_the_others_are_still_compared(project: Project) -> None:
    with project.running("grid", "--config", "configs/demo.yaml", "--epochs", "1,40", *SMALL) as grid:
        _wait_for_an_epoch(project, "e40_s64", since={})
        victim = wait_for(
            lambda: [pid for pid, folder in workers_of(project.root).items() if "e40_s64" in folder], what="its process"
        )
        os.kill(victim[0], signal.SIGKILL)
        out, err = grid.communicate(timeout=120)
    assert grid.returncode == 1, err
    assert "e40_s64: TrainingFailedError: the child process was killed by signal 9" in err
    assert "e1_s64" in out
    records = read_records(project)
    assert {run["name"]: run["status"] for run in records["runs"]} == {"e1_s64": "FINISHED", "e40_s64": "FAILED"}
    failed = next(run for run in records["runs"] if run["status"] == "FAILED")
    assert "killed by signal 9" in failed["tags"]["reason"]
    newest = records["pipelines"][0]
    assert newest["status"] == "failed"
    assert newest["steps"]["train_yolo_tiny_e40_s64"] == "failed"
    assert newest["steps"]["decide_promotion"] == "completed"
    assert records["aliases"]["cv_yolo_tiny"] == {"staging": 1}
    page = next((project.root / "reports" / "decisions").glob("*.md")).read_text(encoding="utf-8")
    assert "killed by signal 9" in page


@needs_proc
@pytest.mark.usefixtures("signals_of_a_terminal")
def test_ctrl_c_stops_cleanly_and_the_failed_training_was_not_cached(project: Project) -> None:
    before = project.journals()
    with project.running(*LONG) as grid:
        _wait_for_an_epoch(project, "e40_s64", since=before)
        grid.send_signal(signal.SIGINT)
        _, err = grid.communicate(timeout=60)
    assert grid.returncode == 130, err
    assert "run the same command again" in err
    assert noise_in(err) == []
    wait_for(lambda: not workers_of(project.root), what="the end of the child process")
    records = read_records(project)
    assert [run["status"] for run in records["runs"] if run["name"] == "e40_s64"] == ["KILLED", "FAILED"]
    assert records["pipelines"][0]["status"] == "stopped"


@needs_proc
@pytest.mark.usefixtures("ctrl_c_is_ignored")
def test_in_the_background_of_a_script_a_termination_signal_stops_as_cleanly(project: Project) -> None:
    before = project.journals()
    with project.running(*LONG) as grid:
        _wait_for_an_epoch(project, "e40_s64", since=before)
        grid.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            grid.wait(1)
        grid.send_signal(signal.SIGTERM)
        _, err = grid.communicate(timeout=60)
    assert grid.returncode == 130, err
    assert noise_in(err) == []
    wait_for(lambda: not workers_of(project.root), what="the end of the child process")
    assert read_records(project)["pipelines"][0]["status"] == "stopped"


@needs_proc
def test_a_killed_driver_leaves_no_child_behind_and_usable_stores(project: Project) -> None:
    with project.running(*LONG) as grid:
        wait_for(lambda: workers_of(project.root), what="the child process")
        grid.send_signal(signal.SIGKILL)
        grid.communicate(timeout=60)
    wait_for(lambda: not workers_of(project.root), what="the end of the orphan")
    done = project.run("grid", "--config", "configs/demo.yaml", "--epochs", "1", *SMALL)
    assert done.exit_code == 0, done.err
    assert "reused: the same data, code and settings" in done.err
    records = read_records(project)
    abandoned = [run for run in records["runs"] if run["tags"].get("reason", "").startswith("abandoned")]
    assert [run["status"] for run in abandoned] == ["FAILED"]
    assert [run["status"] for run in records["pipelines"][:2]] == ["completed", "failed"]


def test_weights_that_do_not_load_are_refused_before_anything_trains(project: Project) -> None:
    before = len(read_records(project)["runs"])
    (project.root / "broken.pt").write_bytes(b"no weights" * 100)
    done = project.run("baseline", "--data", "data/demo", "--model", "broken.pt", "--epochs", "1", *SMALL)
    assert done.exit_code == 2
    assert "does not load as YOLO weights" in done.err
    assert len(read_records(project)["runs"]) == before


def test_trusted_weights_that_do_not_load_fail_the_run_with_a_reason(project: Project) -> None:
    (project.root / "broken.pt").write_bytes(b"no weights" * 100)
    done = project.run("baseline", "--data", "data/demo", "--model", "broken.pt", "--epochs", "1", "--trust", *SMALL)
    assert done.exit_code != 0
    assert "does not load as YOLO weights" in done.err
    newest = read_records(project)["runs"][0]
    assert newest["status"] == "FAILED"
    assert "does not load" in newest["tags"]["reason"]
    assert newest["params"]["trusted"] == "True"


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (("--model", "missing.pt"), 2, "model: missing.pt: no such file"),
        (("--data", "data/nowhere"), 2, "data/nowhere: no data set here"),
        (("--epochs", "0"), 2, "the command line: grid.epochs"),
        (("--image-size", "321"), 2, "the command line: grid.image_size_px"),
        (("--set", "training.sed=1"), 2, "training.sed: unknown key"),
        (("--config", "configs/none.yaml"), 2, "no such file"),
    ],
)
def test_a_wrong_input_is_refused_with_its_place(
    project: Project, arguments: tuple[str, ...], exit_code: int, message: str
) -> None:
    done = project.run("grid", "--config", "configs/demo.yaml", *arguments)
    assert done.exit_code == exit_code, done.err
    assert message in done.err


def test_a_corrupt_image_is_named_before_anything_trains(project: Project) -> None:
    before = len(read_records(project)["runs"])
    image = sorted((project.root / "data" / "demo" / "images" / "val").glob("*.jpg"))[0]
    whole = image.read_bytes()
    image.write_bytes(whole[: len(whole) // 2])
    done = project.run("grid", "--config", "configs/demo.yaml", "--epochs", "1", *SMALL)
    image.write_bytes(whole)
    assert done.exit_code == 2, done.err
    assert f"{image.name}: does not decode" in done.err
    assert len(read_records(project)["runs"]) == before
