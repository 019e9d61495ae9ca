"""Ultralytics behind the port `Predictor`."""

from collections.abc import Iterator
from importlib.metadata import version
from statistics import median
from typing import Any

import numpy as np

from cv_yolo.adapters.ultralytics.library import prepare, set_threads
from cv_yolo.adapters.ultralytics.weights import TASK, classes_of, keep_loaders_out, load_detector
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.evaluation.evaluation import SQUARE
from cv_yolo.errors import EvaluationFailedError, WeightsError
from cv_yolo.files import read_weights
from cv_yolo.ports.models import Prediction, PredictionRequest


class UltralyticsPredictor:
    """Detects objects with a YOLO detector: weights of PyTorch (`.pt`) or an exported ONNX model (`.onnx`)."""

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections in each image, in order.

        Each image is predicted alone, letterboxed to the same square: no other image changes its detections.
        """
        if request.settings.letterbox != SQUARE:
            raise EvaluationFailedError(f"images are letterboxed to a square, not by {request.settings.letterbox!r}")
        detector = _loaded(request)
        set_threads(request.threads)
        results = list(_results(detector, request))
        if len(results) != len(request.images):
            raise EvaluationFailedError(f"{len(results)} predictions for {len(request.images)} images")
        return Prediction(
            detections=tuple(_detections(image, result) for image, result in zip(request.images, results, strict=True)),
            predictor=f"ultralytics {version('ultralytics')} ({request.weights.suffix.removeprefix('.')})",
            classes=_classes(detector.model),
            settings=request.settings,
            latency_ms=median(sum(result.speed.values()) for result in results) if results else None,
        )


def _loaded(request: PredictionRequest) -> Any:
    """Ultralytics' predictor with the model asked for; raises `WeightsError`."""
    if request.weights.suffix == ".onnx":
        read_weights(request.weights, request.weights_sha256)
        prepare()
        keep_loaders_out()
        return _set_up(request, str(request.weights))
    if request.weights.suffix != ".pt":
        raise WeightsError(f"{request.weights}: not a weights file", hint="weights are .pt or .onnx files")
    return _set_up(request, load_detector(request.weights, request.weights_sha256, trusted=request.trusted))


def _set_up(request: PredictionRequest, model: Any) -> Any:
    from ultralytics.models.yolo.detect import DetectionPredictor

    settings = request.settings
    detector = DetectionPredictor(
        overrides={
            "task": TASK,
            "mode": "predict",
            "model": str(request.weights),
            "imgsz": settings.image_size_px,
            "rect": False,  # one square for every image, whatever its own shape is
            "batch": 1,
            "conf": settings.confidence_threshold,
            "iou": settings.nms_iou_threshold,
            "max_det": settings.max_detections,
            "device": None if request.device == "auto" else request.device,
            "project": str(request.workdir),
            "save": False,
            "verbose": False,
        }
    )
    try:
        detector.setup_model(model=model, verbose=False)
    except Exception as error:  # Ultralytics and ONNX Runtime raise many kinds for an invalid model
        reason = " ".join(str(error).split())
        raise WeightsError(f"{request.weights}: does not load as YOLO weights: {reason}") from error
    return detector


def _results(detector: Any, request: PredictionRequest) -> Iterator[Any]:
    for image in request.images:
        yield from detector([str(request.root / image)])  # a list: a name with `*` or `.txt` is still an image


def _classes(model: Any) -> tuple[str, ...] | None:
    """None where an exported model does not say them: Ultralytics makes some up."""
    return classes_of(model) if model.format == "pt" or model.metadata.get("names") else None


def _detections(image: str, result: Any) -> Detections:
    boxes = result.boxes.cpu().numpy()
    return Detections(
        image=image,
        boxes_xyxy=np.asarray(boxes.xyxy, dtype=np.float64).reshape(-1, 4),
        class_ids=np.asarray(boxes.cls, dtype=np.int64),
        confidences=np.asarray(boxes.conf, dtype=np.float64),
    )
