"""What weights say about themselves."""

from cv_yolo.adapters.ultralytics.checkpoint import read_checkpoint
from cv_yolo.adapters.ultralytics.weights import classes_of, load_detector
from cv_yolo.errors import WeightsError
from cv_yolo.files import read_weights
from cv_yolo.ports import InspectionRequest, WeightsInfo


class UltralyticsInspector:
    """Reads the class names of PyTorch weights (`.pt`), without running them unless they are trusted."""

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """The class names by id; raises `WeightsError`."""
        path, sha256 = request.weights, request.weights_sha256
        if path.suffix != ".pt":
            raise WeightsError(f"{path}: not a .pt file", hint="weights are .pt or .onnx files")
        if request.trusted:
            return WeightsInfo(classes=classes_of(load_detector(path, sha256, trusted=True)))
        return WeightsInfo(classes=tuple(read_checkpoint(read_weights(path, sha256), path).classes.values()))
