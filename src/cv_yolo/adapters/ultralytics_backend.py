"""Ultralytics (AGPL-3.0) behind the ports `Trainer` and `Predictor`; meant to run in a child process of its own.

What Ultralytics does by itself is switched off here: its MLflow run, its downloads (fonts, weights, updates), its
folders, and its label cache, which it would write into the data set.
"""

import os
import shutil
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from cv_yolo.domain.annotations import Detections
from cv_yolo.domain.dataset import Split
from cv_yolo.domain.training import EpochMetrics, TrainingRequest, TrainingResult
from cv_yolo.errors import EvaluationFailedError, TrainingFailedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports import OnEpoch, Prediction, PredictionRequest

METRIC_NAMES = {
    "metrics/precision(B)": "val/precision",
    "metrics/recall(B)": "val/recall",
    "metrics/mAP50(B)": "val/map_50",
    "metrics/mAP50-95(B)": "val/map_50_95",
}
ARTIFACTS = (
    "results.csv",
    "results.png",
    "confusion_matrix.png",
    "confusion_matrix_normalized.png",
    *(f"Box{name}_curve.png" for name in ("PR", "F1", "P", "R")),
    "labels.jpg",
    "args.yaml",
)
PREDICTION_BATCH = 16
JPEG_END = b"\xff\xd9"


class UltralyticsTrainer:
    """Trains a YOLO detector."""

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        """Train and return the weights of the best epoch; raises `TrainingFailedError` without usable weights."""
        started = time.monotonic()
        model = _load(request.weights)
        told = _tell_epochs(model, on_epoch)
        _use_threads(model, request.spec.threads)
        model.train(**_arguments(request))
        folder = request.workdir / "ultralytics"
        weights = folder / "weights" / "best.pt"
        if not weights.is_file() or not told:
            raise TrainingFailedError(f"the training left no weights ({len(told)} epochs told)")
        _load(weights)
        return TrainingResult(
            weights=weights,
            weights_sha256=sha256_of(weights),
            size_bytes=weights.stat().st_size,
            epochs_completed=len(told),
            duration_s=time.monotonic() - started,
            artifacts=tuple(folder / name for name in ARTIFACTS if (folder / name).is_file()),
        )


class UltralyticsPredictor:
    """Detects objects with a YOLO detector: weights of PyTorch (`.pt`) or an exported ONNX model (`.onnx`)."""

    def predict(self, request: PredictionRequest) -> Prediction:
        """The detections in each image, in order; the latency is taken in batches of `PREDICTION_BATCH`."""
        if sha256_of(request.weights) != request.weights_sha256:
            raise WeightsError(f"{request.weights}: the file is not the one that was recorded (its sha256 differs)")
        model = _load(request.weights)
        _set_threads(request.threads)
        results = list(_results(model, request))
        if len(results) != len(request.images):
            raise EvaluationFailedError(f"{len(results)} predictions for {len(request.images)} images")
        return Prediction(
            detections=tuple(_detections(image, result) for image, result in zip(request.images, results, strict=True)),
            predictor=f"ultralytics {version('ultralytics')} ({request.weights.suffix.removeprefix('.')})",
            classes=tuple(str(model.names[class_id]) for class_id in sorted(model.names)),
            settings=request.settings,
            latency_ms=median(sum(result.speed.values()) for result in results) if results else None,
        )


def _load(weights: Path) -> Any:
    """Load a weights file; raises `WeightsError` where it is missing or no detector."""
    if not weights.is_file():
        raise WeightsError(f"{weights}: no such weights file")
    yolo = _ultralytics()
    try:
        model = yolo(str(weights), task="detect" if weights.suffix == ".onnx" else None)
        task = model.task
    except Exception as error:  # torch raises many kinds for a file that is no checkpoint
        raise WeightsError(f"{weights}: does not load as YOLO weights: {error}") from error
    if task != "detect":
        raise WeightsError(f"{weights}: weights for the task {task!r}, not for detection")
    return model


