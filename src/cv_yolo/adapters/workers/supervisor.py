"""A training, a prediction or an inspection in a supervised child process."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from cv_yolo import errors
from cv_yolo.adapters.workers.messages import ChildError, PredictionMessage, Request, from_message, read, write
from cv_yolo.adapters.workers.starters import Child, Starter
from cv_yolo.disk import room_at
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.ports.models import InspectionRequest, OnEpoch, Prediction, PredictionRequest, WeightsInfo

POLL_S: Final = 0.1
GRACE_S: Final = 2.0  # a stopped command exits within ten seconds, its records included
LOG_TAIL_LINES: Final = 15


class ChildProcess:
    """`Trainer`, `Predictor` and `WeightsInspector` that let a child process do the work.

    When `stop` is set, the child is terminated, killed after `GRACE_S`, and `StoppedError` is raised.
    """

    def __init__(self, starter: Starter, *, stop: threading.Event) -> None:
        self._starter, self._stop = starter, stop
        self._children: set[Child] = set()

    @property
    def at_work(self) -> bool:
        """Whether a child is running."""
        return bool(self._children)

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        """Train in a child; raises what the child raised, or `TrainingFailedError` where it just died."""
        self._run(request.workdir, request, on_epoch=on_epoch, died=errors.TrainingFailedError)
        result: TrainingResult = read(request.workdir / "result.json", TrainingResult)
        return result

    def predict(self, request: PredictionRequest) -> Prediction:
        """Predict in a child; raises what the child raised, or `EvaluationFailedError` where it just died."""
        self._run(request.workdir, request, on_epoch=None, died=errors.EvaluationFailedError)
        return from_message(request, read(request.workdir / "result.json", PredictionMessage))

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """Read weights in a child; raises what the child raised, or `WeightsError` where it just died."""
        self._run(request.workdir, request, on_epoch=None, died=errors.WeightsError)
        info: WeightsInfo = read(request.workdir / "result.json", WeightsInfo)
        return info

    def _run(
        self,
        folder: Path,
        request: Request,
        *,
        on_epoch: OnEpoch | None,
        died: type[errors.CvYoloError],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "error.json", "events.jsonl"):
            (folder / name).unlink(missing_ok=True)
        write(folder / "request.json", request, Request)
        with (folder / "output.log").open("wb") as log:
            child = self._starter.start(folder, log)
            self._children.add(child)
            try:
                self._supervise(child, folder, on_epoch)
            finally:
                _end(child)
                self._children.discard(child)
        if self._stop.is_set() and not (folder / "result.json").is_file():
            raise errors.StoppedError("stopped while a child process was running")
        _raise_for_outcome(folder, child.wait(), died)

    def _supervise(self, child: Child, folder: Path, on_epoch: OnEpoch | None) -> None:
        reported = 0
        running = True
        while running and not self._stop.is_set():
            running = child.poll() is None
            if on_epoch is not None:
                reported = _report_new_epochs(folder / "events.jsonl", reported, on_epoch)
            if running:
                time.sleep(POLL_S)


def _end(child: Child) -> None:
    """Leave no child behind: terminate it, then kill it."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
    child.wait()
    child.close()


def _raise_for_outcome(folder: Path, exit_code: int, died: type[errors.CvYoloError]) -> None:
    if (folder / "error.json").is_file():
        failure = read(folder / "error.json", ChildError)
        known = getattr(errors, failure.kind, None)
        if isinstance(known, type) and issubclass(known, errors.CvYoloError):
            raise known(failure.message, hint=failure.hint)
        raise died(f"{failure.kind}: {failure.message}{_full(folder)}", hint=f"see {folder / 'output.log'}")
    if exit_code != 0 or not (folder / "result.json").is_file():
        how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"exited with code {exit_code}"
        raise died(f"the child process {how} and left no result{_full(folder)}", hint=_log_hint(folder / "output.log"))


def _full(folder: Path) -> str:
    """What there is to say where a child may have failed for want of room, though it could not write so itself."""
    room = room_at(folder)
    return f"; the disk is full: {room.sentence}" if room.full else ""


def _log_hint(log: Path) -> str:
    tail = errors.without_escapes(log.read_text(encoding="utf-8", errors="replace")).splitlines()[-LOG_TAIL_LINES:]
    return f"see {log}" + "".join(f"\n  | {line}" for line in tail)


def _report_new_epochs(events: Path, reported: int, on_epoch: OnEpoch) -> int:
    lines = events.read_bytes().splitlines(keepends=True) if events.is_file() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    for line in whole[reported:]:
        on_epoch(TypeAdapter(EpochMetrics).validate_json(line))
    return len(whole)
