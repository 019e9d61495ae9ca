"""The ports in memory, for tests: small, and as strict as the adapters (the contract tests run on both)."""

import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.data.annotated import AnnotatedDataset, ImageAnnotations
from cv_yolo.domain.data.annotations import Boxes, Detections, GroundTruth, xyxy_to_xywhn
from cv_yolo.domain.data.categories import Categories
from cv_yolo.domain.data.counting import count_objects
from cv_yolo.domain.data.fixes import Fix, FixPlan
from cv_yolo.domain.data.label_text import Box, format_label_text
from cv_yolo.domain.data.manifest import DatasetManifest, ImageRecord, Split, revision_of
from cv_yolo.domain.promotion.audit import AuditFinding, Entry
from cv_yolo.domain.promotion.versions import ModelVersion, Stage
from cv_yolo.domain.training.runs import DatasetInput, Run, RunStatus
from cv_yolo.domain.training.specs import EpochMetrics, FinishedTraining, TrainingRequest, TrainingResult
from cv_yolo.domain.training.tracking_events import (
    LoggedModel,
    RunDetails,
    RunEnding,
    RunFiles,
    StepMetrics,
    TakesTrackingEvents,
    TrackingEvent,
)
from cv_yolo.errors import (
    AuditLogError,
    DatasetError,
    EvaluationFailedError,
    LogGrewError,
    NotFoundError,
    ServiceUnavailableError,
    WeightsError,
)
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import (
    CheckedPicture,
    FormerImport,
    FoundDataset,
    LabelledImage,
    OnTransfer,
    PulledDataset,
    PushedDataset,
    Thumbnail,
    TransferProgress,
)
from cv_yolo.ports.models import InspectionRequest, OnEpoch, Prediction, PredictionRequest, WeightsInfo
from cv_yolo.ports.records import NewRun
from cv_yolo.ports.registry import NewVersion
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.register import Register

REASON_TAG = "reason"
DIGEST_LENGTH = 36  # what MLflow keeps of the digest of a data set


class FakeTrainer:
    """Reports each epoch and writes small files; `fails` is raised after the epochs, before there are weights.

    `values` are what an epoch measured, by its number; `tamper` changes the result before it is handed back.
    """

    def __init__(
        self,
        *,
        values: Callable[[int], dict[str, float]] = lambda epoch: {"val/map_50": epoch / 10},
        fails: BaseException | None = None,
        tamper: Callable[[TrainingResult], TrainingResult] = lambda result: result,
    ) -> None:
        self._values, self._fails, self._tamper = values, fails, tamper
        self.requests: list[TrainingRequest] = []

    def train(self, request: TrainingRequest, *, on_epoch: OnEpoch) -> TrainingResult:
        self.requests.append(request)
        if not request.weights.is_file():
            raise WeightsError(f"{request.weights}: no such weights file")
        for epoch in range(1, request.spec.epochs + 1):
            on_epoch(EpochMetrics(epoch=epoch, values=self._values(epoch)))
        if self._fails is not None:
            raise self._fails
        request.workdir.mkdir(parents=True, exist_ok=True)
        weights, table = request.workdir / "best.pt", request.workdir / "results.csv"
        weights.write_text(repr((request.spec, request.manifest.revision)), encoding="utf-8")
        table.write_text("epoch\n", encoding="utf-8")
        return self._tamper(
            TrainingResult(
                weights=weights,
                weights_sha256=sha256_of(weights),
                size_bytes=weights.stat().st_size,
                epochs_completed=request.spec.epochs,
                duration_s=1.5,
                artifacts=(table,),
            )
        )


class FakePredictor:
    """Returns the given detections for each image, and none for the others; `by_sha256` overrides them by weights.

    `classes` are the names that the weights give their class ids.
    """

    def __init__(self, detections: Iterable[Detections] = (), *, fails: BaseException | None = None) -> None:
        self._detections, self._fails = {found.image: found for found in detections}, fails
        self.by_sha256: dict[str, dict[str, Detections]] = {}
        self.classes: tuple[str, ...] | None = None
        self.requests: list[PredictionRequest] = []

    def predict(self, request: PredictionRequest) -> Prediction:
        self.requests.append(request)
        if not request.weights.is_file() or sha256_of(request.weights) != request.weights_sha256:
            raise WeightsError(f"{request.weights}: the file is not the one that was recorded (its sha256 differs)")
        if self._fails is not None:
            raise self._fails
        known = self.by_sha256.get(request.weights_sha256, self._detections)
        return Prediction(
            detections=tuple(known.get(image, _nothing(image)) for image in request.images),
            predictor="fake 1.0",
            classes=self.classes,
            settings=request.settings,
            latency_ms=12.5,
        )


