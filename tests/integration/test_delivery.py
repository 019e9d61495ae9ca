"""What is recorded while MLflow's server is gone arrives when it is back: whole, in order, once; the server is real."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cv_yolo.domain.training.runs import RunStatus
from cv_yolo.domain.training.specs import EpochMetrics
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.ports.records import NewRun
from cv_yolo.settings import Settings
from cv_yolo.workflows.deliver import DeliveringTracker
from tests.e2e.project import REPOSITORY, wait_for
from tests.integration.tracking_server import TrackingServer, a_tracker

RUN = NewRun(name="e8_s320", params={"epochs": "8"}, tags={"driver": "host 1 2"})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    made = TrackingServer(tmp_path_factory.mktemp("mlflow-server"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def server(running: TrackingServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TrackingServer:
    use_our_settings(monkeypatch, tmp_path)
    return running


def use_our_settings(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have MLflow's client wait as briefly as our commands let it."""
    for name, value in Settings(root=folder).isolation().items():
        if name.startswith("MLFLOW_"):
            patch.setenv(name, value)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


def epoch(number: int) -> EpochMetrics:
    return EpochMetrics(epoch=number, values={"val/map_50": number / 10, "train/box_loss": 2.0})


def steps_and_times(server: TrackingServer, run_id: str, metric: str) -> list[tuple[int, float, int]]:
    """Every value of a metric that the server holds, in the order of time."""
    client = MlflowClient(tracking_uri=server.uri)
    values = sorted(client.get_metric_history(run_id, metric), key=lambda each: each.timestamp)
    return [(each.step, each.value, each.timestamp) for each in values]


def left_in(outbox: Path) -> list[Path]:
    return [path for path in outbox.rglob("*") if path.suffix != ".lock"]


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What was recorded before, while and after the server was gone: by `whole` everything, by `deleted` too late."""

    whole: str
    deleted: str
    tracker: DeliveringTracker
    outbox: Path
    copy: Path
    weights: bytes
    reported: list[str]
    slowest_s: float
    ended_s: float
    at_the_start: ServiceUnavailableError


@pytest.fixture(scope="module")
def outage(running: TrackingServer, tmp_path_factory: pytest.TempPathFactory) -> Outage:
    """One outage for several tests: to start the server takes a while."""
    folder, reported, weights = tmp_path_factory.mktemp("outage"), [], b"weights" * 1000
    outbox = folder / "outbox"
    with pytest.MonkeyPatch.context() as patch:
        use_our_settings(patch, folder)
        tracker = a_tracker(running.uri, outbox, report=reported.append)
        whole, deleted = tracker.start(RUN), tracker.start(RUN)
        for number in (1, 2, 3):
            tracker.log_epoch(whole, epoch(number))
        MlflowClient(tracking_uri=running.uri).delete_run(deleted)
        running.kill()
        seconds = [took(lambda number=number: tracker.log_epoch(whole, epoch(number))) for number in (4, 5, 6, 7, 8)]
        record_the_end(tracker, whole, folder / "best.pt", weights)
        ended_s = time.time()
        tracker.log_epoch(deleted, epoch(1))
        with pytest.raises(ServiceUnavailableError) as raised:
            a_tracker(running.uri, outbox, timeout_s=5).start(RUN)
        shutil.copytree(outbox, folder / "copy")
        running.start()
    return Outage(
        whole=whole,
        deleted=deleted,
        tracker=tracker,
        outbox=outbox,
        copy=folder / "copy",
        weights=weights,
        reported=reported,
        slowest_s=max(seconds),
        ended_s=ended_s,
        at_the_start=raised.value,
    )


def record_the_end(tracker: DeliveringTracker, run_id: str, file: Path, weights: bytes) -> None:
    file.write_bytes(weights)
    tracker.tag(run_id, {"weights_sha256": "a" * 64})
    tracker.log_artifacts(run_id, [file], "weights")
    tracker.log_metrics(run_id, {"final/map_50": 0.8})
    tracker.finish(run_id, RunStatus.FINISHED)
    file.unlink()


def took(action: Callable[[], None]) -> float:
    """How many seconds it took."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def test_nothing_is_started_without_the_server_and_the_error_says_how_to_go_on(outage: Outage) -> None:
    assert "waited 5 s" in outage.at_the_start.message
    assert "run the same command again" in str(outage.at_the_start.hint)


