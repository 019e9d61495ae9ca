"""A project on disk whose services are fakes: the command line at work without torch, MLflow, ZenML and DVC."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.domain.data.annotations import Detections
from cv_yolo.domain.data.manifest import Split
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.specs import TrainedModel
from cv_yolo.files import sha256_of
from cv_yolo.ports.datasets import OnTransfer, PushedDataset
from cv_yolo.ports.models import InspectionRequest, WeightsInfo
from cv_yolo.ports.records import NewRun
from cv_yolo.workflows.draw_dataset import draw_dataset
from cv_yolo.workflows.evaluate import Examination, detector_of, evaluate
from cv_yolo.workflows.prepare_dataset import prepare_dataset
from cv_yolo.workflows.register import Register, registered
from tests.builders import a_new_version, a_spec, a_trained_model
from tests.fakes import (
    FakeExperimentTracker,
    FakeImageRenderer,
    FakeInspector,
    FakePainter,
    FakePredictor,
    a_fake_register,
)

DATA = "data/drawn"
COUNTS = {Split.TRAIN: 2, Split.VAL: 6, Split.TEST: 32}


class NoStore:
    """DVC, unused."""

    def pull(self, root: Path, *, out: Path | None = None, on_progress: OnTransfer | None = None) -> None:
        return None

    def push(
        self,
        root: Path,
        *,
        name: str | None = None,
        shards: bool | None = None,
        on_progress: OnTransfer | None = None,
    ) -> PushedDataset:
        raise AssertionError("nothing is pushed")

    def recipe(self, root: Path) -> str | None:
        return None

    def make(self, root: Path) -> bool:
        return False

    def content_hash(self, root: Path, known: Mapping[str, str] | None = None) -> str | None:
        return None

    def recorded_hash(self, root: Path) -> str | None:
        return None


class Worker(FakePredictor):
    """Predicts, and inspects weights, as the child processes do."""

    def __init__(self) -> None:
        super().__init__()
        self.inspector = FakeInspector()

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        return self.inspector.inspect(request)


class FakeRecords:
    """The records of a project, in memory."""

    def __init__(self) -> None:
        self.runs, self.registers, self.others = FakeExperimentTracker(), a_fake_register(), dict[str, Register]()

    def tracker(self, experiment: str = "cv_yolo_tiny") -> Any:
        return self.runs if experiment == "cv_yolo_tiny" else FakeExperimentTracker()

    def register(self, model: str = "cv_yolo_tiny") -> Register:
        default = model == self.registers.model
        return self.registers if default else self.others.setdefault(model, a_fake_register(model))


class FakeParts(Container):
    """The parts of a project, with fakes for every service."""

    def __init__(self) -> None:
        super().__init__()
        self.predictor, self.records = Worker(), FakeRecords()
        self.runs, self.registers, self.others = self.records.runs, self.records.registers, self.records.others

    @property
    def children(self) -> Any:
        return self.predictor

    @cached_property
    def dataset_store(self) -> Any:
        return NoStore()


class World:
    """A project with drawn images in it, in which models with given misses can be trained."""

    def __init__(self, root: Path) -> None:
        self.root, self.container = root, FakeParts()
        draw_dataset(root / DATA, painter=FakePainter(), folder=YoloFolder(), counts=COUNTS, size_px=64, seed=1)

    @cached_property
    def manifest(self) -> Any:
        return prepare_dataset(self.container.datasets.source(self.root / DATA, print))

    def images(self, split: Split) -> list[str]:
        return [record.image for record in self.manifest.split(split)]

    def found(self, misses: range) -> dict[str, Detections]:
        """Every annotated box, but none in the test images of those places."""
        found = {}
        for split in Split:
            truths = YoloFolder().ground_truth(self.root / DATA, self.manifest, split)
            for place, truth in enumerate(truths):
                seen = 0 if split is Split.TEST and place in misses else len(truth.class_ids)
                found[truth.image] = Detections(
                    image=truth.image,
                    boxes_xyxy=truth.boxes_xyxy[:seen],
                    class_ids=truth.class_ids[:seen],
                    confidences=0.9 - 0.01 * truth.class_ids[:seen],
                )
        return found

    def weights(self, name: str, *, misses: range = range(0)) -> Path:
        """A weights file without a run."""
        path = self.root / name
        path.write_text(f"weights {name}", encoding="utf-8")
        self.container.predictor.by_sha256[sha256_of(path)] = self.found(misses)
        return path

    def trained(self, name: str, *, misses: range = range(0), tags: dict[str, str] | None = None) -> TrainedModel:
        """A run that was tracked, evaluated and finished."""
        tracker = self.container.runs
        spec = a_spec(epochs=int(name.removeprefix("e").partition("_")[0]), image_size_px=64)
        params = {"epochs": str(spec.epochs), "image_size_px": "64", "device": "cpu", "threads": "1"}
        said = {"dataset_path": DATA, "dataset_revision": self.manifest.revision} if tags is None else tags
        run_id = tracker.start(NewRun(name=name, params=params, tags=said))
        weights = self.weights(f"{run_id}.pt", misses=misses)
        model = replace(
            a_trained_model(self.root, run_id=run_id, spec=spec), weights=weights, weights_sha256=sha256_of(weights)
        )
        tracker.tag(run_id, {"weights_sha256": model.weights_sha256})
        tracker.log_artifacts(run_id, [weights], "weights")
        evaluate(model, self.manifest, FakeImageRenderer(), self._examination())
        self.container.predictor.requests.clear()
        return model

    def version(self, model: TrainedModel) -> str:
        """The run as a registered version; its number."""
        threshold = self.container.runs.get(model.run_id).scores["confidence_threshold"]
        detector = detector_of(model, confidence_threshold=threshold)
        new = a_new_version(run_id=model.run_id, weights_sha256=detector.weights_sha256, confidence_threshold=threshold)
        return registered(new, self.container.registers).version

    def asked(self) -> list[str]:
        """The splits for which a prediction was wanted, in order."""
        return [request.images[0].split("/")[1] for request in self.container.predictor.requests]

    def _examination(self) -> Examination:
        return self.container.examination(
            self.root / DATA, workdir=self.root / "work", resampling=Resampling(resamples=100)
        )


@pytest.fixture
def world(project: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The project that the command line sees."""
    made = World(project)
    monkeypatch.setattr("cv_yolo.cli.scoring_session.Container", lambda: made.container)
    return made


class Said:
    """What a command wrote, and its exit code."""

    def __init__(self, exit_code: int, out: str, err: str) -> None:
        self.exit_code, self.out, self.err = exit_code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """`cv-yolo` with these arguments."""
    capsys.readouterr()
    exit_code = run(arguments)
    captured = capsys.readouterr()
    return Said(exit_code, captured.out, captured.err)