def _nothing(image: str) -> Detections:
    return Detections(
        image=image,
        boxes_xyxy=np.empty((0, 4)),
        class_ids=np.empty(0, dtype=np.int64),
        confidences=np.empty(0),
    )


class FakeInspector:
    """Returns the given inspection for each weights file; `by_sha256` overrides it, and `fails` is raised instead."""

    def __init__(self, classes: tuple[str, ...] = ("person",), *, fails: BaseException | None = None) -> None:
        self._classes, self._fails = classes, fails
        self.by_sha256: dict[str, tuple[str, ...]] = {}
        self.requests: list[InspectionRequest] = []

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        self.requests.append(request)
        if not request.weights.is_file():
            raise WeightsError(f"{request.weights}: no such weights file")
        if sha256_of(request.weights) != request.weights_sha256:
            raise WeightsError(f"{request.weights}: the file is not the one that was recorded (its sha256 differs)")
        if self._fails is not None:
            raise self._fails
        return WeightsInfo(classes=self.by_sha256.get(request.weights_sha256, self._classes))


class FakePredictionFile:
    """Files that hold a ticket each, for which the prediction is handed out again.

    `results` are foreign files, with category ids in place of class ids; `categories` say what those stand for.
    """

    def __init__(self) -> None:
        self._kept: dict[bytes, Prediction] = {}
        self.results: dict[Path, Prediction] = {}
        self.categories: dict[Path, Categories] = {}

    def write(self, path: Path, prediction: Prediction) -> None:
        ticket = f"prediction {len(self._kept) + 1}".encode()
        self._kept[ticket] = prediction
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ticket)

    def read(self, content: bytes, images: Sequence[str]) -> Prediction:
        kept = self._kept.get(content)
        if kept is None:
            raise EvaluationFailedError("stored detections cannot be read: no such ticket")
        found = {each.image: each for each in kept.detections}
        if found.keys() != set(images):
            raise EvaluationFailedError("stored detections are of other images than those requested")
        return replace(kept, detections=tuple(found[image] for image in images))

    def read_coco(self, path: Path, images: Sequence[str], *, categories: Categories) -> Prediction:
        found = {each.image: each for each in self.results[path].detections}
        placed = {image: categories.places(each.class_ids.tolist(), results=str(path)) for image, each in found.items()}
        return Prediction(
            detections=tuple(
                replace(found.get(image, _nothing(image)), class_ids=np.array(placed.get(image, []), dtype=np.int64))
                for image in images
            ),
            predictor=f"results file {path.name}, categories: {categories.source}",
            classes=tuple(categories.names.values()),
        )

    def read_categories(self, path: Path) -> Categories:
        return self.categories[path]


@dataclass
class _Tracked:
    run: NewRun
    started_at: datetime
    tags: dict[str, str]
    models: list[LoggedModel] = field(default_factory=list)
    figures_on: dict[str, DatasetInput] = field(default_factory=dict)
    status: RunStatus = RunStatus.RUNNING
    ended_at: datetime | None = None
    metrics: dict[str, dict[tuple[int, int, float], None]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)


