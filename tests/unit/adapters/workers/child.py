"""A child process as `cv-yolo worker` is one, with fakes at work: `python child.py BEHAVIOUR FOLDER`.

`python child.py BEHAVIOUR --server DESCRIPTOR` forks such children.
"""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cv_yolo.adapters.workers.fork_server import serve_jobs
from cv_yolo.adapters.workers.worker import serve
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.errors import WeightsError
from cv_yolo.ports.models import OnEpoch, Trainer
from tests.fakes import FakeInspector, FakePredictor, FakeTrainer


class HangingTrainer:
    """Reports one epoch, then never returns."""

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        (request.workdir / "pid").write_text(str(os.getpid()), encoding="utf-8")
        on_epoch(EpochMetrics(epoch=1, values={"val/map_50": 0.1}))
        time.sleep(60)
        raise AssertionError("this process was not terminated")


class KilledTrainer:
    """Prints a line and is killed, as by the system when memory runs out."""

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        print("allocating 64 GiB", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


def ignores_sigterm() -> Trainer:
    """Hangs, and ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return HangingTrainer()


FOUND = Detections(
    image="images/val/1.jpg",
    boxes_xyxy=np.array([[1.25, 2.5, 30.1, 40.7], [0.0, 0.0, 1 / 3, 2 / 3]]),
    class_ids=np.array([0, 1]),
    confidences=np.array([0.9, 0.123456789]),
)
TRAINERS: dict[str, Callable[[], Trainer]] = {
    "works": FakeTrainer,
    "diverges": lambda: FakeTrainer(values=lambda epoch: {"train/box_loss": float("nan"), "lr": float("inf")}),
    "refuses": lambda: FakeTrainer(fails=WeightsError("best.pt: does not\n  load", hint="give another file")),
    "breaks": lambda: FakeTrainer(fails=MemoryError("cannot allocate")),
    "is killed": KilledTrainer,
    "hangs": HangingTrainer,
    "ignores SIGTERM": ignores_sigterm,
}


def work(behaviour: str, folder: Path) -> int:
    """Do what the folder asks for."""
    trainer, predictor = TRAINERS[behaviour](), FakePredictor([FOUND])
    return serve(folder, trainer=trainer, predictor=predictor, inspector=FakeInspector())


if __name__ == "__main__":
    behaviour, *rest = sys.argv[1:]
    if rest[0] == "--server":
        serve_jobs(socket.socket(fileno=int(rest[1])), lambda folder: work(behaviour, folder))
    sys.exit(work(behaviour, Path(rest[0])))
