"""A training, a prediction or an inspection in a supervised child process: both ends of the protocol.

The two ends share a folder: `request.json` says what to do, `events.jsonl` grows by one line for each epoch,
`result.json` or `error.json` is the outcome, `output.log` is all that the child printed. The child exits when its
standard input closes, so that it does not outlive a killed supervisor.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Final, Protocol

import numpy as np
from pydantic import Field, TypeAdapter

from cv_yolo import errors
from cv_yolo.disk import room_at
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.files import write_whole
from cv_yolo.ports.models import (
    InspectionRequest,
    OnEpoch,
    Prediction,
    PredictionRequest,
    Predictor,
    Trainer,
    WeightsInfo,
    WeightsInspector,
)

POLL_S: Final = 0.1
GRACE_S: Final = 2.0  # a stopped command exits within ten seconds, its records included
LOG_TAIL_LINES: Final = 15
ORPHAN_EXIT_CODE: Final = 113
Request = Annotated[TrainingRequest | PredictionRequest | InspectionRequest, Field(union_mode="left_to_right")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionRow:
    """One detection on its way between the processes."""

    image: str
    xyxy: tuple[float, float, float, float]
    class_id: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionMessage:
    """A prediction on its way between the processes."""

    rows: tuple[DetectionRow, ...]
    predictor: str
    latency_ms: float | None
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildError:
    """How the child failed: the name of the error's class in `cv_yolo.errors`, and its message."""

    kind: str
    message: str
    hint: str | None


class Child(Protocol):
    """A child process, as its supervisor sees it; the methods are those of `subprocess.Popen`."""

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the child has exited; raises `subprocess.TimeoutExpired`."""

    def terminate(self) -> None:
        """Ask the child to exit."""

    def kill(self) -> None:
        """Kill the child."""

    def close(self) -> None:
        """Close the child's standard input."""


class Starter(Protocol):
    """Starts child processes."""

    def start(self, folder: Path, log: IO[bytes]) -> Child:
        """Start the child that does what `folder` asks for; what it prints goes to `log`."""


class SpawnedChild(subprocess.Popen[bytes]):
    """A child that is a new process."""

    def close(self) -> None:
        """Close the child's standard input."""
        if self.stdin is not None:
            self.stdin.close()


class NewProcess:
    """Starts each child as a new process: `command`, with the folder appended."""

    def __init__(self, *, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = tuple(command), dict(environment)

    def start(self, folder: Path, log: IO[bytes]) -> SpawnedChild:
        """Start the child."""
        return SpawnedChild(
            [*self._command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
            umask=0o077,  # it writes in the home only
        )


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
        result: TrainingResult = _read(request.workdir / "result.json", TrainingResult)
        return result

    def predict(self, request: PredictionRequest) -> Prediction:
        """Predict in a child; raises what the child raised, or `EvaluationFailedError` where it just died."""
        self._run(request.workdir, request, on_epoch=None, died=errors.EvaluationFailedError)
        return _from_message(request, _read(request.workdir / "result.json", PredictionMessage))

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """Read weights in a child; raises what the child raised, or `WeightsError` where it just died."""
        self._run(request.workdir, request, on_epoch=None, died=errors.WeightsError)
        info: WeightsInfo = _read(request.workdir / "result.json", WeightsInfo)
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
        _write(folder / "request.json", request, Request)
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


def serve(folder: Path, *, trainer: Trainer, predictor: Predictor, inspector: WeightsInspector) -> int:
    """The child's end: do what `request.json` says; the return value is the process's exit code."""
    _end_with_supervisor()
    try:
        request = _read(folder / "request.json", Request)
        if isinstance(request, TrainingRequest):
            result = trainer.train(request, on_epoch=lambda epoch: _append(folder / "events.jsonl", epoch))
            _write(folder / "result.json", result, TrainingResult)
        elif isinstance(request, PredictionRequest):
            _write(folder / "result.json", _to_message(predictor.predict(request)), PredictionMessage)
        else:
            _write(folder / "result.json", inspector.inspect(request), WeightsInfo)
    except Exception as error:
        _write(folder / "error.json", _describe(error), ChildError)
        raise
    return 0


def _end_with_supervisor() -> None:
    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # empty at the end: the supervisor has exited
            continue
        os._exit(ORPHAN_EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()


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
        failure = _read(folder / "error.json", ChildError)
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


def _describe(error: Exception) -> ChildError:
    hint = error.hint if isinstance(error, errors.CvYoloError) else None
    message = " ".join(errors.without_escapes(str(error)).split())
    return ChildError(kind=type(error).__name__, message=message, hint=hint)


def _report_new_epochs(events: Path, reported: int, on_epoch: OnEpoch) -> int:
    lines = events.read_bytes().splitlines(keepends=True) if events.is_file() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    for line in whole[reported:]:
        on_epoch(TypeAdapter(EpochMetrics).validate_json(line))
    return len(whole)


def _append(events: Path, epoch: EpochMetrics) -> None:
    line = json.dumps(TypeAdapter(EpochMetrics).dump_python(epoch))  # a loss may be NaN, which `dump_json` drops
    with events.open("ab") as file:
        file.write(line.encode() + b"\n")


def _write(path: Path, value: object, kind: Any) -> None:
    write_whole(path, TypeAdapter(kind).dump_json(value, indent=1).decode())


def _read(path: Path, kind: Any) -> Any:
    return TypeAdapter(kind).validate_json(path.read_bytes())


def _to_message(prediction: Prediction) -> PredictionMessage:
    rows = tuple(
        DetectionRow(image=each.image, xyxy=tuple(box), class_id=int(class_id), confidence=float(confidence))
        for each in prediction.detections
        for box, class_id, confidence in zip(each.boxes_xyxy.tolist(), each.class_ids, each.confidences, strict=True)
    )
    return PredictionMessage(
        rows=rows, predictor=prediction.predictor, classes=prediction.classes, latency_ms=prediction.latency_ms
    )


def _from_message(request: PredictionRequest, message: PredictionMessage) -> Prediction:
    by_image: dict[str, list[DetectionRow]] = {image: [] for image in request.images}
    for row in message.rows:
        by_image[row.image].append(row)
    return Prediction(
        detections=tuple(_detections(image, rows) for image, rows in by_image.items()),
        predictor=message.predictor,
        classes=message.classes,
        settings=request.settings,
        latency_ms=message.latency_ms,
    )


def _detections(image: str, rows: list[DetectionRow]) -> Detections:
    return Detections(
        image=image,
        boxes_xyxy=np.array([row.xyxy for row in rows], dtype=np.float64).reshape(-1, 4),
        class_ids=np.array([row.class_id for row in rows], dtype=np.int64),
        confidences=np.array([row.confidence for row in rows], dtype=np.float64),
    )