class FakeExperimentTracker(TakesTrackingEvents):
    """Keeps runs in a dictionary; its clock goes on by one second with each run that starts or ends.

    As in MLflow, the reason of a run is a tag, figures of the same name, step, millisecond and value are one, the
    figure of a metric is that of its highest step (of equal ones the last), and an unknown metric has no history.
    """

    def __init__(self) -> None:
        self._runs: dict[str, _Tracked] = {}
        self._time = datetime(2025, 3, 4, 12, tzinfo=UTC)

    def connect(self) -> None:
        """Nothing to make."""

    def start(self, run: NewRun) -> str:
        run_id = f"{len(self._runs) + 1:032x}"
        self._runs[run_id] = _Tracked(run=run, started_at=self._tick(), tags=dict(run.tags))
        return run_id

    def deliver(self, event: TrackingEvent) -> None:
        tracked = self._find(event.run_id)
        match event:
            case StepMetrics():
                for name, value in event.values.items():
                    figure = (event.step, int(event.at.timestamp() * 1000), value)
                    tracked.metrics.setdefault(name, {}).setdefault(figure)
                    tracked.figures_on |= {} if event.data is None else {name: event.data}
            case RunDetails():
                tracked.tags.update(event.tags)
            case RunFiles():
                folder = f"{event.folder}/" if event.folder else ""
                tracked.artifacts |= {f"{folder}{file.name}": file.read_bytes() for file in event.paths}
            case LoggedModel():
                tracked.models = tracked.models or [event]
            case RunEnding():
                tracked.tags.pop(REASON_TAG, None)
                tracked.tags |= {} if event.reason is None else {REASON_TAG: event.reason}
                tracked.status = event.status
                tracked.ended_at = None if event.status is RunStatus.RUNNING else self._tick()

    def get(self, run_id: str) -> Run:
        tracked = self._find(run_id)
        return Run(
            run_id=run_id,
            name=tracked.run.name,
            status=tracked.status,
            reason=tracked.tags.get(REASON_TAG),
            started_at=tracked.started_at,
            ended_at=tracked.ended_at,
            params=dict(tracked.run.params),
            tags=dict(tracked.tags),
            metrics={
                name: max(enumerate(values), key=lambda each: (each[1][0], each[0]))[1][2]
                for name, values in tracked.metrics.items()
            },
            user=tracked.run.user,
            inputs=tuple(
                sorted(
                    (replace(each, digest=each.digest[:DIGEST_LENGTH]) for each in tracked.run.inputs),
                    key=lambda each: each.context,
                )
            ),
        )

    def runs(self) -> tuple[Run, ...]:
        return tuple(self.get(run_id) for run_id in reversed(self._runs))

    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        tracked = self._runs.get(run_id)
        return (
            ()
            if tracked is None
            else tuple(sorted((step, value) for step, _, value in tracked.metrics.get(metric, ())))
        )

    def artifact(self, run_id: str, path: str) -> bytes:
        kept = self._find(run_id).artifacts
        if path not in kept:
            raise NotFoundError(f"run {run_id} keeps no {path}")
        return kept[path]

    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self._find(run_id).artifacts if path.rpartition("/")[0] == folder))

    def models(self, run_id: str) -> tuple[LoggedModel, ...]:
        """The models that were logged as made by the run, for tests to look at."""
        return tuple(self._find(run_id).models)

    def figures_on(self, run_id: str) -> dict[str, DatasetInput]:
        """On which data the figures of the run's model were measured, for tests to look at."""
        return dict(self._find(run_id).figures_on)

    def kept(self, run_id: str) -> tuple[str, ...]:
        """The paths of all that is kept with the run, for tests to look at."""
        return tuple(self._find(run_id).artifacts)

    def _find(self, run_id: str) -> _Tracked:
        if run_id not in self._runs:
            raise NotFoundError(f"Run with id={run_id} not found")
        return self._runs[run_id]

    def _tick(self) -> datetime:
        self._time += timedelta(seconds=1)
        return self._time


