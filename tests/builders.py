"""Valid objects for tests; name the one field that matters and leave the others as they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.dataset import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.evaluation import ClassScores, Evaluation, PredictionSettings
from cv_yolo.domain.metrics import OperatingPoint
from cv_yolo.domain.promotion import Champion, Check, Decision, PromotionPolicy, decide
from cv_yolo.domain.runs import FINAL_PREFIX, Run, RunRow, RunStatus
from cv_yolo.domain.training import TrainedModel, TrainingRequest, TrainingSpec
from cv_yolo.domain.versions import Alias, ModelVersion
from cv_yolo.files import sha256_of
from cv_yolo.reports.content import DecisionReport, RunReport

NOON = datetime(2025, 3, 4, 12, 0, 0, tzinfo=UTC)
SCORES = {
    "map_50": 0.61,
    "map_50_95": 0.34,
    "precision": 0.72,
    "recall": 0.58,
    "f1": 0.64,
    "confidence_threshold": 0.31,
}


def an_image(**changes: Any) -> ImageRecord:
    """A validation image with two boxes; its hashes follow from its path."""
    path = changes.get("image", "images/val/1.jpg")
    values: dict[str, Any] = {
        "split": Split.VAL,
        "image": path,
        "image_sha256": f"sha256 of {path}",
        "label": path.replace("images/", "labels/").replace(".jpg", ".txt"),
        "label_sha256": f"sha256 of the label of {path}",
        "boxes": 2,
        "width_px": 320,
        "height_px": 240,
    }
    return ImageRecord(**(values | changes))


def a_manifest(**changes: Any) -> DatasetManifest:
    """Four training images and three validation images, two boxes in each."""
    images = tuple(
        an_image(split=split, image=f"images/{split}/{number}.jpg")
        for split, count in ((Split.TRAIN, 4), (Split.VAL, 3))
        for number in range(count)
    )
    values: dict[str, Any] = {
        "name": "tiny_coco",
        "classes": ("person",),
        "images": images,
        "dvc_hash": "0123456789abcdef0123456789abcdef.dir",
        "versioned": True,
    }
    return DatasetManifest(**(values | changes))


def a_run(**changes: Any) -> Run:
    """A finished run with scores, of 3 epochs at 320 px on `a_manifest()`."""
    values: dict[str, Any] = {
        "run_id": "run-1",
        "name": "e3_s320",
        "status": RunStatus.FINISHED,
        "reason": None,
        "started_at": NOON,
        "ended_at": NOON + timedelta(minutes=1),
        "params": {"epochs": "3", "image_size_px": "320"},
        "tags": {"dataset_revision": a_manifest().revision},
        "metrics": {"duration_s": 41.0} | {f"{FINAL_PREFIX}{name}": value for name, value in SCORES.items()},
    }
    return Run(**(values | changes))


def a_row(**changes: Any) -> RunRow:
    """The line of `a_run()` in a comparison; a changed `map_50` goes into its scores."""
    scores = SCORES | ({"map_50": changes.pop("map_50")} if "map_50" in changes else {})
    values: dict[str, Any] = {
        "run_id": "run-1",
        "name": "e3_s320",
        "status": RunStatus.FINISHED,
        "epochs": 3,
        "image_size_px": 320,
        "duration_s": 41.0,
        "scores": scores,
        "revision": a_manifest().revision,
    }
    return RunRow(**(values | changes))


def a_failed_row(**changes: Any) -> RunRow:
    """A run that was tracked and failed, with its reason."""
    failed: dict[str, Any] = {
        "run_id": "run-9",
        "name": "e5_s416",
        "status": RunStatus.FAILED,
        "scores": {},
        "duration_s": None,
    }
    return a_row(**({**failed, "reason": "out of memory"} | changes))


def class_scores(**changes: Any) -> ClassScores:
    """The scores of the class person, with a precision that falls along the recall."""
    values: dict[str, Any] = {
        "name": "person",
        "truths": 6,
        "ap_50": 0.61,
        "ap_50_95": 0.34,
        "precision_at_recall": tuple(1.0 - index / 200 for index in range(80)) + (0.0,) * 21,
    }
    return ClassScores(**(values | changes))


def an_evaluation(**changes: Any) -> Evaluation:
    """The evaluation of one model on the validation images of `a_manifest()`."""
    values: dict[str, Any] = {
        "revision": a_manifest().revision,
        "split": Split.VAL,
        "images": 3,
        "weights_sha256": "a" * 64,
        "settings": PredictionSettings(image_size_px=320),
        "per_class": (class_scores(),),
        "operating_point": OperatingPoint(confidence_threshold=0.31, precision=0.72, recall=0.58, f1=0.64),
    }
    return Evaluation(**(values | changes))


def a_policy(**changes: Any) -> PromotionPolicy:
    """Promote to staging what exceeds a mAP50 of 0.5, unless the champion is better."""
    values: dict[str, Any] = {
        "model": "cv_yolo_tiny",
        "alias": Alias.STAGING,
        "metric": "map_50",
        "floor": 0.5,
        "keep_better_champion": True,
    }
    return PromotionPolicy(**(values | changes))


def a_check(**changes: Any) -> Check:
    """A condition that was met."""
    values: dict[str, Any] = {
        "name": "floor",
        "required": "map_50 > 0.5",
        "measured": "0.6100",
        "passed": True,
        "sentence": "Above.",
    }
    return Check(**(values | changes))


def a_champion(**changes: Any) -> Champion:
    """Version 2, somewhat worse than `a_row()` on the same data."""
    values: dict[str, Any] = {"version": "2", "row": a_row(run_id="run-0", name="e1_s320", map_50=0.55)}
    return Champion(**(values | changes))


def a_decision(**changes: Any) -> Decision:
    """What `decide` makes of two good runs; `rows`, `policy` and `champion` go into it, the rest changes its result."""
    asked = {
        "rows": (a_row(), a_row(run_id="run-2", name="e3_s416", image_size_px=416, map_50=0.58)),
        "policy": a_policy(),
        "champion": None,
    }
    given = {name: changes.pop(name, value) for name, value in asked.items()}
    return replace(decide(**given, id="decision-7", now=NOON), **changes)


def a_version(**changes: Any) -> ModelVersion:
    """Version 3, made by the run of `a_row()`."""
    values: dict[str, Any] = {"model": "cv_yolo_tiny", "version": "3", "run_id": "run-1", "weights_sha256": "a" * 64}
    return ModelVersion(**(values | changes))


def a_run_report(**changes: Any) -> RunReport:
    """A finished run with curves of three epochs, an evaluation and a sheet of samples."""
    history = {
        "val/map_50": ((1, 0.2), (2, 0.45), (3, 0.6)),
        "train/box_loss": ((1, 1.9), (2, 1.6), (3, 1.4)),
        "train/cls_loss": ((1, 2.4), (2, 1.8), (3, 1.3)),
        "train/dfl_loss": ((1, 1.5), (2, 1.3), (3, 1.2)),
    }
    values: dict[str, Any] = {
        "run": a_run(),
        "history": history,
        "evaluation": an_evaluation(),
        "samples_jpeg": b"a jpeg",
    }
    return RunReport(**(values | changes))


def a_decision_report(**changes: Any) -> DecisionReport:
    """A promotion of `a_run_report()`, with everything that belongs to it."""
    values: dict[str, Any] = {
        "decision": a_decision(),
        "version": a_version(),
        "manifest": a_manifest(),
        "runs": (a_run_report(), a_run_report(run=a_run(run_id="run-2", name="e3_s416"), samples_jpeg=None)),
        "failures": {},
        "pipeline_run": "yolo_training_pipeline-2025_03_04",
        "git_commit": "c0ffee" * 6 + "c0ff",
        "git_dirty": False,
    }
    return DecisionReport(**(values | changes))


def a_spec(**changes: Any) -> TrainingSpec:
    """Three epochs at 320 px on the processor."""
    values: dict[str, Any] = {
        "epochs": 3,
        "image_size_px": 320,
        "batch_size": 8,
        "optimizer": "SGD",
        "learning_rate": 0.01,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "warmup_epochs": 0.0,
        "mosaic": 0.0,
        "seed": 7,
        "device": "cpu",
        "threads": 1,
        "weights": "yolo11n.pt",
        "weights_sha256": "b" * 64,
        "code_version": "c" * 64,
    }
    return TrainingSpec(**(values | changes))


def a_training_request(folder: Path, **changes: Any) -> TrainingRequest:
    """A training in `folder`, with a weights file there whose hash the spec records."""
    weights = folder / "yolo11n.pt"
    weights.write_bytes(b"where the training starts from")
    values: dict[str, Any] = {
        "spec": a_spec(weights_sha256=sha256_of(weights)),
        "manifest": a_manifest(),
        "dataset_root": folder / "tiny_coco",
        "weights": weights,
        "workdir": folder / "work",
    }
    return TrainingRequest(**(values | changes))


def a_trained_model(folder: Path, **changes: Any) -> TrainedModel:
    """The model of `a_run()`, with its weights file in `folder`."""
    weights = folder / "best.pt"
    weights.write_bytes(b"trained weights")
    values: dict[str, Any] = {
        "spec": a_spec(),
        "run_id": "run-1",
        "dataset_revision": a_manifest().revision,
        "weights": weights,
        "weights_sha256": sha256_of(weights),
        "size_bytes": weights.stat().st_size,
        "duration_s": 41.0,
    }
    return TrainedModel(**(values | changes))


def a_truth(
    *boxes: tuple[float, float, float, float], image: str = "images/val/1.jpg", classes: Any = None
) -> GroundTruth:
    """Annotated pixel corners in one image; all of class 0 unless `classes` says otherwise."""
    return GroundTruth(
        image=image,
        boxes_xyxy=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        class_ids=np.array([0] * len(boxes) if classes is None else classes, dtype=np.int64),
    )


def some_detections(
    *boxes: tuple[float, float, float, float],
    image: str = "images/val/1.jpg",
    confidences: Any = None,
    classes: Any = None,
) -> Detections:
    """Predicted pixel corners in one image; of class 0, with confidence 0.9, unless said otherwise."""
    return Detections(
        image=image,
        boxes_xyxy=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        class_ids=np.array([0] * len(boxes) if classes is None else classes, dtype=np.int64),
        confidences=np.array([0.9] * len(boxes) if confidences is None else confidences, dtype=np.float64),
    )
