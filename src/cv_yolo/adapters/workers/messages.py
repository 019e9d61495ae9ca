"""What supervisor and worker exchange, as JSON files in a folder that they share.

`request.json` says what to do, `events.jsonl` grows by one line for each epoch, `result.json` or `error.json` is the
outcome, and `output.log` is all that the worker printed.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, TypeAdapter

from cv_yolo import errors
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest
from cv_yolo.files import write_whole
from cv_yolo.ports.models import InspectionRequest, Prediction, PredictionRequest

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


def describe(error: Exception) -> ChildError:
    """An error as a message."""
    hint = error.hint if isinstance(error, errors.CvYoloError) else None
    message = " ".join(errors.without_escapes(str(error)).split())
    return ChildError(kind=type(error).__name__, message=message, hint=hint)


def append(events: Path, epoch: EpochMetrics) -> None:
    """Add the line of an epoch."""
    line = json.dumps(TypeAdapter(EpochMetrics).dump_python(epoch))  # a loss may be NaN, which `dump_json` drops
    with events.open("ab") as file:
        file.write(line.encode() + b"\n")


def write(path: Path, value: object, kind: Any) -> None:
    """Write a message of that type, whole or not at all."""
    write_whole(path, TypeAdapter(kind).dump_json(value, indent=1).decode())


def read(path: Path, kind: Any) -> Any:
    """Read a message of that type."""
    return TypeAdapter(kind).validate_json(path.read_bytes())


def to_message(prediction: Prediction) -> PredictionMessage:
    """A prediction as a message."""
    rows = tuple(
        DetectionRow(image=each.image, xyxy=tuple(box), class_id=int(class_id), confidence=float(confidence))
        for each in prediction.detections
        for box, class_id, confidence in zip(each.boxes_xyxy.tolist(), each.class_ids, each.confidences, strict=True)
    )
    return PredictionMessage(
        rows=rows, predictor=prediction.predictor, classes=prediction.classes, latency_ms=prediction.latency_ms
    )


def from_message(request: PredictionRequest, message: PredictionMessage) -> Prediction:
    """The prediction that answers a request, with an entry for each image."""
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