class FakeOutbox:
    """Events in lists by run, with copies of their files; `refused` are those set aside, with their reasons."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        self.copies = count()
        self.kept: dict[str, list[TrackingEvent]] = {}
        self.refused: list[tuple[TrackingEvent, str]] = []
        self.open: set[str] = set()

    def runs(self) -> tuple[str, ...]:
        return tuple(sorted(self.kept))

    @contextmanager
    def opened(self, run_id: str) -> Iterator["FakeRunEvents"]:
        if run_id in self.open:
            raise AssertionError(f"the events of {run_id} are already open")
        self.open.add(run_id)
        try:
            yield FakeRunEvents(outbox=self, run_id=run_id)
        finally:
            self.open.remove(run_id)


@dataclass(frozen=True, kw_only=True)
class FakeRunEvents:
    """The events of one run."""

    outbox: FakeOutbox
    run_id: str

    def waiting(self) -> tuple[TrackingEvent, ...]:
        return tuple(self.outbox.kept.get(self.run_id, ()))

    def add(self, event: TrackingEvent) -> None:
        if isinstance(event, RunFiles):
            event = replace(event, paths=tuple(self._copied(path) for path in event.paths))
        self.outbox.kept.setdefault(self.run_id, []).append(event)

    def delivered(self) -> None:
        self.outbox.kept[self.run_id].pop(0)
        if not self.outbox.kept[self.run_id]:
            del self.outbox.kept[self.run_id]

    def set_aside(self, reason: str) -> None:
        self.outbox.refused.append((self.outbox.kept[self.run_id][0], reason))
        self.delivered()

    def _copied(self, path: Path) -> Path:
        kept = Path(self.outbox.folder.name, str(next(self.outbox.copies)), path.name)
        kept.parent.mkdir()
        return Path(shutil.copyfile(path, kept))


class FakeFinishedTrainings:
    """Trainings by their fingerprints; those whose weights are gone are not found."""

    def __init__(self) -> None:
        self.trainings: dict[str, FinishedTraining] = {}

    def find(self, fingerprint: str) -> FinishedTraining | None:
        training = self.trainings.get(fingerprint)
        return training if training is not None and training.model.weights.is_file() else None

    def keep(self, fingerprint: str, training: FinishedTraining) -> None:
        self.trainings[fingerprint] = training


class FakeModelRegistry:
    """Versions in a list; while `refuses` is set, no stage is given, and while `down` is set, nothing is answered."""

    def __init__(self, *, model: str = "cv_yolo_tiny") -> None:
        self._model = model
        self._versions: dict[str, ModelVersion] = {}
        self._anchor: str | None = None
        self.refuses: BaseException | None = None
        self.down: BaseException | None = None

    def register(self, new: NewVersion, *, version: str | None = None) -> ModelVersion:
        known = next((each for each in self.versions() if each.run_id == new.run_id), None)
        if known is not None:
            return known
        made = ModelVersion(
            model=self._model,
            version=f"v{version}" if version else str(len(self._versions) + 1),
            run_id=new.run_id,
            weights_sha256=new.weights_sha256,
            confidence_threshold=new.confidence_threshold,
            classes=new.classes,
        )
        self._versions[made.version] = made
        return made

    def versions(self) -> tuple[ModelVersion, ...]:
        self._answer()
        return tuple(self._versions.values())

    def set_stage(self, version: str, stage: Stage | None) -> None:
        self._answer()
        if self.refuses is not None:
            raise self.refuses
        if version not in self._versions:
            raise ServiceUnavailableError(f"Model Version (name={self._model}, version={version}) not found")
        if stage in {Stage.STAGING, Stage.PRODUCTION}:
            for name, each in self._versions.items():
                if each.stage is stage:
                    self._versions[name] = replace(each, stage=Stage.ARCHIVED)
        self._versions[version] = replace(self._versions[version], stage=stage)

    def anchor(self) -> str | None:
        self._answer()
        return self._anchor

    def set_anchor(self, text: str) -> None:
        self._answer()
        self._anchor = text

    def _answer(self) -> None:
        if self.down is not None:
            raise self.down


class FakeAuditLog:
    """Entries in a list, written under the lock only; `damaged` lines are found, and while `fails` is set, none is."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.written = list(entries)
        self.damaged: tuple[AuditFinding, ...] = ()
        self.fails: BaseException | None = None
        self._held = 0

    def entries(self) -> tuple[Entry, ...]:
        if self.damaged:
            raise AuditLogError(self.damaged[0].sentence)
        return tuple(self.written)

    def damage(self) -> tuple[AuditFinding, ...]:
        return self.damaged

    def append(self, entry: Entry) -> None:
        if not self._held:
            raise AssertionError("written without the lock")
        if self.fails is not None:
            raise self.fails
        if entry.number != len(self.written) + 1:
            raise LogGrewError(f"entry {entry.number} is there already")
        self.written.append(entry)

    @contextmanager
    def locked(self) -> Iterator[None]:
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    found: FoundDataset
    recorded: tuple[ImageRecord, ...] | None
    truths: dict[str, GroundTruth]


