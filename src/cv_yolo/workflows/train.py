"""Train one detector and leave a complete record of it."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from cv_yolo.domain.data.class_names import CLASSES_NAME, DIGEST_TAG, as_json, as_tags
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.training.runs import DatasetInput, RunStatus
from cv_yolo.domain.training.specs import (
    FORMER_CODE_VERSIONS,
    EpochMetrics,
    FinishedTraining,
    TrainedModel,
    TrainingRequest,
    TrainingResult,
)
from cv_yolo.errors import CvYoloError, StoppedError, TrainingFailedError, WeightsError, one_line
from cv_yolo.files import sha256_of, write_whole
from cv_yolo.ports.models import Trainer
from cv_yolo.ports.records import ExperimentTracker, FinishedTrainings, NewRun

WEIGHTS_TAG = "weights_sha256"
DATASET_PATH_TAG = "dataset_path"
CONTEXTS: Final = {Split.TRAIN: "training", Split.VAL: "validation", Split.TEST: "test"}  # the words of MLflow
MODEL_TYPE: Final = "object detector"


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a training needs of the world.

    `experiment` is the tracker's, and belongs to what makes two trainings the same; `report` prints a line. `user`
    and `source` say who started it with which command; `system_metrics` are read once an epoch, since the last one.
    """

    trainer: Trainer
    tracker: ExperimentTracker
    finished: FinishedTrainings
    experiment: str
    tags: dict[str, str]
    user: str = ""
    source: str = ""
    system_metrics: Callable[[], dict[str, float]] = dict
    on_start: Callable[[], None] = lambda: None
    on_epoch: Callable[[EpochMetrics], None] = lambda epoch: None
    report: Callable[[str], None] = lambda text: None


def train(request: TrainingRequest, training: Training) -> TrainedModel:
    """Train, tracked by exactly one run, which stays open for the evaluation to finish.

    A training that was finished before, whose run is still on record, is taken over instead: its pipeline run may have
    failed behind it, while its outcome was recorded, too. Whatever goes wrong ends the run as failed (or stopped) with
    its reason, and is raised.
    """
    known = _taken_over(request, training)
    if known is not None:
        return known
    run_id = training.tracker.start(_new_run(request, training))
    training.on_start()
    with closing_on_failure(training.tracker, run_id):
        finished = _trained(request, run_id, training)
        # First: a server that does not answer now costs no second training.
        training.finished.keep(fingerprint_of(request, training.experiment), finished)
        _record(request, finished, training)
    return finished.model


