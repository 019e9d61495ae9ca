"""The one place where ports meet adapters; each is connected on first use: libraries take seconds to import."""

import os
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.geometry import Boxes
from cv_yolo.domain.intervals import Resampling
from cv_yolo.ports import AuditLog, DatasetFolder, DatasetStore, Gallery, ModelRegistry, PredictionFile
from cv_yolo.settings import Settings
from cv_yolo.workflows.close_abandoned import DRIVER_TAG
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.evaluate import Examination
from cv_yolo.workflows.prepare_dataset import DatasetSource
from cv_yolo.workflows.register import Register

if TYPE_CHECKING:
    from cv_yolo.adapters.child_process import ChildProcess
    from cv_yolo.adapters.journal import Journal
    from cv_yolo.adapters.mlflow_registry import MlflowRegistry
    from cv_yolo.adapters.mlflow_tracker import MlflowTracker
    from cv_yolo.adapters.pretrained_weights import PretrainedWeights

EXPERIMENT = "cv_yolo_tiny"
MODEL = "cv_yolo_tiny"


class Bootstrap:
    """The parts of one process, wired by `settings`.

    `stop` is set when the person wants the work to end; children and loops watch it.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.stop = threading.Event()
        os.environ.update(self.settings.isolation())
        for foreign in ("ZENML_STORE_URL", "ZENML_STORE_API_KEY", "MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
            os.environ.pop(foreign, None)

    @cached_property
    def children(self) -> "ChildProcess":
        """Trainer and predictor, each call in a child process of its own."""
        from cv_yolo.adapters.child_process import ChildProcess

        environment = dict(os.environ) | {"CV_YOLO_ROOT": str(self.settings.root), "CV_YOLO_HOME": str(self.home)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        package_parent = str(Path(__file__).resolve().parents[1])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
        return ChildProcess(
            command=(sys.executable, "-m", "cv_yolo", "worker"), environment=environment, stop=self.stop
        )

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self.settings.home

    def tracker(self, experiment: str = EXPERIMENT) -> "MlflowTracker":
        """The record of the runs of one experiment."""
        from cv_yolo.adapters.mlflow_tracker import MlflowTracker

        return MlflowTracker(
            uri=self.settings.tracking_uri, experiment=experiment, artifacts=self.settings.mlflow_artifacts / experiment
        )

    def tracking_registry(self, model: str = MODEL) -> "MlflowRegistry":
        """MLflow's registry of the model, which is the log's anchor too."""
        from cv_yolo.adapters.mlflow_registry import MlflowRegistry

        return MlflowRegistry(uri=self.settings.tracking_uri, model=model)

    def pipeline_registry(self, model: str = MODEL) -> ModelRegistry:
        """ZenML's registry of the model."""
        from cv_yolo.adapters.zenml_registry import ZenmlRegistry

        return ZenmlRegistry(model=model)

    def audit_log(self, model: str = MODEL) -> AuditLog:
        """The audit log of the model."""
        from cv_yolo.adapters.audit_file import AuditFile

        return AuditFile(self.settings.audit / f"{quote(model, safe='')}.jsonl")

    def register(self, model: str = MODEL) -> Register:
        """The audit log of the model and the registries that follow it."""
        tracking = self.tracking_registry(model)
        return Register(
            model=model,
            tracking=tracking,
            pipeline=self.pipeline_registry(model),
            log=self.audit_log(model),
            anchor=tracking,
        )

    def sources(self, model: str = MODEL, experiment: str = EXPERIMENT) -> Sources:
        """Where detectors come from."""
        return Sources(tracker=self.tracker(experiment), register=self.register(model), weights=self.settings.weights)

    def dataset_source(self, root: Path, report: Callable[[str], None]) -> DatasetSource:
        """The data set in that folder, with who can bring it there."""
        return DatasetSource(root=root, folder=self.dataset_folder, store=self.dataset_store, report=report)

    def examination(
        self, root: Path, *, workdir: Path, resampling: Resampling, experiment: str = EXPERIMENT
    ) -> Examination:
        """What an evaluation on the data set in that folder needs of the world."""
        return Examination(
            predictor=self.children,
            predictions=self.prediction_file,
            folder=self.dataset_folder,
            tracker=self.tracker(experiment),
            dataset_root=root,
            workdir=workdir,
            resampling=resampling,
        )

    @cached_property
    def prediction_file(self) -> PredictionFile:
        """Predictions as files."""
        from cv_yolo.adapters.prediction_file import NpzPredictionFile

        return NpzPredictionFile()

    def actor(self) -> str:
        """Who is at work: user and machine."""
        from cv_yolo.adapters.machine import actor

        return actor()

    @cached_property
    def dataset_folder(self) -> DatasetFolder:
        """Data sets on disk."""
        from cv_yolo.adapters.yolo_folder import YoloFolder

        return YoloFolder()

    @cached_property
    def dataset_store(self) -> DatasetStore:
        """DVC."""
        from cv_yolo.adapters.dvc_store import DvcStore

        return DvcStore(root=self.settings.root, environment=os.environ)

    @cached_property
    def pretrained_weights(self) -> "PretrainedWeights":
        """Weights files from which trainings start."""
        from cv_yolo.adapters.pretrained_weights import PretrainedWeights

        return PretrainedWeights(root=self.settings.root, cache=self.settings.weights)

    def paint(self, rng: np.random.Generator, *, size_px: int) -> tuple[npt.NDArray[np.uint8], Boxes]:
        """A scene in the demo's style; a `Painter`."""
        from cv_yolo.adapters.scene_painter import SceneStyle, draw_scene

        scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO)
        return scene.image, scene.boxes_xyxy

    def code_version(self) -> str:
        """Hash of the code and libraries that determine a training."""
        from cv_yolo.adapters.machine import code_version

        return code_version()

    def evaluator_version(self) -> str:
        """Hash of the code and libraries that determine an evaluation."""
        from cv_yolo.adapters.machine import evaluator_version

        return evaluator_version()

    def origin_tags(self) -> dict[str, str]:
        """Commit, machine, library versions, and the process that drives."""
        from cv_yolo.adapters.machine import driver_mark, origin_tags

        return origin_tags(self.settings.root) | {DRIVER_TAG: driver_mark()}

    def driver_is_gone(self, mark: str) -> bool:
        """Whether the process that drove a run has ended."""
        from cv_yolo.adapters.machine import driver_is_gone

        return driver_is_gone(mark)

    def serve_child(self, folder: Path) -> int:
        """The child's end of `children`: do what is asked for in `folder`."""
        from cv_yolo.adapters.child_process import serve
        from cv_yolo.adapters.onnx_guard import OnnxGuard
        from cv_yolo.adapters.ultralytics_backend import UltralyticsPredictor, UltralyticsTrainer

        return serve(folder, trainer=UltralyticsTrainer(), predictor=OnnxGuard(UltralyticsPredictor()))

    def journal(self, pipeline_run: str) -> "Journal":
        """The events of a pipeline run."""
        from cv_yolo.adapters.journal import Journal

        return Journal(self.settings.runs / pipeline_run / "journal.jsonl")

    @cached_property
    def gallery(self) -> Gallery:
        """Pictures for people."""
        from cv_yolo.adapters.gallery import PillowGallery

        return PillowGallery()