class FakeDatasetFolder:
    """Data sets by their root; `pixels` holds the pictures that were written, by root and path."""

    def __init__(self) -> None:
        self._stored: dict[Path, _Stored] = {}
        self.pixels: dict[tuple[Path, str], npt.NDArray[np.uint8]] = {}

    def put(
        self,
        root: Path,
        found: FoundDataset,
        *,
        recorded: tuple[ImageRecord, ...] | None = None,
        truths: Iterable[GroundTruth] = (),
    ) -> None:
        """Lay a data set into the folder; `recorded` is what its manifest says."""
        self._stored[root] = _Stored(found=found, recorded=recorded, truths={truth.image: truth for truth in truths})

    def exists(self, root: Path) -> bool:
        return root in self._stored

    def inspect(self, root: Path, on_image: Callable[[int, int], None] = lambda done, total: None) -> FoundDataset:
        if root not in self._stored:
            return FoundDataset(
                classes=(), images=(), refusals=(DatasetError(f"{root / 'data.yaml'}: cannot be read"),)
            )
        found = self._find(root).found
        on_image(len(found.images), len(found.images))
        return replace(found, images=tuple(sorted(found.images, key=lambda record: record.image)))

    def scan(self, root: Path) -> FoundDataset:
        found = self._find(root).found
        return replace(found, images=tuple(sorted(found.images, key=lambda record: record.image)))

    def recorded(self, root: Path) -> tuple[ImageRecord, ...] | None:
        return self._stored[root].recorded if root in self._stored else None

    def ground_truth(self, root: Path, manifest: DatasetManifest, split: Split) -> tuple[GroundTruth, ...]:
        stored = self._find(root)
        now = {record.image: record.label_sha256 for record in stored.found.images}
        for record in manifest.split(split):
            if now.get(record.image) != record.label_sha256:
                raise DatasetError(f"{root / record.label}: not as the manifest recorded it: another content")
        truths = stored.truths
        return tuple(truths.get(record.image, _no_objects(record.image)) for record in manifest.split(split))

    def write(
        self, root: Path, *, classes: tuple[str, ...], pictures: Iterable[LabelledImage], origin: dict[str, str]
    ) -> DatasetManifest:
        written = {f"images/{each.split}/{each.name}.jpg": each for each in pictures}
        records = tuple(_record(image, written[image]) for image in sorted(written))
        manifest = DatasetManifest(name=root.name, classes=classes, images=records)
        truths = [_truth(image, picture) for image, picture in written.items()]
        self.put(root, FoundDataset(classes=classes, images=records), recorded=records, truths=truths)
        self.pixels |= {(root, image): picture.pixels for image, picture in written.items()}
        return manifest

    def _find(self, root: Path) -> _Stored:
        if root not in self._stored:
            raise DatasetError(f"{root / 'data.yaml'}: cannot be read")
        return self._stored[root]


class FakeImportFolder:
    """Imports by their root, and source pictures by path; a picture that is not there, or a reason, is refused."""

    def __init__(self) -> None:
        self.sources: dict[Path, CheckedPicture | str] = {}
        self.tables: dict[Path, Mapping[str, Mapping[str, str]]] = {}
        self.foreign: set[Path] = set()
        self._written: dict[Path, tuple[AnnotatedDataset, DatasetManifest, FormerImport]] = {}

    def pictures(self, root: Path) -> tuple[Path, ...]:
        return tuple(sorted(path for path in self.sources if path.is_relative_to(root)))

    def columns(self, root: Path, images: Collection[str]) -> Mapping[str, Mapping[str, str]]:
        return {image: row for image, row in self.tables.get(root, {}).items() if image in images}

    def check_pictures(self, paths: Sequence[Path]) -> Iterator[CheckedPicture | DatasetError]:
        for path in paths:
            found = self.sources.get(path, "cannot be read")
            yield DatasetError(f"{path}: {found}") if isinstance(found, str) else found

    def former(self, root: Path) -> FormerImport | None:
        if root in self.foreign:
            raise DatasetError(f"{root}: was not made by `cv-yolo data import`")
        return self._written[root][2] if root in self._written else None

    def write(
        self,
        root: Path,
        dataset: AnnotatedDataset,
        *,
        images_root: Path,
        pictures: Mapping[str, CheckedPicture],
        origin: Mapping[str, str],
        on_image: Callable[[int], None],
    ) -> DatasetManifest:
        records, placed = [], []
        for done, image in enumerate(dataset.images, start=1):
            picture = self.sources.get(images_root / image.path)
            if picture != pictures[image.path]:
                raise DatasetError(f"{images_root / image.path}: changed during the import")
            records.append(_imported_record(image, pictures[image.path], dataset.classes))
            placed.append(replace(image, path=records[-1].image))
            on_image(done)
        records.sort(key=lambda record: record.image)
        manifest = DatasetManifest(name=root.name, classes=dataset.classes, images=tuple(records))
        former = FormerImport(
            classes=dataset.classes,
            origin={"tool": "cv-yolo data import", **origin},
            splits={record.image_sha256: record.split for record in records},
        )
        placed.sort(key=lambda image: image.path)
        self._written[root] = (replace(dataset, images=tuple(placed), findings=()), manifest, former)
        return manifest

    def annotated(self, root: Path) -> AnnotatedDataset:
        if root not in self._written:
            raise DatasetError(f"{root / 'data.yaml'}: cannot be read")
        return self._written[root][0]


