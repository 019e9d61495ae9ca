"""Ultralytics behind the port `Trainer`."""

import time
from pathlib import Path
from typing import Any, Final

from cv_yolo.adapters.ultralytics.examples import examples_of, require_unchanged
from cv_yolo.adapters.ultralytics.library import set_threads
from cv_yolo.adapters.ultralytics.weights import load_detector
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.errors import TrainingFailedError
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import DatasetFolder
from cv_yolo.ports.models import OnEpoch

METRIC_NAMES: Final = {
    "metrics/precision(B)": "val/precision",
    "metrics/recall(B)": "val/recall",
    "metrics/mAP50(B)": "val/map_50",
    "metrics/mAP50-95(B)": "val/map_50_95",
}
ARTIFACTS: Final = (
    "results.csv",
    "results.png",
    "confusion_matrix.png",
    "confusion_matrix_normalized.png",
    *(f"Box{name}_curve.png" for name in ("PR", "F1", "P", "R")),
    "labels.jpg",
    "args.yaml",
)


class UltralyticsTrainer:
    """Trains a YOLO detector on the images of a manifest, with the boxes that `folder` reads for them."""

    def __init__(self, folder: DatasetFolder) -> None:
        self._folder = folder

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        """Train and return the weights of the best epoch.

        Raises `TrainingFailedError` without usable weights, and where the data are not those of the manifest.
        """
        started = time.monotonic()
        model = load_detector(request.weights, request.spec.weights_sha256, trusted=request.spec.trusted)
        from cv_yolo.adapters.ultralytics.training_data import ManifestTrainer

        examples = examples_of(request, self._folder)
        trainer = ManifestTrainer(examples, request.manifest.classes, arguments_of(request))
        trainer.model = trainer.get_model(cfg=model.yaml, weights=model)
        reported = _report_epochs(trainer, on_epoch)
        trainer.add_callback("on_train_start", _begin(request.spec.threads))
        trainer.train()
        for split, each in examples.items():
            require_unchanged(split, each)
        return _result(request, epochs=len(reported), duration_s=time.monotonic() - started)


def _begin(threads: int) -> Any:
    """Ultralytics takes one core fewer than there are; this takes what the spec says, and the data as given."""

    def begin(trainer: Any) -> None:
        set_threads(threads)
        trainer.require_same_data()

    return begin


def _result(request: TrainingRequest, *, epochs: int, duration_s: float) -> TrainingResult:
    folder = request.workdir / "ultralytics"
    weights = folder / "weights" / "best.pt"
    if not weights.is_file() or not epochs:
        raise TrainingFailedError(f"the training left no weights ({epochs} epochs finished)")
    sha256 = sha256_of(weights)
    load_detector(weights, sha256, trusted=False)
    return TrainingResult(
        weights=weights,
        weights_sha256=sha256,
        size_bytes=weights.stat().st_size,
        epochs_completed=epochs,
        duration_s=duration_s,
        artifacts=tuple(folder / name for name in ARTIFACTS if (folder / name).is_file()),
    )


def _report_epochs(trainer: Any, on_epoch: OnEpoch) -> list[int]:
    """Report each epoch once: the callback also fires after the final validation, with an epoch beyond the last."""
    reported: list[int] = []

    def report(trainer: Any) -> None:
        epoch = trainer.epoch + 1
        if epoch in reported or epoch > trainer.epochs:
            return
        reported.append(epoch)
        on_epoch(EpochMetrics(epoch=epoch, values=_epoch_values(trainer)))

    trainer.add_callback("on_fit_epoch_end", report)
    return reported


def _epoch_values(trainer: Any) -> dict[str, float]:
    raw = trainer.label_loss_items(trainer.tloss, prefix="train") | trainer.metrics | trainer.lr
    return {METRIC_NAMES.get(name, name): float(value) for name, value in raw.items() if name != "fitness"}


def arguments_of(request: TrainingRequest) -> dict[str, Any]:
    """What Ultralytics is asked for; other arguments are another `TRAINING_VERSION`."""
    spec = request.spec
    return {
        "task": "detect",
        "mode": "train",
        "model": str(request.weights),
        "data": str(_data_yaml(request)),
        "epochs": spec.epochs,
        "imgsz": spec.image_size_px,
        "batch": spec.batch_size,
        "nbs": spec.batch_size,  # a step for each batch; Ultralytics would gather 64 images: one step in 40 images
        "optimizer": spec.optimizer,
        "lr0": spec.learning_rate,
        "momentum": spec.momentum,
        "weight_decay": spec.weight_decay,
        "warmup_epochs": spec.warmup_epochs,
        "mosaic": spec.mosaic,
        "close_mosaic": 0,
        "seed": spec.seed,
        "deterministic": True,
        "device": None if spec.device == "auto" else spec.device,
        "amp": False,
        "workers": 0,
        "project": str(request.workdir),
        "name": "ultralytics",
        "exist_ok": True,
        "plots": True,
        "verbose": True,
    }


def _data_yaml(request: TrainingRequest) -> Path:
    """Ultralytics wants a description of the data, of which it takes the names: images and boxes come from us."""
    import yaml

    request.workdir.mkdir(parents=True, exist_ok=True)
    names = dict(enumerate(request.manifest.classes))
    out = request.workdir / "data.yaml"
    out.write_text(
        yaml.safe_dump({"path": str(request.workdir), "train": ".", "val": ".", "names": names}), encoding="utf-8"
    )
    return out
