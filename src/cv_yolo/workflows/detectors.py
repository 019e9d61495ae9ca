"""Find a detector by what a person calls it: a stage, a version, a run, or a weights file."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.promotion.versions import HELD_BY_ONE, ModelVersion
from cv_yolo.domain.training.runs import FINAL_PREFIX, Run, find_run
from cv_yolo.errors import NotFoundError, WeightsError
from cv_yolo.files import sha256_of, write_bytes_whole, write_whole
from cv_yolo.ports.models import InspectionRequest, WeightsInspector
from cv_yolo.ports.records import ExperimentTracker
from cv_yolo.workflows.class_names import inspected, recorded
from cv_yolo.workflows.evaluate import Detector
from cv_yolo.workflows.register import Register, holder
from cv_yolo.workflows.train import WEIGHTS_TAG

WEIGHTS_SUFFIXES = (".pt", ".onnx")
OTHER_SUFFIXES = (".pth", ".torchscript", ".engine", ".safetensors", ".tflite", ".mlpackage", ".pb", ".yaml", ".yml")
DEFAULT_IMAGE_SIZE_PX = 640
NEWEST = "newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where detectors come from; `weights` is the folder in which fetched weights are kept by their hash.

    `inspector` says which classes weights detect whose record does not; it works in `workdir`.
    """

    tracker: ExperimentTracker
    register: Register
    weights: Path
    inspector: WeightsInspector
    workdir: Path


def find_detector(name: str, sources: Sources, *, image_size_px: int | None = None, trusted: bool = False) -> Detector:
    """The detector of that name; `image_size_px` is for weights files, whose image size is not recorded.

    Weights files alone may be `trusted` to run code: what this project trained needs none.

    Raises `NotFoundError` where there is none, `WeightsError` where its weights are lost or not those recorded.
    """
    _require_known_format(name)
    if Path(name).suffix in WEIGHTS_SUFFIXES:
        return _of_file(Path(name), image_size_px or DEFAULT_IMAGE_SIZE_PX, trusted=trusted)
    version = find_version(name, sources.register)
    if version is not None:
        return of_version(version, sources)
    run = find_run(name, sources.tracker.runs())
    return of_run(run, sources)


def run_of(name: str, sources: Sources) -> Run | None:
    """The tracked run behind the detector of that name; None for a weights file."""
    _require_known_format(name)
    if Path(name).suffix in WEIGHTS_SUFFIXES:
        return None
    version = find_version(name, sources.register)
    return find_run(name, sources.tracker.runs()) if version is None else sources.tracker.get(version.run_id)


def _require_known_format(name: str) -> None:
    """A file of another kind is refused as one, not looked for among the runs."""
    suffix = Path(name).suffix
    if suffix in OTHER_SUFFIXES or (suffix not in WEIGHTS_SUFFIXES and Path(name).is_file()):
        raise WeightsError(
            f"{name}: not a weights file that can be scored", hint="give a .pt or an .onnx file, a version or a run"
        )


def find_version(name: str, register: Register) -> ModelVersion | None:
    """The version that is in the stage of that name, the `newest`, or the one that is called so; None where none is.

    Raises `NotFoundError` for an empty stage, and where nothing was registered yet.
    """
    for stage in HELD_BY_ONE:
        if name == stage:
            held = holder(stage, register)
            if held is None:
                raise NotFoundError(f"no version is in {stage}", hint="`cv-yolo models` lists what there is")
            return held
    versions = register.tracking.versions()
    if name == NEWEST:
        if not versions:
            raise NotFoundError("no version is registered", hint="`cv-yolo grid` registers the best run of a grid")
        return versions[-1]
    return next((each for each in versions if each.version == name), None)


def of_version(version: ModelVersion, sources: Sources) -> Detector:
    """A registered version as a detector, with the threshold that its run chose on val."""
    run = sources.tracker.get(version.run_id)
    return _of_run(run, sources, name=f"version {version.version}", weights_sha256=version.weights_sha256)


def of_run(run: Run, sources: Sources) -> Detector:
    """A tracked run as a detector."""
    return _of_run(run, sources, name=run.name, weights_sha256=run.tags.get(WEIGHTS_TAG))


def classes_of(version: ModelVersion, sources: Sources) -> tuple[str, ...]:
    """The classes of a registered version: as recorded with it or with its run, else as its weights say.

    Raises `NotFoundError` or `WeightsError` where nothing is left that could say it.
    """
    if version.classes is not None:
        return version.classes
    return classes_of_detector(of_version(version, sources), sources)


def classes_of_detector(detector: Detector, sources: Sources) -> tuple[str, ...]:
    """The classes of a detector: as recorded, else as its weights say."""
    if detector.classes is not None:
        return detector.classes
    return inspected(
        detector.weights,
        detector.weights_sha256,
        sources.inspector,
        sources.workdir,
        trusted=detector.trusted,
    )


def _of_run(run: Run, sources: Sources, *, name: str, weights_sha256: str | None) -> Detector:
    if weights_sha256 is None:
        raise WeightsError(
            f"run {run.name} ({run.run_id[:8]}) left no weights", hint=f"it ended as {run.status}: train it again"
        )
    return Detector(
        name=name,
        weights=_fetched(run, weights_sha256, sources),
        weights_sha256=weights_sha256,
        settings=PredictionSettings(image_size_px=int(run.params["image_size_px"])),
        run_id=run.run_id,
        confidence_threshold=run.metrics.get(f"{FINAL_PREFIX}confidence_threshold"),
        classes=recorded(run, sources.tracker),
        device=run.params["device"],
        threads=int(run.params["threads"]),
    )


def _fetched(run: Run, weights_sha256: str, sources: Sources) -> Path:
    """The run's weights on this machine, checked; whatever else lies in the store under their name is refused."""
    here = sources.weights / f"{weights_sha256}.pt"
    if here.is_file() and sha256_of(here) == weights_sha256:
        return here
    kept = sources.tracker.artifacts(run.run_id, "weights")
    if not kept:
        raise WeightsError(f"run {run.name} ({run.run_id[:8]}) keeps no weights")
    content = sources.tracker.artifact(run.run_id, kept[0])
    if hashlib.sha256(content).hexdigest() != weights_sha256:
        raise WeightsError(
            f"run {run.name} ({run.run_id[:8]}): {kept[0]} is not what was recorded (its sha256 differs)",
            hint="the stored file was changed; do not use it",
        )
    write_bytes_whole(here, content)
    return here


def _of_file(path: Path, image_size_px: int, *, trusted: bool) -> Detector:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file")
    return Detector(
        name=path.name,
        weights=path.resolve(),
        weights_sha256=sha256_of(path),
        settings=PredictionSettings(image_size_px=image_size_px),
        trusted=trusted,
    )


SUFFIX: Final = ".pt"


def require_readable(
    weights: Path, weights_sha256: str, inspector: WeightsInspector, folder: Path, *, trusted: bool
) -> None:
    """Raises `WeightsError` for weights that no training could start from; those read before are not read again.

    Weights that are `trusted` are left to the training, since loading them may run code.
    """
    if weights.suffix != SUFFIX:
        raise WeightsError(
            f"{weights}: a training starts from a {SUFFIX} file", hint="an exported model has no way back"
        )
    known = folder / f"{weights_sha256}.json"
    if trusted or known.is_file():
        return
    workdir = folder / f"inspection-{weights_sha256[:8]}"
    info = inspector.inspect(InspectionRequest(weights=weights, weights_sha256=weights_sha256, workdir=workdir))
    write_whole(known, json.dumps({"classes": info.classes}))