def _imported_record(image: ImageAnnotations, picture: CheckedPicture, classes: tuple[str, ...]) -> ImageRecord:
    if image.split is None:
        raise ValueError(f"{image.path}: without a split")
    name = Path(image.path)
    return ImageRecord(
        split=image.split,
        image=f"images/{image.split}/{name.name}",
        image_sha256=picture.sha256,
        label=f"labels/{image.split}/{name.stem}.txt",
        label_sha256=hashlib.sha256(repr(image.objects).encode()).hexdigest(),
        boxes=len(count_objects(image, classes).label.boxes),
        width_px=image.width_px,
        height_px=image.height_px,
        attributes=dict(image.attributes),
    )


class FakeDatasetFixer:
    """Removes orphaned labels of the folders in `orphans`, keeps their names by backup, and calls `then`."""

    def __init__(self, orphans: Mapping[Path, Iterable[str]], *, then: Callable[[], None] = lambda: None) -> None:
        self.orphans = {root: set(paths) for root, paths in orphans.items()}
        self.then = then
        self.kept: dict[Path, tuple[str, ...]] = {}
        self.plans: list[FixPlan] = []

    def fix(self, root: Path, images: Mapping[str, ImageRecord], plan: FixPlan, backup: Path) -> tuple[Fix, ...]:
        self.plans.append(plan)
        there = self.orphans.get(root, set())
        fixed = tuple(path for path in plan.orphans if path in there)
        if fixed:
            self.kept[backup] = fixed
            self.then()
        there.difference_update(fixed)
        return tuple(Fix(path=path, what="label file without an image removed") for path in fixed)


def _record(image: str, picture: LabelledImage) -> ImageRecord:
    height_px, width_px = picture.pixels.shape[:2]
    rows = xyxy_to_xywhn(picture.boxes_xyxy, width_px=width_px, height_px=height_px).tolist()
    text = format_label_text(tuple(Box(class_id=0, xywhn=(row[0], row[1], row[2], row[3])) for row in rows))
    return ImageRecord(
        split=picture.split,
        image=image,
        image_sha256=hashlib.sha256(picture.pixels.tobytes()).hexdigest(),
        label=image.replace("images/", "labels/").replace(".jpg", ".txt"),
        label_sha256=hashlib.sha256(text.encode()).hexdigest(),
        boxes=len(rows),
        width_px=width_px,
        height_px=height_px,
    )


def _truth(image: str, picture: LabelledImage) -> GroundTruth:
    class_ids = np.zeros(len(picture.boxes_xyxy), dtype=np.int64)
    return GroundTruth(image=image, boxes_xyxy=picture.boxes_xyxy, class_ids=class_ids)


def _no_objects(image: str) -> GroundTruth:
    return GroundTruth(image=image, boxes_xyxy=np.empty((0, 4)), class_ids=np.empty(0, dtype=np.int64))


