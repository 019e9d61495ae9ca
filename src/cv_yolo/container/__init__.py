"""The one place where ports meet adapters; each is connected on first use: libraries take seconds to import."""

import os
import re
import secrets
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cv_yolo.container.records import EXPERIMENT, MODEL, RecordClients
from cv_yolo.domain.data.annotations import Boxes
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.stack import DATASETS_BUCKET
from cv_yolo.ports.datasets import DatasetFolder, DatasetStore, ImageRenderer
from cv_yolo.ports.models import PredictionFile
from cv_yolo.settings import Settings
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.evaluate import Examination
from cv_yolo.workflows.prepare_dataset import DatasetSource
from cv_yolo.workflows.run_lease import DRIVER_TAG

if TYPE_CHECKING:
    from cv_yolo.adapters.child_process import ChildProcess
    from cv_yolo.adapters.dvc.store import DvcStore
    from cv_yolo.adapters.files.journal import Journal
    from cv_yolo.adapters.files.weights import PretrainedWeights
    from cv_yolo.adapters.machine import SystemMeter

__all__ = ["EXPERIMENT", "MODEL", "Container"]

SERVERS = (  # which servers are used, and as whom, is said by our own settings and the stack, not by the libraries'
    *("ZENML_STORE_URL", "ZENML_STORE_API_KEY"),
    *("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_RUN_ID"),
)
SERVER_SECRETS = (  # no business of a stage that makes data
    *("CV_YOLO_SERVER_URL", "CV_YOLO_SERVER_API_KEY", "ZENML_STORE_URL", "ZENML_STORE_API_KEY"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"),
)
SECRETS = (  # no business of a training or a prediction
    *SERVER_SECRETS,
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)
SECRET_WORDS = re.compile(
    r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL|AUTH_SOCK|ASKPASS", re.IGNORECASE
)
# Threads that wait for each other sleep: spinning, they keep others from the cores (docs/performance.md).
WAIT_POLICY = {"OMP_WAIT_POLICY": "PASSIVE"}


def _is_secret(name: str) -> bool:
    """Whether a variable of the environment is, or by its name may be, a key of ours or of anybody else."""
    return name in SECRETS or SECRET_WORDS.search(name) is not None


class Container(RecordClients):
    """The parts of one process, wired by `settings`."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(settings or Settings())
        self._keep_private()
        self.migrate(self.settings.home)
        os.environ.update(self.settings.isolation())
        for foreign in SERVERS:
            os.environ.pop(foreign, None)
        server = self.settings.connection
        if server is not None:
            os.environ |= {"ZENML_STORE_URL": server.url, "ZENML_STORE_API_KEY": server.api_key or ""}

    def _keep_private(self) -> None:
        """Close what the libraries are going to write to, before the first of them is imported."""
        from cv_yolo.adapters.files.home import keep_private, weak_places

        for folder in self.settings.private_folders:
            for sentence in (*keep_private(folder), *weak_places(folder)):
                self.report(sentence)

    def migrate(self, home: Path) -> None:
        """Bring a home to today's schema."""
        from cv_yolo.adapters.files.home import migrate

        migrate(home)

    @cached_property
    def children(self) -> "ChildProcess":
        """Trainer, predictor and inspector of weights, each call in a child process of its own."""
        from cv_yolo.adapters.child_process import ChildProcess

        ours = {"CV_YOLO_ROOT": str(self.settings.root), "CV_YOLO_HOME": str(self.home)}
        environment = WAIT_POLICY | os.environ | ours
        for unwanted in ("PYTHONDONTWRITEBYTECODE", *filter(_is_secret, environment)):
            environment.pop(unwanted, None)
        package_parent = str(Path(__file__).resolve().parents[2])
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [package_parent, environment.get("PYTHONPATH")]))
        return ChildProcess(
            command=(sys.executable, "-m", "cv_yolo", "worker"), environment=environment, stop=self.stop
        )

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self.settings.home

    def dataset_source(self, root: Path, report: Callable[[str], None]) -> DatasetSource:
        """The data set in that folder, with who can bring it there."""
        return DatasetSource(root=root, folder=self.dataset_folder, store=self.dataset_store, report=report)

    def examination(
        self, root: Path, *, workdir: Path, resampling: Resampling, experiment: str = EXPERIMENT
    ) -> Examination:
        """What an evaluation on the data set in that folder needs of the world."""
        return Examination(
            predictor=self.children,
            inspector=self.children,
            predictions=self.prediction_file,
            folder=self.dataset_folder,
            tracker=self.tracker(experiment),
            dataset_root=root,
            workdir=workdir,
            resampling=resampling,
        )

    def sources(self, model: str = MODEL, experiment: str = EXPERIMENT) -> Sources:
        """Where detectors come from."""
        return Sources(
            tracker=self.tracker(experiment),
            register=self.register(model),
            weights=self.settings.weights,
            inspector=self.children,
            workdir=self.settings.runs / f"inspection-{secrets.token_hex(4)}",
        )

    @cached_property
    def prediction_file(self) -> PredictionFile:
        """Predictions as files."""
        from cv_yolo.adapters.files.predictions import NpzPredictionFile

        return NpzPredictionFile()

    def actor(self) -> str:
        """Who is at work: user and machine."""
        from cv_yolo.adapters.machine import actor

        return actor()

    def system_meter(self) -> "SystemMeter":
        """Who reads what a training costs the machine."""
        from cv_yolo.adapters.machine import SystemMeter

        return SystemMeter()

    @cached_property
    def dataset_folder(self) -> DatasetFolder:
        """Data sets on disk."""
        from cv_yolo.adapters.yolo.folder import YoloFolder

        return YoloFolder()

    @property
    def dataset_store(self) -> DatasetStore:
        """DVC, with the stack's remote where this machine is connected to one, else with the project's own."""
        if self.settings.connection is None:
            self.dvc.forget_remote()
        else:
            self.dvc.set_remote(self.stack_addresses.objects, DATASETS_BUCKET)
        return self.dvc

    @cached_property
    def dvc(self) -> "DvcStore":
        """DVC as the project has set it up."""
        from cv_yolo.adapters.dvc.command import Attended
        from cv_yolo.adapters.dvc.store import DvcStore

        environment = {name: value for name, value in os.environ.items() if name not in SERVER_SECRETS}
        answers = None if self.settings.connection is None else self.store_answers
        attended = Attended(stop=self.stop, answers=answers, silence_s=self.settings.answer_limit_s)
        return DvcStore(root=self.settings.root, environment=environment, attended=attended, report=self.report)

    @cached_property
    def pretrained_weights(self) -> "PretrainedWeights":
        """Weights files from which trainings start."""
        from cv_yolo.adapters.files.weights import PretrainedWeights

        return PretrainedWeights(root=self.settings.root, cache=self.settings.weights)

    def paint(self, rng: np.random.Generator, *, size_px: int) -> tuple[npt.NDArray[np.uint8], Boxes]:
        """A scene in the demo's style; a `Painter`."""
        from cv_yolo.adapters.scenes.scene import draw_scene
        from cv_yolo.adapters.scenes.sprites import SceneStyle

        scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO)
        return scene.image, scene.boxes_xyxy

    def code_version(self) -> str:
        """The versions of the code and libraries that determine a training."""
        from cv_yolo.adapters.machine import code_version

        return code_version()

    def evaluator_version(self) -> str:
        """The versions of the code and libraries that determine an evaluation."""
        from cv_yolo.adapters.machine import evaluator_version

        return evaluator_version()

    def origin_tags(self) -> dict[str, str]:
        """Commit, machine, library versions, and the process that drives."""
        from cv_yolo.adapters.machine import driver_mark, origin_tags

        return origin_tags(self.settings.root) | {DRIVER_TAG: driver_mark()}

    def driver_mark(self) -> str:
        """What tells this process from every other one."""
        from cv_yolo.adapters.machine import driver_mark

        return driver_mark()

    def driver_is_gone(self, mark: str) -> bool:
        """Whether the process that drove a run has ended."""
        from cv_yolo.adapters.machine import driver_is_gone

        return driver_is_gone(mark)

    def serve_child(self, folder: Path) -> int:
        """The child's end of `children`: do what is asked for in `folder`, knowing no server."""
        for secret in filter(_is_secret, tuple(os.environ)):
            del os.environ[secret]
        from cv_yolo.adapters.child_process import serve
        from cv_yolo.adapters.onnx import OnnxGuard
        from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
        from cv_yolo.adapters.ultralytics.trainer import UltralyticsTrainer
        from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector

        trainer = UltralyticsTrainer(self.dataset_folder)
        weights = OnnxGuard(UltralyticsPredictor(), UltralyticsInspector())
        return serve(folder, trainer=trainer, predictor=weights, inspector=weights)

    def journal(self, pipeline_run: str) -> "Journal":
        """The events of a pipeline run."""
        from cv_yolo.adapters.files.journal import Journal

        return Journal(self.settings.runs / pipeline_run / "journal.jsonl")

    @cached_property
    def renderer(self) -> ImageRenderer:
        """Pictures for people."""
        from cv_yolo.adapters.pillow import PillowRenderer

        return PillowRenderer()
