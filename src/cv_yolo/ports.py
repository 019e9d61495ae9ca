"""What the workflows need from the world, in our words; adapters fetch it, fakes stand in for it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.audit import Entry
from cv_yolo.domain.chain import Finding
from cv_yolo.domain.dataset import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.evaluation import PredictionSettings
from cv_yolo.domain.geometry import Boxes
from cv_yolo.domain.runs import Run, RunStatus
from cv_yolo.domain.training import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.domain.versions import ModelVersion, Stage

OnEpoch = Callable[[EpochMetrics], None]


class Trainer(Protocol):
    """Trains a detector."""

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        """Train to the end, telling each epoch once; raises `TrainingFailedError` or `StoppedError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRequest:
    """Detections wanted: by which weights, for which images of a folder, with which settings."""

    weights: Path
    weights_sha256: str
    root: Path
    images: tuple[str, ...]
    settings: PredictionSettings
    device: str
    threads: int
    workdir: Path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Detections, an entry for each image in order, and how they came about.

    `predictor` is the library that found them, with its version; `latency_ms` the median time for one image. What a
    foreign file of detections does not say is None.
    """

    detections: tuple[Detections, ...]
    predictor: str
    settings: PredictionSettings | None = None
    latency_ms: float | None = None


class Predictor(Protocol):
    """Finds objects in images."""

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections in the images asked for; raises `WeightsError` or `EvaluationFailedError`."""


class PredictionFile(Protocol):
    """Keeps predictions as files; raises `EvaluationFailedError` for a file that is none, or not of these images."""

    def write(self, path: Path, prediction: Prediction) -> None: ...
    def read(self, content: bytes, images: Sequence[str]) -> Prediction:
        """The prediction for exactly these images, in this order."""

    def read_coco(self, path: Path, images: Sequence[str], *, first_class: int) -> Prediction:
        """Detections from a COCO results JSON whose class numbers begin with `first_class`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run to be tracked: every parameter that determines it, and where it comes from."""

    name: str
    params: dict[str, str]
    tags: dict[str, str]


class ExperimentTracker(Protocol):
    """Keeps the record of every run; a run is named by its id, never by process-wide state.

    Raises `ServiceUnavailableError` where the store does not answer, `NotFoundError` for an unknown run id.
    """

    def start(self, run: NewRun) -> str: ...
    def log_epoch(self, run_id: str, epoch: EpochMetrics) -> None: ...
    def log_metrics(self, run_id: str, metrics: dict[str, float]) -> None: ...
    def tag(self, run_id: str, tags: dict[str, str]) -> None: ...
    def log_artifacts(self, run_id: str, files: Iterable[Path], folder: str = "") -> None: ...
    def finish(self, run_id: str, status: RunStatus, reason: str | None = None) -> None: ...
    def get(self, run_id: str) -> Run: ...
    def runs(self) -> tuple[Run, ...]: ...
    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]: ...
    def artifact(self, run_id: str, path: str) -> bytes: ...
    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run; none where there is no such folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be registered: the run that made it, its weights, and the threshold it is to be used at."""

    run_id: str
    weights: Path
    weights_sha256: str
    confidence_threshold: float | None = None


class ModelRegistry(Protocol):
    """Holds the versions of one model, each in one stage or in none."""

    def register(self, new: NewVersion, *, version: str | None = None) -> ModelVersion:
        """The version of this run; made if there is none yet, under the name `version` if the registry takes names."""

    def versions(self) -> tuple[ModelVersion, ...]: ...
    def set_stage(self, version: str, stage: Stage | None) -> None:
        """Put a version into a stage, or out of any; who held staging or production before becomes archived."""


class AuditLog(Protocol):
    """Keeps the entries of one model; raises `AuditLogError` where they cannot be read or written."""

    def entries(self) -> tuple[Entry, ...]: ...
    def damage(self) -> tuple[Finding, ...]:
        """The lines that are no entries, because of which `entries` raises."""

    def append(self, entry: Entry) -> None:
        """Write an entry at the end; it outlives whatever happens once this has returned."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other process of this machine out; raises `ServiceUnavailableError` after a long wait."""


class Anchor(Protocol):
    """A text kept with the registered model, away from the log whose end it names."""

    def anchor(self) -> str | None: ...
    def set_anchor(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDataset:
    """What is in a data set's folder now: every image decoded, every label checked."""

    classes: tuple[str, ...]
    images: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A picture to be written: (H, W, 3) RGB `uint8` values, and the boxes of its objects (class 0)."""

    split: Split
    name: str
    pixels: npt.NDArray[np.uint8]
    boxes_xyxy: Boxes


class Painter(Protocol):
    """Draws pictures of persons."""

    def __call__(self, rng: np.random.Generator, *, size_px: int) -> tuple[npt.NDArray[np.uint8], Boxes]:
        """A picture, (size_px, size_px, 3) RGB, and the (N, 4) pixel corners of the persons in it."""


class DatasetFolder(Protocol):
    """Reads and writes a data set's folder; raises `DatasetError` that names the file."""

    def exists(self, root: Path) -> bool: ...
    def scan(self, root: Path) -> FoundDataset: ...
    def recorded(self, root: Path) -> tuple[ImageRecord, ...] | None:
        """What the manifest in the folder records, or None where the folder has none."""

    def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]: ...
    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[Picture], origin: dict[str, str]
    ) -> DatasetManifest:
        """Write pictures, labels and manifest, swapped in whole: a failure leaves the former data untouched."""


class DatasetStore(Protocol):
    """Keeps the revisions of data sets."""

    def pull(self, root: Path) -> bool:
        """Fetch the recorded revision; False where there is none to fetch."""

    def make(self, root: Path) -> bool:
        """Make the data by its recorded recipe and keep the result; False where there is no recipe."""

    def content_hash(self, root: Path) -> str | None: ...
    def recorded_hash(self, root: Path) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A small JPEG of an image, and the size of the image itself, upright, in which its boxes are told."""

    jpeg: bytes
    width_px: int
    height_px: int


class Gallery(Protocol):
    """Makes pictures for people."""

    def thumbnails(self, root: Path, images: Iterable[str]) -> dict[str, Thumbnail]:
        """Small copies of images, by path."""

    def truth_beside_predictions(
        self, root: Path, pairs: Sequence[tuple[GroundTruth, Detections]], *, confidence_threshold: float, out: Path
    ) -> Path:
        """One sheet: each image twice, with its annotated boxes and with what was detected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object in an object store, without its content."""

    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """Keeps objects in buckets.

    Raises `ServiceUnavailableError` where the store does not answer or refuses our key, `NotFoundError` for what is not
    there.
    """

    def buckets(self) -> tuple[str, ...]: ...
    def make_bucket(self, bucket: str) -> bool:
        """Make the bucket; False where it is there already."""

    def put(self, bucket: str, key: str, content: bytes) -> None: ...
    def get(self, bucket: str, key: str) -> bytes: ...
    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is fine."""

    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """All objects of a bucket whose keys begin so, in the order of their keys."""