class FakeDatasetStore:
    """Knows data sets by root: `recorded` revisions, which can be pulled unless `lost`, and `recipes` to make them."""

    def __init__(
        self,
        folder: FakeDatasetFolder,
        *,
        recorded: Mapping[Path, FoundDataset] | None = None,
        recipes: Mapping[Path, FoundDataset] | None = None,
        lost: bool = False,
    ) -> None:
        self._folder, self._lost = folder, lost
        self.pushed: list[Path] = []
        self._recorded, self._recipes = dict(recorded or {}), dict(recipes or {})

    def pull(
        self, root: Path, *, out: Path | None = None, on_progress: OnTransfer = lambda _: None
    ) -> PulledDataset | None:
        if root not in self._recorded or self._lost:
            return None
        found, folder = self._recorded[root], out or root
        on_progress(TransferProgress(stage="Downloading", done=len(found.images), files=len(found.images)))
        self._lay(folder, found)
        return PulledDataset(
            folder=folder,
            dvc_hash=_directory_hash(found),
            files=len(found.images),
            bytes=0,
            downloaded_objects=len(found.images),
            downloaded_bytes=0,
            remote="fake",
        )

    def push(
        self,
        root: Path,
        *,
        name: str | None = None,
        shards: bool | None = None,
        on_progress: OnTransfer = lambda _: None,
    ) -> PushedDataset:
        before = self._recorded.get(root)
        if root not in self._recipes and self._folder.exists(root):
            self._recorded[root] = self._folder.scan(root)
        if root not in self._recorded:
            raise DatasetError(f"{root}: no such folder, and no revision of it is recorded")
        found, new = self._recorded[root], root not in self.pushed or before != self._recorded[root]
        on_progress(TransferProgress(stage="Uploading", done=len(found.images), files=len(found.images)))
        self.pushed.append(root)
        return PushedDataset(
            record=f"data/{name or root.name}.dvc",
            recorded=before != found,
            dvc_hash=_directory_hash(found),
            files=len(found.images),
            bytes=0,
            uploaded_objects=len(found.images) if new else 0,
            uploaded_bytes=0,
            remote="fake",
            shards=int(bool(shards)),
        )

    def recipe(self, root: Path) -> str | None:
        return "make_it" if root in self._recipes else None

    def make(self, root: Path) -> bool:
        if root not in self._recipes:
            return False
        self._recorded[root] = self._recipes[root]
        self._lay(root, self._recipes[root])
        return True

    def content_hash(self, root: Path, known: Mapping[str, str] | None = None) -> str | None:
        return _directory_hash(self._folder.scan(root)) if self._folder.exists(root) else None

    def recorded_hash(self, root: Path) -> str | None:
        return _directory_hash(self._recorded[root]) if root in self._recorded else None

    def _lay(self, root: Path, found: FoundDataset) -> None:
        self._folder.put(root, found, recorded=self._folder.recorded(root) or found.images)


def _directory_hash(found: FoundDataset) -> str:
    return f"{revision_of(found.classes, found.images)[:32]}.dir"


class FakePainter:
    """Paints noise, and one person whose box depends on the random stream only."""

    def __call__(self, rng: np.random.Generator, *, size_px: int) -> tuple[npt.NDArray[np.uint8], Boxes]:
        pixels = rng.integers(0, 256, size=(size_px, size_px, 3), dtype=np.uint8)
        low, high = rng.integers(0, size_px // 2, size=2), rng.integers(size_px // 2 + 1, size_px, size=2)
        return pixels, np.array([[*low, *high]], dtype=np.float64)


class FakeImageRenderer:
    """Writes the names of the images and the threshold where the sheet would be, and no picture at all."""

    def thumbnails(self, root: Path, images: Iterable[str]) -> dict[str, Thumbnail]:
        return {image: Thumbnail(jpeg=image.encode(), width_px=320, height_px=240) for image in images}

    def truth_beside_predictions(
        self, root: Path, pairs: Sequence[tuple[GroundTruth, Detections]], *, confidence_threshold: float, out: Path
    ) -> Path:
        out.parent.mkdir(parents=True, exist_ok=True)
        images = " ".join(truth.image for truth, _ in pairs)
        out.write_text(f"{images} at {confidence_threshold:g}", encoding="utf-8")
        return out


def fake_sources(folder: Path) -> Sources:
    """Where detectors come from, where nothing is recorded yet."""
    return Sources(
        tracker=FakeExperimentTracker(),
        register=a_fake_register(),
        weights=folder / "fetched",
        inspector=FakeInspector(),
        workdir=folder / "inspection",
    )


def a_fake_register(model: str = "cv_yolo_tiny") -> Register:
    """A register in memory: a log, two registries, and the first of them as the log's anchor."""
    tracking = FakeModelRegistry(model=model)
    return Register(
        model=model, tracking=tracking, pipeline=FakeModelRegistry(model=model), log=FakeAuditLog(), anchor=tracking
    )