def test_a_server_that_is_killed_and_started_again_gets_everything_in_order_and_once(
    server: TrackingServer, outage: Outage
) -> None:
    tracker, run_id = outage.tracker, outage.whole
    run = tracker.get(run_id)
    assert outage.slowest_s < 15, "a dead server is noticed in seconds"
    assert (run.status, run.scores, run.tags["weights_sha256"]) == (RunStatus.FINISHED, {"map_50": 0.8}, "a" * 64)
    assert run.ended_at is not None
    assert run.ended_at.timestamp() < outage.ended_s + 1, "the end time is that of the run, not of the delivery"
    for metric in ("val/map_50", "train/box_loss"):
        held = steps_and_times(server, run_id, metric)
        assert [step for step, _, _ in held] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert tracker.history(run_id, "val/map_50") == tuple((number, number / 10) for number in range(1, 9))
    assert tracker.artifact(run_id, "weights/best.pt") == outage.weights
    assert not list(outage.outbox.glob(f"{run_id}*"))
    assert ["what is to be recorded is kept" in text for text in outage.reported[:2]] == [True, False]
    assert f"9 entries kept for run {run_id} were delivered" in outage.reported[1]


def test_a_run_that_was_deleted_meanwhile_blocks_no_other_and_its_events_are_set_aside(
    server: TrackingServer, outage: Outage
) -> None:
    assert outage.whole in {run.run_id for run in outage.tracker.runs()}
    assert (outage.outbox / f"{outage.deleted}.refused.jsonl").is_file()
    assert not (outage.outbox / f"{outage.deleted}.jsonl").exists()
    assert any("refused, and set aside" in text for text in outage.reported)


def test_an_event_delivered_twice_is_recorded_once(server: TrackingServer, outage: Outage) -> None:
    """The outbox as it was before the delivery: as if the process had been killed right behind it."""
    run_id = outage.whole
    before = (outage.tracker.get(run_id), steps_and_times(server, run_id, "val/map_50"))
    again = a_tracker(server.uri, outage.copy)
    assert again.deliver_waiting() == 0
    assert (again.get(run_id), steps_and_times(server, run_id, "val/map_50")) == before
    assert again.artifacts(run_id, "weights") == ("weights/best.pt",)


def test_a_server_killed_in_the_middle_of_a_delivery_gets_the_rest_later(server: TrackingServer, outbox: Path) -> None:
    tracker = a_tracker(server.uri, outbox)
    run_id = tracker.start(RUN)
    server.kill()
    for number in range(1, 101):
        tracker.log_epoch(run_id, epoch(number))
    server.start()
    left: list[int] = []
    delivery = threading.Thread(target=lambda: left.append(tracker.deliver_waiting()))
    delivery.start()
    file = outbox / f"{run_id}.jsonl"
    wait_for(lambda: file.read_text(encoding="utf-8").count("delivered") > 20, what="some deliveries")
    server.kill()
    delivery.join()
    assert 0 < left[0] < 100
    server.start()
    assert tracker.deliver_waiting() == 0
    held = steps_and_times(server, run_id, "val/map_50")
    assert [step for step, _, _ in held] == list(range(1, 101))


def test_events_of_a_killed_process_are_delivered_by_the_next_one(
    server: TrackingServer, outbox: Path, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.delivery_child", server.uri, str(tmp_path)],
        cwd=REPOSITORY,
        env=dict(os.environ),
    )
    try:
        wait_for((tmp_path / "started").exists, what="the child's run")
        server.kill()
        (tmp_path / "server is gone").touch()
        wait_for((tmp_path / "recorded").exists, what="the child's record")
        child.send_signal(signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    server.start()
    run_id = (tmp_path / "started").read_text(encoding="utf-8")
    reported: list[str] = []
    runs = a_tracker(server.uri, outbox, report=reported.append).runs()
    assert run_id in {run.run_id for run in runs}
    assert [step for step, _, _ in steps_and_times(server, run_id, "val/map_50")] == [1, 2, 3, 4, 5]
    assert reported == [f"the tracker answers: 5 entries kept for run {run_id} were delivered"]
    assert left_in(outbox) == []


def test_an_unresponsive_server_delays_one_writer_once(
    server: TrackingServer, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    tracker = a_tracker(server.uri, outbox)
    run_id = tracker.start(RUN)
    server.hold_up()
    try:
        began = time.monotonic()
        for number in (1, 2, 3, 4):
            tracker.log_epoch(run_id, epoch(number))
        assert time.monotonic() - began < 20
    finally:
        server.go_on()
    assert tracker.history(run_id, "val/map_50") == ((1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4))
    assert len(steps_and_times(server, run_id, "val/map_50")) == 4, "though the server did, later, what it was asked"