def fingerprint_of(request: TrainingRequest, experiment: str) -> str:
    """Everything that determines a training and its record, as one hash: the same inputs, the same fingerprint."""
    manifest, spec = request.manifest, asdict(request.spec)
    if not spec["trusted"]:
        del spec["trusted"]  # as in the fingerprints of earlier versions
    inputs = {
        "spec": spec,
        "dataset": [manifest.name, manifest.revision, manifest.dvc_hash, manifest.versioned, str(request.dataset_root)],
        "experiment": experiment,
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _known(request: TrainingRequest, training: Training) -> FinishedTraining | None:
    """The same training, if it was finished before: as it is kept today, or as earlier versions kept it."""
    known = training.finished.find(fingerprint_of(request, training.experiment))
    former = FORMER_CODE_VERSIONS.get(request.spec.code_version)
    if known is not None or former is None:
        return known
    earlier = replace(request, spec=replace(request.spec, code_version=former))
    return training.finished.find(fingerprint_of(earlier, training.experiment))


def _taken_over(request: TrainingRequest, training: Training) -> TrainedModel | None:
    known = _known(request, training)
    if known is None:
        return None
    model = known.model
    run = next((run for run in training.tracker.runs() if run.run_id == model.run_id), None)
    if run is None:
        return None
    training.report(f"{model.spec.name}: trained already, by run {model.run_id}; its weights are taken over")
    if WEIGHTS_TAG not in run.tags:
        with closing_on_failure(training.tracker, run.run_id):
            _record(request, known, training)
    return model


def _trained(request: TrainingRequest, run_id: str, training: Training) -> FinishedTraining:
    if sha256_of(request.weights) != request.spec.weights_sha256:
        raise WeightsError(f"{request.weights}: the file changed since the run was planned")
    result = training.trainer.train(request, on_epoch=_recording(run_id, training))
    _require_proof(result)
    model = TrainedModel(
        spec=request.spec,
        run_id=run_id,
        dataset_revision=request.manifest.revision,
        weights=result.weights,
        weights_sha256=result.weights_sha256,
        size_bytes=result.size_bytes,
        duration_s=result.duration_s,
        classes=request.manifest.classes,
    )
    return FinishedTraining(model=model, artifacts=result.artifacts)


def _record(request: TrainingRequest, finished: FinishedTraining, training: Training) -> None:
    """Record the outcome in the model's run; the tag of the weights comes last, and says that all of it is there.

    A takeover records what an interruption left out; artifacts whose folder was removed since are not there to be.
    """
    tracker, model = training.tracker, finished.model
    run_id = model.run_id
    tracker.log_metrics(run_id, {"duration_s": model.duration_s, "weights_size_bytes": float(model.size_bytes)})
    tracker.log_artifacts(run_id, [model.weights], "weights")
    tracker.log_artifacts(run_id, tuple(path for path in finished.artifacts if path.is_file()), "training")
    _keep_long_list(request, run_id, training)
    tracker.log_model(
        run_id,
        model.spec.name,
        model_type=MODEL_TYPE,
        params={name: str(value) for name, value in asdict(model.spec).items()},
        tags={WEIGHTS_TAG: model.weights_sha256, "dataset_revision": model.dataset_revision},
    )
    tracker.tag(run_id, {WEIGHTS_TAG: model.weights_sha256})


def _keep_long_list(request: TrainingRequest, run_id: str, training: Training) -> None:
    """Keep class names as a file where they are too long for a tag."""
    classes = request.manifest.classes
    if DIGEST_TAG in as_tags(classes):
        names = request.workdir / CLASSES_NAME
        write_whole(names, as_json(classes))
        training.tracker.log_artifacts(run_id, [names])


class closing_on_failure:  # noqa: N801 - reads as a statement, like contextlib.suppress
    """End the tracked run as failed or stopped when the block raises; the error goes on its way."""

    def __init__(self, tracker: ExperimentTracker, run_id: str) -> None:
        self._tracker, self._run_id = tracker, run_id

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            return
        stopped = isinstance(error, StoppedError | KeyboardInterrupt)
        status = RunStatus.STOPPED if stopped else RunStatus.FAILED
        try:
            self._tracker.finish(self._run_id, status, one_line(error))
        except CvYoloError as second:  # the first error is the one to fix
            error.add_note(f"and its tracked run could not be closed: {one_line(second)}")


def dataset_input(manifest: DatasetManifest, split: Split, *, source: str = "") -> DatasetInput:
    """A split of the data as a run's input; the revision is that of the whole data set, as everywhere in the record."""
    return DatasetInput(
        name=f"{manifest.name}/{split}",
        digest=manifest.revision,
        context=CONTEXTS[split],
        source=source,
        profile={"images": manifest.counts()[split], "boxes": manifest.box_counts()[split]},
    )


def _new_run(request: TrainingRequest, training: Training) -> NewRun:
    manifest, spec, tags = request.manifest, request.spec, training.tags
    data = {"dataset": manifest.name, "dataset_revision": manifest.revision, "dvc_hash": manifest.dvc_hash or "none"}
    counts = {f"images_{split}": str(count) for split, count in manifest.counts().items()}
    facts = {"seed": str(request.spec.seed), "dvc_versioned": str(manifest.versioned).lower()}
    return NewRun(
        name=request.spec.name,
        params={name: str(value) for name, value in asdict(request.spec).items()} | data | counts,
        tags=tags | data | as_tags(manifest.classes) | facts,
        user=training.user,
        source=training.source,
        note=f"Trained from `{spec.weights}` for {spec.epochs} epochs at {spec.image_size_px} px on "
        f"`{manifest.name}` ({_images(manifest)}). `cv-yolo show {spec.name}` prints the whole record.",
        inputs=tuple(
            dataset_input(manifest, split, source=tags.get(DATASET_PATH_TAG, manifest.name))
            for split, count in zip(Split, manifest.counts().values(), strict=True)
            if count
        ),
    )


def _images(manifest: DatasetManifest) -> str:
    return ", ".join(f"{count} {split} images" for split, count in manifest.counts().items() if count)


def _recording(run_id: str, training: Training) -> Callable[[EpochMetrics], None]:
    def record(epoch: EpochMetrics) -> None:
        training.on_epoch(epoch)
        wrong = [name for name, value in epoch.values.items() if not math.isfinite(value)]
        if wrong:
            raise TrainingFailedError(f"epoch {epoch.epoch}: not finite: {', '.join(sorted(wrong))}")
        values = epoch.values | training.system_metrics()
        training.tracker.log_epoch(run_id, EpochMetrics(epoch=epoch.epoch, values=values))

    return record


def _require_proof(result: TrainingResult) -> None:
    if not result.weights.is_file() or sha256_of(result.weights) != result.weights_sha256:
        raise TrainingFailedError(f"the weights {result.weights} are missing or not those that were trained")
    if result.epochs_completed < 1:
        raise TrainingFailedError("no epoch was completed")
