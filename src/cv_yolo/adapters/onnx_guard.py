"""ONNX Runtime before a `Predictor`: what Ultralytics would take silently for what it is not is refused here."""

from pathlib import Path

from cv_yolo.errors import WeightsError
from cv_yolo.ports import Prediction, PredictionRequest, Predictor

DETECTION = "detect"


class OnnxGuard:
    """Looks at exported models (`.onnx`) and hands on to a predictor: a detector of the image size asked for."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections; raises `WeightsError` for an exported model that cannot be used as asked."""
        if request.weights.suffix == ".onnx":
            _require_usable(request.weights, request.settings.image_size_px)
        return self._predictor.predict(request)


def _require_usable(weights: Path, image_size_px: int) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise WeightsError(
            f"{weights}: an ONNX model needs onnxruntime, which is not installed",
            hint="install the extra `onnx`: pip install 'zenml-cv-yolo[onnx]'",
        ) from error
    try:
        session = onnxruntime.InferenceSession(str(weights), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds for a file that is no model
        raise WeightsError(f"{weights}: does not load as an ONNX model: {' '.join(str(error).split())}") from error
    task = session.get_modelmeta().custom_metadata_map.get("task", DETECTION)
    if task != DETECTION:
        raise WeightsError(f"{weights}: a model for the task {task!r}, not for detection")
    sides = [side for side in session.get_inputs()[0].shape[2:] if isinstance(side, int)]  # a free one is a name
    if any(side != image_size_px for side in sides):
        raise WeightsError(
            f"{weights}: exported for images of {' × '.join(map(str, sides))} pixels, not of {image_size_px}",
            hint=f"say --image-size {sides[0]}, or export it with dynamic=True",
        )
