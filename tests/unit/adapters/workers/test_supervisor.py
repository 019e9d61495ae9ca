"""The child process, new or forked: how it ends, what its supervisor reports, and that nothing outlives anything."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest

from cv_yolo.adapters.workers import messages, worker
from cv_yolo.adapters.workers import supervisor as supervision
from cv_yolo.adapters.workers.fork_server import WorkerServer, can_fork
from cv_yolo.adapters.workers.starters import NewProcess, Starter
from cv_yolo.adapters.workers.supervisor import ChildProcess
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest
from cv_yolo.errors import CvYoloError, EvaluationFailedError, StoppedError, TrainingFailedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import PredictionRequest
from tests.builders import a_manifest, a_spec

REPOSITORY = Path(__file__).resolve().parents[4]
CHILD = Path(__file__).with_name("child.py")
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}


FORKS = pytest.param("forked", marks=pytest.mark.skipif(not can_fork(), reason="this system starts new processes"))


class Supervisor(Protocol):
    def __call__(self, behaviour: str, *, stop: threading.Event | None = None) -> ChildProcess: ...


@pytest.fixture(params=["new", FORKS])
def supervisor(request: pytest.FixtureRequest) -> Supervisor:
    """Makes supervisors of children with some behaviour."""

    def make(behaviour: str, *, stop: threading.Event | None = None) -> ChildProcess:
        command = (sys.executable, str(CHILD), behaviour)
        starter: Starter = (
            NewProcess(command=command, environment=ENVIRONMENT)
            if request.param == "new"
            else WorkerServer(command=(*command, "--server"), environment=ENVIRONMENT)
        )
        return ChildProcess(starter, stop=stop or threading.Event())

    return make


def shell(script: str) -> ChildProcess:
    """A child that speaks our files without being one of ours: quicker to start; `$1` is the folder."""
    return ChildProcess(
        NewProcess(command=("sh", "-c", script, "child"), environment=os.environ), stop=threading.Event()
    )


@pytest.fixture
def request_(tmp_path: Path) -> TrainingRequest:
    weights = tmp_path / "start.pt"
    weights.write_bytes(b"weights")
    return TrainingRequest(
        spec=a_spec(epochs=2),
        manifest=a_manifest(),
        dataset_root=tmp_path / "data",
        weights=weights,
        workdir=tmp_path / "work",
    )


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def failure_of(child: ChildProcess, request: TrainingRequest) -> CvYoloError:
    with pytest.raises(CvYoloError) as caught:
        child.train(request, on_epoch=lambda epoch: None)
    return caught.value


def test_an_error_we_know_comes_out_as_it_was_raised_with_its_hint(
    supervisor: Supervisor, request_: TrainingRequest
) -> None:
    error = failure_of(supervisor("refuses"), request_)
    assert type(error) is WeightsError
    assert error.message == "best.pt: does not load"
    assert error.hint == "give another file"


def test_any_other_error_fails_the_training_and_says_its_kind(
    supervisor: Supervisor, request_: TrainingRequest
) -> None:
    error = failure_of(supervisor("breaks"), request_)
    assert type(error) is TrainingFailedError
    assert error.message == "MemoryError: cannot allocate"
    assert error.hint == f"see {request_.workdir / 'output.log'}"
    assert "Traceback" in (request_.workdir / "output.log").read_text(encoding="utf-8")


def test_a_killed_child_names_the_signal_and_shows_the_end_of_its_log(
    supervisor: Supervisor, request_: TrainingRequest
) -> None:
    error = failure_of(supervisor("is killed"), request_)
    assert type(error) is TrainingFailedError
    assert "was killed by signal 9 and left no result" in error.message
    assert error.hint is not None
    assert error.hint.splitlines()[-1] == "  | allocating 64 GiB"


def test_a_child_that_cannot_write_its_error_is_reported_with_the_full_disk(
    supervisor: Supervisor, request_: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cv_yolo.disk.LITTLE_ROOM_BYTES", 2**70)
    message = failure_of(shell("exit 1"), request_).message
    assert "left no result; the disk is full: " in message
    assert " are free on /" in message
    assert "the disk is full" in failure_of(supervisor("breaks"), request_).message


def test_of_a_long_log_the_last_lines_are_shown(request_: TrainingRequest) -> None:
    error = failure_of(shell("seq 1 100; exit 3"), request_)
    assert "exited with code 3 and left no result" in error.message
    assert error.hint is not None
    assert error.hint.splitlines()[1:] == [f"  | {number}" for number in range(86, 101)]


def test_success_without_a_result_is_a_failure(request_: TrainingRequest) -> None:
    assert "exited with code 0 and left no result" in failure_of(shell("exit 0"), request_).message


def test_a_result_does_not_make_up_for_an_exit_code(request_: TrainingRequest) -> None:
    assert "code 5" in failure_of(shell('echo "{}" > "$1/result.json"; exit 5'), request_).message


def test_the_results_of_a_former_child_do_not_count(supervisor: Supervisor, request_: TrainingRequest) -> None:
    supervisor("works").train(request_, on_epoch=lambda epoch: None)
    reported: list[EpochMetrics] = []
    with pytest.raises(TrainingFailedError, match="left no result"):
        shell("exit 0").train(request_, on_epoch=reported.append)
    assert reported == []


def test_an_error_file_of_an_unknown_kind_cannot_name_other_classes(request_: TrainingRequest) -> None:
    """`ClassVar` is a name in `cv_yolo.errors` too, and no error."""
    error_json = '{"kind": "ClassVar", "message": "odd", "hint": null}'
    error = failure_of(shell(f"echo '{error_json}' > \"$1/error.json\"; exit 1"), request_)
    assert type(error) is TrainingFailedError
    assert error.message == "ClassVar: odd"


def test_epochs_with_non_finite_values_are_reported_unchanged(
    supervisor: Supervisor, request_: TrainingRequest
) -> None:
    reported: list[EpochMetrics] = []
    supervisor("diverges").train(request_, on_epoch=reported.append)
    assert [epoch.epoch for epoch in reported] == [1, 2]
    assert np.isnan(reported[0].values["train/box_loss"])
    assert np.isinf(reported[0].values["lr"])


def test_a_stop_terminates_the_child_and_leaves_no_orphan(supervisor: Supervisor, request_: TrainingRequest) -> None:
    stop = threading.Event()
    with pytest.raises(StoppedError):
        supervisor("hangs", stop=stop).train(request_, on_epoch=lambda epoch: stop.set())
    assert not is_alive(int((request_.workdir / "pid").read_text(encoding="utf-8")))


def test_a_child_that_does_not_listen_is_killed(
    supervisor: Supervisor, request_: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "GRACE_S", 0.3)
    stop = threading.Event()
    with pytest.raises(StoppedError):
        supervisor("ignores SIGTERM", stop=stop).train(request_, on_epoch=lambda epoch: stop.set())
    assert not is_alive(int((request_.workdir / "pid").read_text(encoding="utf-8")))


def test_an_error_while_recording_an_epoch_stops_the_child_too(
    supervisor: Supervisor, request_: TrainingRequest
) -> None:
    def refuse(epoch: EpochMetrics) -> None:
        raise TrainingFailedError("epoch 1: not finite: train/box_loss")

    with pytest.raises(TrainingFailedError, match="not finite"):
        supervisor("hangs").train(request_, on_epoch=refuse)
    assert not is_alive(int((request_.workdir / "pid").read_text(encoding="utf-8")))


def test_the_child_exits_when_its_supervisor_is_gone(request_: TrainingRequest) -> None:
    request_.workdir.mkdir()
    messages.write(request_.workdir / "request.json", request_, TrainingRequest | PredictionRequest)
    child = subprocess.Popen(
        [sys.executable, str(CHILD), "hangs", str(request_.workdir)], env=ENVIRONMENT, stdin=subprocess.PIPE
    )
    give_up = time.monotonic() + 30
    while not (request_.workdir / "pid").is_file() and time.monotonic() < give_up:
        time.sleep(0.05)
    assert child.poll() is None
    child.communicate(timeout=10)  # closes the pipe, as the end of the supervisor's process would
    assert child.returncode == worker.ORPHAN_EXIT_CODE


def test_an_incomplete_line_is_not_reported_yet(tmp_path: Path) -> None:
    events, reported = tmp_path / "events.jsonl", list[EpochMetrics]()
    assert supervision._report_new_epochs(events, 0, reported.append) == 0
    events.write_bytes(b'{"epoch": 1, "values": {"x": 0.5}}\n{"epoch": 2, "val')
    assert supervision._report_new_epochs(events, 0, reported.append) == 1
    with events.open("ab") as file:
        file.write(b'ues": {}}\n')
    assert supervision._report_new_epochs(events, 1, reported.append) == 2
    assert [epoch.epoch for epoch in reported] == [1, 2]


def prediction_in(tmp_path: Path, **changes: Any) -> PredictionRequest:
    weights = tmp_path / "best.pt"
    weights.write_bytes(b"weights")
    values: dict[str, Any] = {
        "weights": weights,
        "weights_sha256": sha256_of(weights),
        "root": tmp_path,
        "images": ("images/val/0.jpg", "images/val/1.jpg"),
        "settings": PredictionSettings(image_size_px=64, nms_iou_threshold=0.6),
        "device": "cpu",
        "threads": 1,
        "workdir": tmp_path / "work",
    }
    return PredictionRequest(**(values | changes))


def test_a_prediction_whose_child_dies_fails_the_evaluation(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailedError, match="code 9"):
        shell("exit 9").predict(prediction_in(tmp_path))


def answering(message: str) -> ChildProcess:
    """A child whose result is this JSON."""
    return shell(f"printf '%s' '{message}' > \"$1/result.json\"")


def test_a_prediction_comes_with_its_library_its_settings_and_its_latency(tmp_path: Path) -> None:
    request = prediction_in(tmp_path)
    found = answering('{"rows": [], "predictor": "lib 1.0", "latency_ms": 7.25}').predict(request)
    assert (found.predictor, found.settings, found.latency_ms) == ("lib 1.0", request.settings, 7.25)
    assert [(each.image, each.boxes_xyxy.shape) for each in found.detections] == [
        ("images/val/0.jpg", (0, 4)),
        ("images/val/1.jpg", (0, 4)),
    ]


def test_a_latency_that_was_not_measured_stays_unknown(tmp_path: Path) -> None:
    found = answering('{"rows": [], "predictor": "lib 1.0", "latency_ms": null}').predict(prediction_in(tmp_path))
    assert found.latency_ms is None


def test_a_prediction_that_is_stopped_is_stopped_not_failed(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    child = ChildProcess(NewProcess(command=("sh", "-c", "sleep 60", "child"), environment=os.environ), stop=stop)
    with pytest.raises(StoppedError):
        child.predict(prediction_in(tmp_path))


def test_a_running_child_is_visible(supervisor: Supervisor, request_: TrainingRequest) -> None:
    child, seen = supervisor("works"), []
    assert not child.at_work
    child.train(request_, on_epoch=lambda _: seen.append(child.at_work))
    assert seen[0]
    assert not child.at_work


def test_an_error_of_the_predictor_comes_out_as_it_was_raised(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not the one that was recorded"):
        supervisor("works").predict(prediction_in(tmp_path, weights_sha256="0" * 64))
