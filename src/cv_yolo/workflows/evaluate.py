"""Score a trained model with our own evaluator and finish its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cv_yolo.domain.annotations import Detections, GroundTruth
from cv_yolo.domain.dataset import DatasetManifest, Split
from cv_yolo.domain.evaluation import Evaluation, Measured, PredictionSettings, evaluate_detections
from cv_yolo.domain.runs import FINAL_PREFIX, RunStatus
from cv_yolo.domain.training import TrainedModel
from cv_yolo.ports import DatasetFolder, ExperimentTracker, Gallery, PredictionRequest, Predictor
from cv_yolo.workflows.train import closing_on_failure

SAMPLES = 6
SAMPLES_NAME = "sample_predictions.jpg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What an evaluation needs of the world."""

    predictor: Predictor
    folder: DatasetFolder
    gallery: Gallery
    tracker: ExperimentTracker
    dataset_root: Path
    workdir: Path


def evaluate(model: TrainedModel, manifest: DatasetManifest, split: Split, examination: Examination) -> Evaluation:
    """Predict a split, score it, and end the model's tracked run: finished with proof, or failed with a reason."""
    with closing_on_failure(examination.tracker, model.run_id):
        request = _request(model, manifest, split, examination)
        truths = examination.folder.ground_truth(examination.dataset_root, manifest, split)
        detections = examination.predictor.predict(request)
        measured = Measured(
            revision=manifest.revision,
            split=split,
            classes=manifest.classes,
            weights_sha256=model.weights_sha256,
            settings=request.settings,
        )
        evaluation = evaluate_detections(measured, truths, detections)
        sheet = _sheet(evaluation, truths, detections, examination)
        scores = {f"{FINAL_PREFIX}{name}": value for name, value in evaluation.scores().items()}
        examination.tracker.log_metrics(model.run_id, scores)
        examination.tracker.log_artifacts(model.run_id, [sheet], "evaluation")
        examination.tracker.finish(model.run_id, RunStatus.FINISHED)
    return evaluation


def _request(
    model: TrainedModel, manifest: DatasetManifest, split: Split, examination: Examination
) -> PredictionRequest:
    return PredictionRequest(
        weights=model.weights,
        weights_sha256=model.weights_sha256,
        root=examination.dataset_root,
        images=tuple(record.image for record in manifest.split(split)),
        settings=PredictionSettings(image_size_px=model.spec.image_size_px),
        device=model.spec.device,
        threads=model.spec.threads,
        workdir=examination.workdir,
    )


def _sheet(
    evaluation: Evaluation, truths: Sequence[GroundTruth], found: Sequence[Detections], examination: Examination
) -> Path:
    point = evaluation.operating_point
    return examination.gallery.truth_beside_predictions(
        examination.dataset_root,
        list(zip(truths, found, strict=True))[:SAMPLES],
        confidence_threshold=point.confidence_threshold if point else 1.0,
        out=examination.workdir / SAMPLES_NAME,
    )
