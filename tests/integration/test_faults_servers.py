"""Servers that die while a detector is trained: nothing is lost, nothing is trained twice, all is reported."""

import time
from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.container.workers import WORKER_SERVER
from cv_yolo.domain.stack import ARTIFACTS_BUCKET
from tests.faults import Clone, Ended, connected_clone, grid_of, killed, suspended
from tests.servers import RunningStack, cv_yolo

pytestmark = pytest.mark.slow
VICTIMS = {3: "mlflow", 4: "store", 5: "zenml", 6: "database"}  # by the epochs of the cell in which each dies
CELLS = [f"e{epochs}_s64" for epochs in VICTIMS]
GRID = grid_of(*VICTIMS)
SHORT = {"CV_YOLO_PATIENCE_S": "5"}


@pytest.fixture(scope="module")
def clone(faulty_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return connected_clone(faulty_stack, tmp_path_factory.mktemp("servers") / "clone", name="faults-servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A grid whose driver is killed, and the same grid again, in which every server dies once."""

    killed: Ended
    again: Ended


@pytest.fixture(scope="module")
def story(clone: Clone, faulty_stack: RunningStack) -> Story:
    with clone.at_work(*GRID) as work:
        work.wait_until("the first epoch", kind="epoch", run="e3_s64")
        work.kill()
        killed_driver = work.ended()
    servers = {"mlflow", "store", "zenml"} | ({"database"} if faulty_stack.database else set())
    with clone.at_work(*GRID) as work:
        for epochs, server in VICTIMS.items():
            cell = f"e{epochs}_s64"
            work.wait_until(f"the first epoch of {cell}", kind="epoch", run=cell)
            with nullcontext() if server not in servers else killed(faulty_stack, server):
                work.wait_until(f"the last epoch of {cell}", kind="epoch", run=cell, epoch=epochs)
                if server == "zenml":
                    work.wait_until("a word of its absence", kind="note", text="ZenML at")
        return Story(killed=killed_driver, again=work.ended())


def test_a_grid_outlasts_the_death_of_each_server(story: Story) -> None:
    assert story.again.exit_code == 0, story.again.err
    assert "Traceback" not in story.again.out + story.again.err
    assert story.again.trained == CELLS
    assert "what is to be recorded is kept" in story.again.notes, "the outage of MLflow was reported"
    assert "does not answer; retrying" in story.again.notes, "and ZenML"


def test_every_epoch_is_on_record_once_and_in_order(story: Story, clone: Clone) -> None:
    assert clone.waiting() == []
    for epochs in VICTIMS:
        run = clone.tracked(f"e{epochs}_s64")[0]
        assert run.status == "FINISHED"
        for metric in ("val/map_50", "train/box_loss"):
            assert clone.steps(run.run_id, metric) == list(range(1, epochs + 1))


def test_the_weights_of_every_cell_are_in_the_store(story: Story, clone: Clone, faulty_stack: RunningStack) -> None:
    objects = S3Store(faulty_stack.addresses.objects)
    kept = {each.key for each in objects.objects(ARTIFACTS_BUCKET) if each.key.endswith("/weights.pt")}
    assert len(kept) >= len(VICTIMS)
    assert all(objects.get(ARTIFACTS_BUCKET, key)[:2] == b"PK" for key in kept), "whole archives"


def test_runs_of_a_killed_driver_are_closed_by_the_next_command(story: Story, clone: Clone) -> None:
    assert story.killed.exit_code == -9
    second, first = clone.tracked("e3_s64")
    assert (first.status, first.reason.split(":")[0]) == ("FAILED", "abandoned")
    assert second.status == "FINISHED"
    assert clone.pipeline_runs()[-2:] == ["completed", "failed"]


MESSAGES = {
    "mlflow": ("MLflow at", "does not answer"),
    "store": ("does not answer",),
    "zenml": ("ZenML at", "does not answer"),
}


@pytest.mark.parametrize("server", list(MESSAGES))
def test_a_server_that_stays_down_stops_the_grid_by_name_and_the_same_command_resumes_it(
    server: str, story: Story, clone: Clone, faulty_stack: RunningStack
) -> None:
    seed = 10 + list(MESSAGES).index(server)
    command = grid_of(3, seed=seed)
    with clone.at_work(*command, **SHORT) as work:
        work.wait_until("the first epoch", kind="epoch", run="e3_s64")
        with killed(faulty_stack, server):
            stopped = work.ended()
    assert stopped.exit_code == 3, stopped.err
    assert all(part in stopped.err for part in MESSAGES[server]), stopped.err
    assert "run the same command again" in stopped.err
    assert "Traceback" not in stopped.out + stopped.err
    assert stopped.trained == ["e3_s64"], "training did not die"
    again = clone.run(*command)
    assert again.exit_code in {0, 4}, again.err
    assert again.trained == [], "nothing is trained twice"
    assert clone.pipeline_runs()[:2] == ["completed", "failed"]
    (run,) = clone.tracked("e3_s64", seed=seed)
    assert (run.status, clone.steps(run.run_id)) == ("FINISHED", [1, 2, 3])
    assert clone.waiting() == []


HUNG_WHILE = {
    "the model is handed over": {"kind": "epoch", "run": "e3_s64", "epoch": 3},
    "the runs are compared": {"kind": "note", "text": "comparing the runs"},
}
STORE_PATIENCE_S = 12
GIVEN_UP_WITHIN_S = STORE_PATIENCE_S + 20  # the pause before a probe, the probe, and the closing time


@pytest.mark.parametrize("phase", HUNG_WHILE)
def test_a_store_that_stays_hung_stops_the_grid_in_time_and_the_same_command_resumes_it(
    phase: str, clone: Clone, faulty_stack: RunningStack
) -> None:
    seed = 30 + list(HUNG_WHILE).index(phase)
    command = grid_of(3, seed=seed)
    with clone.at_work(*command, CV_YOLO_PATIENCE_S=str(STORE_PATIENCE_S)) as work:
        work.wait_until(phase, **HUNG_WHILE[phase])
        with suspended(faulty_stack, "store"):
            began_s = time.monotonic()
            stopped = work.ended()
            took_s = time.monotonic() - began_s
    assert stopped.exit_code == 3, stopped.err
    assert took_s < 2 * GIVEN_UP_WITHIN_S, "twice the stated time: other work on the machine"
    assert "does not answer" in stopped.err
    assert "run the same command again" in stopped.err
    assert "Traceback" not in stopped.out + stopped.err
    again = clone.run(*command)
    assert again.exit_code in {0, 4}, again.err
    assert again.trained == [], "nothing is trained twice"
    assert clone.pipeline_runs()[:2] == ["completed", "failed"]


PHASES = {
    "while it trains": {"kind": "epoch", "run": "e2_s64"},
    "while it evaluates": {"kind": "evaluating", "run": "e2_s64"},
    "while it decides": {"kind": "note", "text": "comparing the runs"},
}
GONE_WITHIN_S = 10  # on a machine of our own; other work on it may take as long again


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_ctrl_c_stops_a_grid_whose_servers_are_all_hung_and_the_same_command_resumes_it(
    clone: Clone, faulty_stack: RunningStack
) -> None:
    """One grid, interrupted in each phase in turn, each time from where it was interrupted before."""
    servers = ("mlflow", "store", "zenml") + (("database",) if faulty_stack.database else ())
    command, trained = grid_of(2, seed=20), []
    for phase, event in PHASES.items():
        with clone.at_work(*command, **{WORKER_SERVER: ""}) as work:  # its workers are its own, as a user's are
            work.wait_until(phase, **event)
            with suspended(faulty_stack, *servers):
                time.sleep(2)  # until it waits for one of them
                took_s, left = work.interrupted()
                stopped = work.ended()
        assert (stopped.exit_code, left) == (130, []), f"{phase}: {stopped.err}"
        assert took_s < 2 * GONE_WITHIN_S, phase
        trained += stopped.trained
    again = clone.run(*command)
    assert again.exit_code in {0, 4}, again.err
    assert trained + again.trained == ["e2_s64", "e2_s64"], "what was interrupted while it trained, and no more"
    assert {run.status for run in clone.tracked("e2_s64", seed=20)} <= {"FINISHED", "KILLED", "FAILED"}
    assert set(clone.pipeline_runs()[:4]) <= {"completed", "stopped", "failed"}, "none is running for ever"


def test_one_of_them_was_the_database(story: Story, faulty_stack: RunningStack) -> None:
    if faulty_stack.database is None:
        pytest.skip("no mariadbd: SQLite is no server that could be killed")
    assert "503" in story.again.notes, "what MLflow says without it"


def test_all_services_are_healthy_at_the_end(story: Story, faulty_stack: RunningStack) -> None:
    assert cv_yolo(faulty_stack.settings.root, "status").returncode == 0
