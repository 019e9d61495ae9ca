"""The one place where ports meet adapters; each is connected on first use: libraries take seconds to import."""

import os
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cv_yolo.domain.geometry import Boxes
from cv_yolo.ports import DatasetFolder, DatasetStore, Gallery, ModelRegistry
from cv_yolo.settings import Settings
from cv_yolo.workflows.close_abandoned import DRIVER_TAG

if TYPE_CHECKING:
    from cv_yolo.adapters.child_process import ChildProcess
    from cv_yolo.adapters.journal import Journal
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

    def tracking_registry(self, model: str = MODEL) -> ModelRegistry:
        """MLflow's registry of the model."""
        from cv_yolo.adapters.mlflow_registry import MlflowRegistry

        return MlflowRegistry(uri=self.settings.tracking_uri, model=model)

    def pipeline_registry(self, model: str = MODEL) -> ModelRegistry:
        """ZenML's registry of the model."""
        from cv_yolo.adapters.zenml_registry import ZenmlRegistry

        return ZenmlRegistry(model=model)

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
        from cv_yolo.adapters.ultralytics_backend import UltralyticsPredictor, UltralyticsTrainer

        return serve(folder, trainer=UltralyticsTrainer(), predictor=UltralyticsPredictor())

    def journal(self, pipeline_run: str) -> "Journal":
        """The events of a pipeline run."""
        from cv_yolo.adapters.journal import Journal

        return Journal(self.settings.runs / pipeline_run / "journal.jsonl")

    @cached_property
    def gallery(self) -> Gallery:
        """Pictures for people."""
        from cv_yolo.adapters.gallery import PillowGallery

        return PillowGallery()
