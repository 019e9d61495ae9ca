"""Score a detector with our own evaluator; its detections are kept, so that nothing is predicted twice."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.data.categories import Categories
from cv_yolo.domain.data.class_names import map_classes
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.all_metrics import DETECTION_LIMITS
from cv_yolo.domain.evaluation.evaluation import Evaluation, PredictionSettings, Scored, Subject, score
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.runs import FINAL_PREFIX, RunStatus
from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.errors import EvaluationFailedError, ServiceUnavailableError
from cv_yolo.files import sha256_of, write_whole
from cv_yolo.ports.datasets import DatasetFolder, ImageRenderer
from cv_yolo.ports.models import Prediction, PredictionFile, PredictionRequest, Predictor, WeightsInspector
from cv_yolo.ports.records import ExperimentTracker
from cv_yolo.workflows.class_names import Detected, brought_into, inspected
from cv_yolo.workflows.train import closing_on_failure, dataset_input

SAMPLES = 6
SAMPLES_NAME = "sample_predictions.jpg"
DECISION_FOLDER = "decision"  # of a run\'s artifacts: what a decision about it said
DETECTIONS_NAME = "detections.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A detector to be examined: its weights, how it predicts, and the run that keeps its record (None: not tracked).

    `confidence_threshold` is the one chosen on val; None where it was never chosen. `classes` are the names of its
    classes by id; None where they are not recorded, so that the weights must be inspected. `trusted` weights may run
    code when they are loaded.
    """

    name: str
    weights: Path
    weights_sha256: str
    settings: PredictionSettings
    run_id: str | None = None
    confidence_threshold: float | None = None
    classes: tuple[str, ...] | None = None
    device: str = "auto"
    threads: int = 1
    trusted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an evaluation needs of the world, and how its intervals are made.

    `exact_classes`: a detector must know the data set's classes and no other. Otherwise it may know more, and its
    detections of those are left out: good enough to look at, not for a decision.
    """

    predictor: Predictor
    inspector: WeightsInspector
    predictions: PredictionFile
    folder: DatasetFolder
    tracker: ExperimentTracker
    dataset_root: Path
    workdir: Path
    resampling: Resampling
    detection_limits: tuple[int, ...] = DETECTION_LIMITS
    exact_classes: bool = True


def detector_of(model: TrainedModel, *, confidence_threshold: float | None = None) -> Detector:
    """A trained model as a detector."""
    return Detector(
        name=model.spec.name,
        weights=model.weights,
        weights_sha256=model.weights_sha256,
        settings=PredictionSettings(image_size_px=model.spec.image_size_px),
        run_id=model.run_id,
        confidence_threshold=confidence_threshold,
        classes=model.classes,
        device=model.spec.device,
        threads=model.spec.threads,
    )


def with_classes(detector: Detector, examination: Examination) -> Detector:
    """The detector with the names of its classes: as recorded, else as its weights say."""
    if detector.classes is not None:
        return detector
    classes = inspected(
        detector.weights,
        detector.weights_sha256,
        examination.inspector,
        examination.workdir,
        trusted=detector.trusted,
    )
    return replace(detector, classes=classes)


def evaluate(
    model: TrainedModel, manifest: DatasetManifest, renderer: ImageRenderer, examination: Examination
) -> Evaluation:
    """Score a trained model on val, and end its tracked run: finished with proof, or failed with a reason."""
    tracker, run_id = examination.tracker, model.run_id
    with closing_on_failure(tracker, run_id):
        detector = detector_of(model)
        detected = detect(detector, manifest, Split.VAL, examination)
        subject = _subject(manifest, Split.VAL, detected, detector)
        evaluation = _score(subject, Split.VAL, detected, manifest, examination, confidence_threshold=None).evaluation
        tracker.log_metrics(run_id, _tracked(evaluation), data=dataset_input(manifest, Split.VAL))
        written = examination.workdir / "evaluation.json"
        write_whole(written, json.dumps(asdict(evaluation), indent=1))
        sheet = _sheet(evaluation, manifest, detected.prediction.detections, renderer, examination)
        tracker.log_artifacts(run_id, [written], f"evaluation/{Split.VAL}")
        tracker.log_artifacts(run_id, [sheet], "evaluation")
        tracker.finish(run_id, RunStatus.FINISHED)
    return evaluation


def examine(detector: Detector, manifest: DatasetManifest, split: Split, examination: Examination) -> Scored:
    """Score a detector on a split at its own confidence threshold; on val without one, at the best."""
    detected = detect(detector, manifest, split, examination)
    subject = _subject(manifest, split, detected, detector)
    return _score(subject, split, detected, manifest, examination, confidence_threshold=detector.confidence_threshold)


def needs_threshold(detector: Detector, split: Split) -> bool:
    """Whether val has to choose the confidence threshold before the detector is scored on that split."""
    return detector.confidence_threshold is None and split is not Split.VAL


def with_threshold(detector: Detector, manifest: DatasetManifest, examination: Examination) -> Detector:
    """The detector with the confidence threshold that val chooses; val alone chooses (`domain.evaluation`)."""
    on_val = examine(detector, manifest, Split.VAL, examination).evaluation
    return replace(detector, confidence_threshold=on_val.confidence_threshold)


def score_results(
    path: Path,
    manifest: DatasetManifest,
    split: Split,
    examination: Examination,
    *,
    categories: Categories,
    confidence_threshold: float | None,
) -> Scored:
    """Score a COCO results file that any library may have written; without a threshold, figures in use are for val.

    `categories` say what its ids stand for.
    """
    names = tuple(categories.names.values())
    mapping = map_classes(names, manifest.classes, detector=path.name, exact=examination.exact_classes)
    images = [record.image for record in manifest.split(split)]
    prediction = examination.predictions.read_coco(path, images, categories=categories)
    detected = brought_into(mapping, prediction, manifest.classes)
    subject = Subject(
        revision=manifest.revision,
        split_revision=manifest.split_revision(split),
        split=split,
        classes=manifest.classes,
        predictor=prediction.predictor,
        weights_sha256=sha256_of(path),
        detector_classes=detected.classes,
        ignored_detections=detected.ignored,
    )
    return _score(subject, split, detected, manifest, examination, confidence_threshold=confidence_threshold)


def detect(detector: Detector, manifest: DatasetManifest, split: Split, examination: Examination) -> Detected:
    """The detector's boxes in the images of a split, in the data set's classes.

    As kept with its run, else predicted now, and kept, by the detector's own class ids. Raises `InputError` for a
    detector of other classes, before anything is predicted.
    """
    known = with_classes(detector, examination)
    mapping = map_classes(
        known.classes or (), manifest.classes, detector=detector.name, exact=examination.exact_classes
    )
    return brought_into(mapping, _predicted(known, manifest, split, examination), manifest.classes)


def _predicted(detector: Detector, manifest: DatasetManifest, split: Split, examination: Examination) -> Prediction:
    """What the detector itself says about the images of a split."""
    images = [record.image for record in manifest.split(split)]
    folder = f"evaluation/{split}/{manifest.split_revision(split)[:12]}"
    kept = _kept(detector, folder, images, examination)
    if kept is not None and kept.settings == detector.settings:
        return kept
    prediction = examination.predictor.predict(_request(detector, images, split, examination))
    if detector.run_id is not None:
        file = examination.workdir / split / DETECTIONS_NAME
        examination.predictions.write(file, prediction)
        examination.tracker.log_artifacts(detector.run_id, [file], folder)
    return prediction


def _kept(detector: Detector, folder: str, images: Sequence[str], examination: Examination) -> Prediction | None:
    """Earlier predictions, if they are available: where the tracker does not answer, the detector predicts again."""
    path, tracker = f"{folder}/{DETECTIONS_NAME}", examination.tracker
    if detector.run_id is None:
        return None
    try:
        content = (
            tracker.artifact(detector.run_id, path) if path in tracker.artifacts(detector.run_id, folder) else None
        )
    except ServiceUnavailableError:
        return None
    return None if content is None else examination.predictions.read(content, images)


def _score(
    subject: Subject,
    split: Split,
    detected: Detected,
    manifest: DatasetManifest,
    examination: Examination,
    *,
    confidence_threshold: float | None,
) -> Scored:
    """Score detections on one split."""
    return score(
        subject,
        examination.folder.ground_truth(examination.dataset_root, manifest, split),
        detected.prediction.detections,
        resampling=examination.resampling,
        slices={name: np.array(images) for name, images in manifest.slices(split).items()},
        confidence_threshold=confidence_threshold,
        detection_limits=examination.detection_limits,
    )


def _subject(manifest: DatasetManifest, split: Split, detected: Detected, detector: Detector) -> Subject:
    """What an evaluation of this prediction is about."""
    prediction = detected.prediction
    return Subject(
        revision=manifest.revision,
        split_revision=manifest.split_revision(split),
        split=split,
        classes=manifest.classes,
        predictor=prediction.predictor,
        weights_sha256=detector.weights_sha256,
        settings=prediction.settings,
        latency_ms=prediction.latency_ms,
        size_bytes=detector.weights.stat().st_size,
        trusted=detector.trusted,
        detector_classes=detected.classes,
        ignored_detections=detected.ignored,
    )


def _request(detector: Detector, images: list[str], split: Split, examination: Examination) -> PredictionRequest:
    if not images:
        raise EvaluationFailedError(f"the data set has no images in the split {split}")
    return PredictionRequest(
        weights=detector.weights,
        weights_sha256=detector.weights_sha256,
        root=examination.dataset_root,
        images=tuple(images),
        settings=detector.settings,
        device=detector.device,
        threads=detector.threads,
        workdir=examination.workdir,
        trusted=detector.trusted,
    )


def _tracked(evaluation: Evaluation) -> dict[str, float]:
    """The main figures as metrics of the run, with their intervals and the latency beside them."""
    main = {name: each.interval for name, each in evaluation.figures.items() if "/" not in name}
    metrics = {f"{FINAL_PREFIX}{name}": value for name, value in evaluation.scores().items()}
    metrics |= {f"interval/{name}/low": interval.low for name, interval in main.items() if interval}
    metrics |= {f"interval/{name}/high": interval.high for name, interval in main.items() if interval}
    latency_ms = evaluation.subject.latency_ms
    return metrics | ({} if latency_ms is None else {"latency_ms": latency_ms})


def _sheet(
    evaluation: Evaluation,
    manifest: DatasetManifest,
    found: Sequence[Detections],
    renderer: ImageRenderer,
    examination: Examination,
) -> Path:
    threshold = evaluation.confidence_threshold
    truths = examination.folder.ground_truth(examination.dataset_root, manifest, Split.VAL)
    return renderer.truth_beside_predictions(
        examination.dataset_root,
        list(zip(truths, found, strict=True))[:SAMPLES],
        confidence_threshold=1.0 if threshold is None else threshold,
        out=examination.workdir / SAMPLES_NAME,
    )
