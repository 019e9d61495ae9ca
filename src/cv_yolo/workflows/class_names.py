"""Bring detections into a data set's classes by name, and find out which classes weights detect."""

from dataclasses import dataclass, replace
from pathlib import Path

from cv_yolo.domain.data.class_names import CLASSES_NAME, DIGEST_TAG, ClassMapping, from_file
from cv_yolo.domain.training.runs import Run
from cv_yolo.errors import EvaluationFailedError
from cv_yolo.ports.models import InspectionRequest, Prediction, WeightsInspector
from cv_yolo.ports.records import ExperimentTracker


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detected:
    """Detections in the classes of a data set; `ignored` counts those of classes that it does not name.

    `classes` are the detector's own, by its ids.
    """

    prediction: Prediction
    classes: tuple[str, ...]
    ignored: int


def brought_into(mapping: ClassMapping, prediction: Prediction, classes: tuple[str, ...]) -> Detected:
    """The prediction in these classes; raises `EvaluationFailedError` where it was made by other names than mapped."""
    if prediction.classes not in (None, mapping.names):
        raise EvaluationFailedError(
            f"{mapping.detector}: its weights name other classes than those recorded for it",
            hint="nothing was scored; `cv-yolo show RUN` shows what is recorded",
        )
    found = tuple(mapping.apply(each) for each in prediction.detections)
    before, after = (sum(len(each.class_ids) for each in part) for part in (prediction.detections, found))
    return Detected(
        prediction=replace(prediction, detections=found, classes=classes), classes=mapping.names, ignored=before - after
    )


def inspected(
    weights: Path, weights_sha256: str, inspector: WeightsInspector, workdir: Path, *, trusted: bool
) -> tuple[str, ...]:
    """The classes that a weights file names; raises `WeightsError` for a file that names none or cannot be read."""
    request = InspectionRequest(weights=weights, weights_sha256=weights_sha256, workdir=workdir, trusted=trusted)
    return inspector.inspect(request).classes


def recorded(run: Run, tracker: ExperimentTracker) -> tuple[str, ...] | None:
    """The classes that a run's record names; None in records of earlier versions."""
    if run.classes is not None or DIGEST_TAG not in run.tags:
        return run.classes
    kept = CLASSES_NAME in tracker.artifacts(run.run_id, "")
    return from_file(tracker.artifact(run.run_id, CLASSES_NAME), run.tags) if kept else None
