"""What weights say about themselves, read without running them."""

from cv_yolo.adapters.ultralytics.checkpoint import read_checkpoint
from cv_yolo.errors import WeightsError
from cv_yolo.files import read_weights
from cv_yolo.ports import InspectionRequest, WeightsInfo


class UltralyticsInspector:
    """Reads the class names of PyTorch weights (`.pt`)."""

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """The class names by id; raises `WeightsError`."""
        if request.weights.suffix != ".pt":
            raise WeightsError(f"{request.weights}: not a .pt file", hint="weights are .pt or .onnx files")
        content = read_weights(request.weights, request.weights_sha256)
        return WeightsInfo(classes=tuple(read_checkpoint(content, request.weights).classes.values()))
