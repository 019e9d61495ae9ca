"""Valid objects for tests; name the one field that matters and leave the others as they are."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cv_yolo.domain.data.annotations import Detections, GroundTruth
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, Severity, finding_at
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split
from cv_yolo.domain.evaluation.annotated_images import AnnotatedDetection, AnnotatedImage, AnnotatedTruth
from cv_yolo.domain.evaluation.comparison import Comparison, compare
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.domain.evaluation.evaluation import (
    Evaluation,
    PrecisionRecallCurve,
    PredictionSettings,
    Scored,
    Subject,
    score,
)
from cv_yolo.domain.evaluation.intervals import Estimate, Interval, Method, Resampling
from cv_yolo.domain.promotion.audit import Action, Entry, Proposal, chained, holders
from cv_yolo.domain.promotion.checks import (
    AlreadyInStageCheck,
    BudgetCheck,
    ChampionCheck,
    Check,
    ClassFloorCheck,
    ClassResult,
    FloorCheck,
    GroupsCheck,
    ImageCountCheck,
    Outcome,
    ProofCheck,
    RecordedCheck,
    SelectionCheck,
)
from cv_yolo.domain.promotion.decision import Champion, Decision, Judgement
from cv_yolo.domain.promotion.policy import Gate, PromotionPolicy, Rule
from cv_yolo.domain.promotion.selection import Selection
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.training.runs import FINAL_PREFIX, Run, RunRow, RunStatus
from cv_yolo.domain.training.specs import TrainedModel, TrainingRequest, TrainingSpec
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import Thumbnail
from cv_yolo.ports.registry import NewVersion
from cv_yolo.reports.view_models import ComparisonReport, DecisionReport, EvaluationReport, RunReport

NOON = datetime(2025, 3, 4, 12, 0, 0, tzinfo=UTC)
SCORES = {
    "map_50": 0.61,
    "map_50_95": 0.34,
    "precision": 0.72,
    "recall": 0.58,
    "f1": 0.64,
    "confidence_threshold": 0.31,
}
FIGURES = {
    **{name: value for name, value in SCORES.items() if name != "confidence_threshold"},
    "map_75": 0.33,
    "map_small": 0.2,
    "map_medium": 0.36,
    "map_large": 0.45,
    "ar_1": 0.3,
    "ar_10": 0.48,
    "ar_100": 0.5,
    "ar_small": 0.31,
    "ar_medium": 0.52,
    "ar_large": 0.6,
    "class/person/ap_50": 0.61,
    "class/person/ap_50_95": 0.34,
    "class/person/precision": 0.72,
    "class/person/recall": 0.58,
    "class/person/f1": 0.64,
    **{f"error/{kind}/cost": 0.02 for kind in ErrorType},
    **{f"error/{kind}/count": 1.0 for kind in ErrorType},
    "calibration/d_ece": 0.08,
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


def some_images(split: Split, count: int) -> tuple[ImageRecord, ...]:
    """Images of one split, two boxes in each."""
    return tuple(an_image(split=split, image=f"images/{split}/{number}.jpg") for number in range(count))


def a_manifest(**changes: Any) -> DatasetManifest:
    """Four training images and three validation images, two boxes in each."""
    values: dict[str, Any] = {
        "name": "tiny_coco",
        "classes": ("person",),
        "images": some_images(Split.TRAIN, 4) + some_images(Split.VAL, 3),
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


def an_estimate(value: float = 0.61, *, reach: float | None = 0.05) -> Estimate:
    """A figure whose interval reaches so far to both sides; without an interval where `reach` is None."""
    interval = None if reach is None else Interval(low=value - reach, high=value + reach, method=Method.BCA)
    return Estimate(value=value, interval=interval)


def a_subject(**changes: Any) -> Subject:
    """The model of `a_run()` on a split of `a_manifest()`: on val by default."""
    split = changes.get("split", Split.VAL)
    values: dict[str, Any] = {
        "revision": a_manifest().revision,
        "split_revision": a_manifest().split_revision(split),
        "split": split,
        "classes": ("person",),
        "predictor": "ultralytics 8.4.190 (pt)",
        "weights_sha256": "a" * 64,
        "settings": PredictionSettings(image_size_px=320),
        "latency_ms": 12.5,
        "size_bytes": 5_400_000,
    }
    return Subject(**(values | changes))


def a_curve(**changes: Any) -> PrecisionRecallCurve:
    """The curve of the class person, with a precision that falls along the recall and a band about it."""
    precision = tuple(1.0 - index / 200 for index in range(80)) + (0.0,) * 21
    values: dict[str, Any] = {
        "name": "person",
        "truths": 6,
        "precision": precision,
        "low": tuple(max(0.0, each - 0.1) for each in precision),
        "high": tuple(min(1.0, each + 0.1) for each in precision),
    }
    return PrecisionRecallCurve(**(values | changes))


def an_evaluation(**changes: Any) -> Evaluation:
    """The evaluation of `a_subject()`, whose figures are `FIGURES`; three images with two boxes each."""
    values: dict[str, Any] = {
        "subject": a_subject(),
        "images": 3,
        "truths": 6,
        "resampling": Resampling(),
        "confidence_threshold": 0.31,
        "figures": {name: an_estimate(value) for name, value in FIGURES.items()},
        "curves": (a_curve(),),
        "confusion": {
            "confusion/0/0": an_estimate(4.0, reach=1.5),
            "confusion/0/background": an_estimate(2.0, reach=1.5),
            "confusion/background/0": an_estimate(1.0, reach=1.0),
        },
    }
    return Evaluation(**(values | changes))


def a_scored(*missing: int, **changes: Any) -> Scored:
    """A model on four test images with two boxes each, of which it finds all; but one only in the `missing` images.

    `subject`, `resampling`, `slices` and `confidence_threshold` can be reported.
    """
    boxes = ((10.0, 10.0, 60.0, 90.0), (100.0, 20.0, 180.0, 140.0))
    images = [f"images/test/{number}.jpg" for number in range(4)]
    found = [boxes[:1] if number in missing else boxes for number in range(len(images))]
    how: dict[str, Any] = {
        "subject": a_subject(split=Split.TEST, weights_sha256=f"missing {missing}"),
        "resampling": Resampling(resamples=100),
        "confidence_threshold": 0.5,
    }
    how |= changes
    return score(
        how.pop("subject"),
        [a_truth(*boxes, image=image) for image in images],
        [some_detections(*each, image=image) for image, each in zip(images, found, strict=True)],
        **how,
    )


def a_comparison(first: Scored | None = None, second: Scored | None = None) -> Comparison:
    """A model that misses a box in the first two images, against one that misses one in the third."""
    return compare(first or a_scored(0, 1), second or a_scored(2))


def a_gate(**changes: Any) -> Gate:
    """Not worse than the champion by more than 0.02 mAP50, and lower bound above 0.5."""
    values: dict[str, Any] = {"metric": "map_50", "margin": 0.02, "floors": {"map_50": 0.5}}
    return Gate(**(values | changes))


def a_policy(**changes: Any) -> PromotionPolicy:
    """`a_gate()` into staging and another one into production; a changed `gate` is the one into staging."""
    staging = changes.pop("gate", a_gate())
    values: dict[str, Any] = {
        "model": "cv_yolo_tiny",
        "selection_metric": "map_50",
        "gates": {Stage.STAGING: staging, Stage.PRODUCTION: a_gate(metric="map_50_95", floors={"map_50": 0.3})},
        "source": "policy.yaml",
        "sha256": "c" * 64,
    }
    return PromotionPolicy(**(values | changes))


def a_check(**changes: Any) -> FloorCheck:
    """A floor that was met."""
    values: dict[str, Any] = {
        "outcome": Outcome.PASSED,
        "metric": "map_50",
        "required": 0.5,
        "measured": an_estimate(),
    }
    return FloorCheck(**(values | changes))


def a_champion_check(**changes: Any) -> ChampionCheck:
    """A difference from version 2 that is within the margin."""
    values: dict[str, Any] = {
        "outcome": Outcome.PASSED,
        "stage": Stage.STAGING,
        "metric": "map_50",
        "rule": Rule.NON_INFERIORITY,
        "required": -0.02,
        "version": "2",
        "measured": an_estimate(0.01, reach=0.02),
    }
    return ChampionCheck(**(values | changes))


def an_image_count(images: int = 40, **changes: Any) -> ImageCountCheck:
    """Whether so many test images are the 30 that the policy asks for."""
    values: dict[str, Any] = {
        "outcome": Outcome.PASSED if images >= 30 else Outcome.UNDECIDED,
        "more_images": None if images >= 30 else 30 - images,
        "stage": Stage.STAGING,
        "required": 30,
        "measured": images,
    }
    return ImageCountCheck(**(values | changes))


def every_kind_of_check(*, outcome: Outcome = Outcome.PASSED) -> tuple[Check, ...]:
    """One check of each kind that there is."""
    group: dict[str, Any] = {
        "outcome": outcome,
        "required": -0.1,
        "lowest": "night",
        "measured": an_estimate(-0.2),
        "worse": ("night",) if outcome is Outcome.FAILED else (),
        "compared": 2,
        "not_compared": (),
        "resamples": 2000,
        "least_resamples": None,
    }
    of_classes: dict[str, Any] = {
        "outcome": outcome,
        "metric": "ap_50",
        "required": 0.0,
        "required_boxes": 10,
        "classes": (ClassResult(outcome=outcome, name="vest", boxes=12, measured=an_estimate()),),
    }
    return (
        ProofCheck(outcome=outcome, proven=1, runs=2),
        SelectionCheck(outcome=outcome, metric="map_50", chosen="e3_s320", within_noise=2, scored=3, runs=4),
        AlreadyInStageCheck(outcome=outcome, stage=Stage.STAGING, version="2"),
        an_image_count(outcome=outcome),
        a_check(outcome=outcome),
        ClassFloorCheck(kind="required_classes", **of_classes),
        ClassFloorCheck(kind="class_floor", **of_classes),
        a_champion_check(outcome=outcome),
        GroupsCheck(kind="classes", metric="ap_50", **group),
        GroupsCheck(kind="slices", metric="map_50", **group),
        BudgetCheck(outcome=outcome, kind="latency", required=10.0, measured=9.5),
        BudgetCheck(outcome=outcome, kind="size", required=5000, measured=4000),
        a_recorded_check(outcome=outcome),
    )


def a_recorded_check(**changes: Any) -> RecordedCheck:
    """A check that an earlier version stored, with its sentence."""
    values: dict[str, Any] = {
        "outcome": Outcome.PASSED,
        "name": "floor map_50",
        "required": "above 0.5",
        "measured": "0.610 [0.560, 0.660]",
        "sentence": "map_50 of the candidate is 0.610 [0.560, 0.660]: surely above the floor of 0.5.",
    }
    return RecordedCheck(**(values | changes))


def a_champion(**changes: Any) -> Champion:
    """Version 2, of another run than those of `a_decision()`."""
    return Champion(**({"version": "2", "run_id": "run-0", "name": "e1_s320"} | changes))


def a_selection(**changes: Any) -> Selection:
    """`run-1` is the best and the cheapest; `run-2` is within noise of it."""
    values: dict[str, Any] = {
        "metric": "map_50",
        "best": "run-1",
        "chosen": "run-1",
        "differences": {"run-2": an_estimate(0.03)},
        "within_noise": ("run-1", "run-2"),
    }
    return Selection(**(values | changes))


def a_judgement(**changes: Any) -> Judgement:
    """What 40 test images said about the candidate, without a champion; the third decision on them."""
    values: dict[str, Any] = {
        "candidate": an_evaluation(subject=a_subject(split=Split.TEST), images=40, truths=80),
        "champion": None,
        "differences": {},
        "use": 3,
    }
    return Judgement(**(values | changes))


def a_decision(**changes: Any) -> Decision:
    """A promotion of `run-1` to an empty staging; `run-2` was compared too."""
    values: dict[str, Any] = {
        "id": "decision-7",
        "made_at": NOON,
        "stage": Stage.STAGING,
        "policy": a_policy(),
        "rows": (a_row(), a_row(run_id="run-2", name="e3_s416", image_size_px=416, map_50=0.58)),
        "selection": a_selection(),
        "chosen": "run-1",
        "champion": None,
        "checks": (ProofCheck(outcome=Outcome.PASSED, proven=2, runs=2), a_check()),
        "judgement": a_judgement(),
    }
    return Decision(**(values | changes))


def another_test_set(severity: Severity = Severity.ERROR) -> DatasetFinding:
    """The finding that the last decision judged by other test images."""
    return finding_at(FindingKind.TEST_CHANGED, ["ba98765432109876"], subject="0123456789abcdef", severity=severity)


def a_version(**changes: Any) -> ModelVersion:
    """Version 3, made by the run of `a_row()`."""
    values: dict[str, Any] = {"model": "cv_yolo_tiny", "version": "3", "run_id": "run-1", "weights_sha256": "a" * 64}
    return ModelVersion(**(values | changes))


def a_new_version(**changes: Any) -> NewVersion:
    """A version to be registered, of the run of `a_row()`."""
    values: dict[str, Any] = {
        "run_id": "run-1",
        "weights": Path("best.pt"),
        "weights_sha256": "a" * 64,
        "confidence_threshold": 0.31,
    }
    return NewVersion(**(values | changes))


def a_proposal(**changes: Any) -> Proposal:
    """Version 3 for an empty staging, by `a_decision()`."""
    values: dict[str, Any] = {
        "stage": Stage.STAGING,
        "version": "3",
        "run_id": "run-1",
        "decision": "decision-7",
        "verdict": "promote",
        "policy": "configs/policy.yaml",
        "policy_sha256": "c" * 64,
        "evaluations": ("run-1", "run-2"),
        "test_revision": a_manifest().revision,
    }
    return Proposal(**(values | changes))


def an_entry(**changes: Any) -> Entry:
    """The first entry of a log: the promotion of `a_proposal()`; a change of its fields goes into the entry."""
    first = chained(a_proposal(), (), action=Action.PROMOTED, model="cv_yolo_tiny", actor="anna@desk", at=NOON)
    return replace(first, **changes)


def a_log(*moves: tuple[Action, Stage, str]) -> tuple[Entry, ...]:
    """A whole log in which these versions moved into these stages, a minute apart."""
    entries: tuple[Entry, ...] = ()
    for minute, (action, stage, version) in enumerate(moves):
        expected = holders(entries).get(stage)
        proposal = a_proposal(stage=stage, version=version, run_id=f"run-{version}", expected=expected)
        at = NOON + timedelta(minutes=minute)
        entries += (chained(proposal, entries, action=action, model="cv_yolo_tiny", actor="anna@desk", at=at),)
    return entries


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


def an_annotated_image(**changes: Any) -> AnnotatedImage:
    """An image with a box that is found, one that is missed, and a detection of nothing."""
    values: dict[str, Any] = {
        "image": "images/test/0.jpg",
        "truths": (
            AnnotatedTruth(xyxy=(10.0, 20.0, 60.0, 90.0), class_id=0, found=True),
            AnnotatedTruth(xyxy=(100.0, 20.0, 180.0, 140.0), class_id=0, found=False),
        ),
        "detections": (
            AnnotatedDetection(xyxy=(11.0, 21.0, 61.0, 91.0), class_id=0, confidence=0.9, error=None),
            a_wrong_detection(),
        ),
    }
    return AnnotatedImage(**(values | changes))


def a_wrong_detection(**changes: Any) -> AnnotatedDetection:
    """A detection of nothing, with confidence 0.6."""
    values: dict[str, Any] = {
        "xyxy": (200.0, 100.0, 240.0, 150.0),
        "class_id": 0,
        "confidence": 0.6,
        "error": ErrorType.BACKGROUND,
    }
    return AnnotatedDetection(**(values | changes))


def some_thumbnails(*images: str) -> dict[str, Thumbnail]:
    """Small copies of images of 320 x 240 px; of those of `a_scored()` by default."""
    return {
        image: Thumbnail(jpeg=f"jpeg of {image}".encode(), width_px=320, height_px=240)
        for image in images or [f"images/test/{number}.jpg" for number in range(4)]
    }


def a_comparison_report(**changes: Any) -> ComparisonReport:
    """`a_comparison()` of A and B."""
    values: dict[str, Any] = {
        "first_name": "A",
        "second_name": "B",
        "comparison": a_comparison(),
        "thumbnails": some_thumbnails(),
        "made_at": NOON,
    }
    return ComparisonReport(**(values | changes))


def an_evaluation_report(**changes: Any) -> EvaluationReport:
    """`an_evaluation()` of B on test images, in one of which it errs."""
    values: dict[str, Any] = {
        "name": "B",
        "evaluation": an_evaluation(subject=a_subject(split=Split.TEST)),
        "annotated": (an_annotated_image(),),
        "thumbnails": some_thumbnails(),
        "made_at": NOON,
    }
    return EvaluationReport(**(values | changes))


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