def _ultralytics() -> Any:
    """Import Ultralytics, kept from reaching the network and from writing outside our folders."""
    os.environ["YOLO_OFFLINE"] = "true"
    import ultralytics
    from ultralytics.data import dataset
    from ultralytics.utils import SETTINGS, USER_CONFIG_DIR

    _provide_fonts(Path(USER_CONFIG_DIR))
    if SETTINGS["mlflow"] or SETTINGS["sync"]:
        SETTINGS.update({"mlflow": False, "sync": False})
    dataset.save_dataset_cache_file = _keep_no_label_cache
    return ultralytics.YOLO


def _keep_no_label_cache(prefix: str, path: Path, labels: dict[str, Any], version: str) -> None:  # noqa: ARG001
    """Ultralytics would write the label cache into the data set's own folder, and change it."""
    labels["version"] = version  # its caller expects this


def _provide_fonts(folder: Path) -> None:
    """Put a font where Ultralytics looks, since it would download one otherwise."""
    from matplotlib import get_data_path

    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).exists():
            shutil.copy(font, folder / name)


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _use_threads(model: Any, threads: int) -> None:
    """Ultralytics takes one core fewer than there are, when training starts; this takes what the spec says."""
    model.add_callback("on_train_start", lambda trainer: _set_threads(threads))


def _tell_epochs(model: Any, on_epoch: OnEpoch) -> list[int]:
    """Tell each epoch once: the callback also fires after the final validation, with an epoch beyond the last."""
    told: list[int] = []

    def tell(trainer: Any) -> None:
        epoch = trainer.epoch + 1
        if epoch in told or epoch > trainer.epochs:
            return
        told.append(epoch)
        on_epoch(EpochMetrics(epoch=epoch, values=_epoch_values(trainer)))

    model.add_callback("on_fit_epoch_end", tell)
    return told


def _epoch_values(trainer: Any) -> dict[str, float]:
    raw = trainer.label_loss_items(trainer.tloss, prefix="train") | trainer.metrics | trainer.lr
    return {METRIC_NAMES.get(name, name): float(value) for name, value in raw.items() if name != "fitness"}


def _arguments(request: TrainingRequest) -> dict[str, Any]:
    spec = request.spec
    return {
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
    """Name exactly the manifest's images to Ultralytics, in a file of the run's own folder."""
    import yaml

    request.workdir.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {"path": str(request.workdir), "names": dict(enumerate(request.manifest.classes))}
    for split in (Split.TRAIN, Split.VAL):
        listing = request.workdir / f"{split}.txt"
        listing.write_text("".join(f"{path}\n" for path in _image_paths(request, split)), encoding="utf-8")
        content[split.value] = str(listing)
    out = request.workdir / "data.yaml"
    out.write_text(yaml.safe_dump(content), encoding="utf-8")
    return out


def _image_paths(request: TrainingRequest, split: Split) -> Iterator[Path]:
    """Ultralytics rewrites, in place, a JPEG that does not end with the end marker: it is given a copy of those."""
    for record in request.manifest.split(split):
        image, label = request.dataset_root / record.image, request.dataset_root / record.label
        if image.suffix.lower() in {".jpg", ".jpeg"} and not image.read_bytes().endswith(JPEG_END):
            image, label = (
                _copy(path, request.workdir / "copies" / path.relative_to(request.dataset_root))
                for path in (image, label)
            )
        yield image.resolve()


def _copy(path: Path, to: Path) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        shutil.copy(path, to)
    return to


def _results(model: Any, request: PredictionRequest) -> Iterator[Any]:
    settings = request.settings
    paths = [str(request.root / image) for image in request.images]
    for start in range(0, len(paths), PREDICTION_BATCH):
        yield from model.predict(
            paths[start : start + PREDICTION_BATCH],
            imgsz=settings.image_size_px,
            conf=settings.confidence_threshold,
            iou=settings.nms_iou_threshold,
            max_det=settings.max_detections,
            device=None if request.device == "auto" else request.device,
            project=str(request.workdir),
            save=False,
            verbose=False,
        )


def _detections(image: str, result: Any) -> Detections:
    boxes = result.boxes.cpu().numpy()
    return Detections(
        image=image,
        boxes_xyxy=np.asarray(boxes.xyxy, dtype=np.float64).reshape(-1, 4),
        class_ids=np.asarray(boxes.cls, dtype=np.int64),
        confidences=np.asarray(boxes.conf, dtype=np.float64),
    )
