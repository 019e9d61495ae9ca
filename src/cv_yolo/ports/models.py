"""How detectors are trained and run, and how their predictions are stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.data.categories import Categories
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest, TrainingResult

OnEpoch = Callable[[EpochMetrics], None]


class Trainer(Protocol):
    """Trains a detector."""

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        """Train to the end, reporting each epoch once; raises `TrainingFailedError` or `StoppedError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """Detections wanted: by which weights, for which images of a folder, with which settings.

    `trusted` allows weights that hold more than tensors and known layers, which may run code when they are loaded.
    """

    weights: Path
    weights_sha256: str
    root: Path
    images: tuple[str, ...]
    settings: PredictionSettings
    device: str
    threads: int
    workdir: Path
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Detections, an entry for each image in order, and how they came about.

    `predictor` is the library that found them, with its version; `latency_ms` the median time for one image; `classes`
    the names that the weights give their class ids, by id. What a foreign file of detections does not say is None.
    """

    detections: tuple[Detections, ...]
    predictor: str
    classes: tuple[str, ...] | None = None
    settings: PredictionSettings | None = None
    latency_ms: float | None = None


class Predictor(Protocol):
    """Finds objects in images."""

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections in the images asked for; raises `WeightsError` or `EvaluationFailedError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRequest:
    """A weights file to be inspected, in a separate folder.

    `trusted` allows a file that holds more than tensors and known layers, which may run code when it is loaded.
    """

    weights: Path
    weights_sha256: str
    workdir: Path
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsInfo:
    """A weights file's description of its detector: the names of its classes, by id."""

    classes: tuple[str, ...]


class WeightsInspector(Protocol):
    """Reads what a weights file says about its detector, without running it."""

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """The detector's description; raises `WeightsError` for a file that is not a detector or cannot be trusted."""


class PredictionFile(Protocol):
    """Keeps predictions as files; raises `EvaluationFailedError` for an invalid file, or one of other images."""

    def write(self, path: Path, prediction: Prediction) -> None: ...
    def read(self, content: bytes, images: Sequence[str]) -> Prediction:
        """The prediction for exactly these images, in this order."""

    def read_coco(self, path: Path, images: Sequence[str], *, categories: Categories) -> Prediction:
        """Detections from a COCO results JSON; their classes are the names of the categories, in the same order.

        Raises `InputError` for a file that is none, and for ids that the categories or the images do not name.
        """

    def read_categories(self, path: Path) -> Categories:
        """The categories, and the images if there are any, of COCO annotations or of a list of `id` and `name`."""
