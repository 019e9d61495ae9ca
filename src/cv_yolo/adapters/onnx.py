"""Checks ONNX models before a `Predictor`: refuses what Ultralytics would silently misinterpret.

A model may keep its tensors in other files, which its own hash does not cover and which may lie anywhere: it is read as
data first (protobuf's wire format), and refused before ONNX Runtime sees it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cv_yolo.errors import WeightsError
from cv_yolo.files import read_weights, write_bytes_whole
from cv_yolo.ports.models import (
    InspectionRequest,
    Prediction,
    PredictionRequest,
    Predictor,
    WeightsInfo,
    WeightsInspector,
)

DETECTION = "detect"
# Which fields of ONNX's messages hold tensors, or messages that do; everything else is passed over.
MESSAGES: Final = {
    "model": {7: "graph", 14: "metadata", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # protobuf's wire types
MOST_BITS = 64
DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A model's metadata, and whether it keeps tensors in other files."""

    metadata: dict[str, str]
    external: bool


class OnnxGuard:
    """Looks at exported models (`.onnx`) and hands on to a predictor: a detector of the image size asked for."""

    def __init__(self, predictor: Predictor, inspector: WeightsInspector) -> None:
        self._predictor, self._inspector = predictor, inspector

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections; raises `WeightsError` for an exported model that cannot be used as asked."""
        if request.weights.suffix != ".onnx":
            return self._predictor.predict(request)
        content = read_weights(request.weights, request.weights_sha256)
        _require_detector(request.weights, content)
        _require_usable(request.weights, content, request.settings.image_size_px)
        checked = request.workdir / "checked" / request.weights.name  # of exactly the bytes that were looked at
        try:
            write_bytes_whole(checked, content, mode=0o600)
            return self._predictor.predict(replace(request, weights=checked))
        finally:
            checked.unlink(missing_ok=True)

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """The class names that an exported model carries; other weights are handed on."""
        if request.weights.suffix != ".onnx":
            return self._inspector.inspect(request)
        content = read_weights(request.weights, request.weights_sha256)
        return WeightsInfo(classes=_classes(request.weights, _require_detector(request.weights, content)))


def _require_detector(weights: Path, content: bytes) -> dict[str, str]:
    try:
        described = _describe(content)
    except (ValueError, IndexError, RecursionError) as error:
        raise WeightsError(f"{weights}: does not load as an ONNX model: {error}") from error
    if described.external:
        raise WeightsError(
            f"{weights}: keeps tensors in other files, which its sha256 does not cover",
            hint="save the model as one file, without external data",
        )
    task = described.metadata.get("task", DETECTION)
    if task != DETECTION:
        raise WeightsError(f"{weights}: a model for the task {task!r}, not for detection")
    return described.metadata


def _classes(weights: Path, metadata: dict[str, str]) -> tuple[str, ...]:
    try:
        names = ast.literal_eval(metadata["names"])
        by_id = {int(class_id): str(name) for class_id, name in dict(names).items()}
        return tuple(by_id[class_id] for class_id in range(len(by_id)))
    except (KeyError, ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        raise WeightsError(
            f"{weights}: does not say the names of its classes",
            hint="export it with Ultralytics, which records them as `names` in the metadata",
        ) from error


def _require_usable(weights: Path, content: bytes, image_size_px: int) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise WeightsError(
            f"{weights}: an ONNX model needs onnxruntime, which is not installed",
            hint="install the extra `onnx`: pip install 'zenml-cv-yolo[onnx]'",
        ) from error
    try:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds for an invalid model
        raise WeightsError(f"{weights}: does not load as an ONNX model: {' '.join(str(error).split())}") from error
    sides = [side for side in session.get_inputs()[0].shape[2:] if isinstance(side, int)]  # a free one is a name
    if any(side != image_size_px for side in sides):
        raise WeightsError(
            f"{weights}: exported for images of {' × '.join(map(str, sides))} pixels, not of {image_size_px}",
            hint=f"use --image-size {sides[0]}, or export it with dynamic=True",
        )


def _describe(content: bytes) -> Described:
    metadata: dict[str, str] = {}
    external = False
    waiting = [("model", memoryview(content), 0)]
    while waiting:
        kind, message, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError("messages are nested too deeply")
        for field, value in _fields(message):
            if kind == "tensor":
                external = external or field == EXTERNAL_DATA or (field == DATA_LOCATION and value != 0)
            elif (inner := MESSAGES[kind].get(field)) is not None and isinstance(value, memoryview):
                if inner == "metadata":
                    metadata |= dict([_entry(value)])
                else:
                    waiting.append((inner, value, depth + 1))
    return Described(metadata=metadata, external=external)


def _entry(message: memoryview) -> tuple[str, str]:
    fields = {field: bytes(value).decode() for field, value in _fields(message) if isinstance(value, memoryview)}
    return fields.get(1, ""), fields.get(2, "")


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message with their values: numbers, or bytes; raises `ValueError` for anything else."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire, size = key & 7, 0
        if wire == VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if wire == BYTES:
            size, at = _varint(message, at)
        elif wire in {FIXED64, FIXED32}:
            size = 8 if wire == FIXED64 else 4
        else:
            raise ValueError("not protobuf")
        if at + size > len(message):
            raise ValueError("cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, MOST_BITS, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return value, at
    raise ValueError("a number is not terminated")
