"""Everything that determines a training, and what comes out of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.manifest import DatasetManifest

TRAINING_VERSION: Final = "1"  # counts up when the same spec and data give other weights
FORMER_CODE_VERSIONS: Final = {  # a hash of source files, by which trainings of version 1 were known before
    "training 1, numpy 2.4.6, opencv-python 5.0.0.93, pillow 13.0.0, torch 2.15.0, torchvision 0.29.2, "
    "ultralytics 8.4.190": "429e9e42fefd97be0cda8496712fcaa1725d82619bccf3959f5a549cf1739384",
}
STRIDE_PX: Final = 32  # YOLO's deepest feature map: an image size must be a multiple of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSpec:
    """Everything that determines one training beside the data.

    `weights` is where the training starts from and `weights_sha256` its content; `code_version` is `TRAINING_VERSION`
    with the versions of the libraries; `threads` is part of it because sums in another order round differently.
    `trusted` allows starting weights that hold more than tensors and known layers, which may run code when loaded.
    """

    epochs: int
    image_size_px: int
    batch_size: int
    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    warmup_epochs: float
    mosaic: float
    seed: int
    device: str
    threads: int
    weights: str
    weights_sha256: str
    code_version: str
    trusted: bool = False

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, not {self.epochs}")
        if self.image_size_px < STRIDE_PX or self.image_size_px % STRIDE_PX:
            raise ValueError(f"image_size_px must be a positive multiple of {STRIDE_PX}, not {self.image_size_px}")

    @property
    def name(self) -> str:
        """A short name, unique among the runs of a grid: `e3_s320`."""
        return f"e{self.epochs}_s{self.image_size_px}"

    @property
    def cost(self) -> int:
        """Pixels that pass through the network, for each training image: what a training costs, relatively."""
        return self.epochs * self.image_size_px**2


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochMetrics:
    """What one epoch measured (counted from 1): losses, learning rates, validation scores, by name."""

    epoch: int
    values: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """One training to be done: the spec, the data, and the folder in which it may write."""

    spec: TrainingSpec
    manifest: DatasetManifest
    dataset_root: Path
    weights: Path
    workdir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """What a training left: weights, their hash, pictures and tables about it.

    `epochs_completed` may be below the spec's epochs only where training stopped early by its own rule.
    """

    weights: Path
    weights_sha256: str
    size_bytes: int
    epochs_completed: int
    duration_s: float
    artifacts: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedModel:
    """A trained model: its weights file, how it was made, and the tracking run that holds the record.

    `classes` are the names of its classes by id; None in records of earlier versions.
    """

    spec: TrainingSpec
    run_id: str
    dataset_revision: str
    weights: Path
    weights_sha256: str
    size_bytes: int
    duration_s: float
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTraining:
    """A model that was trained to its end, and the pictures and tables that its tracked run is to hold.

    `artifacts` is empty where the home was migrated: the tracked run holds them already.
    """

    model: TrainedModel
    artifacts: tuple[Path, ...] = ()
