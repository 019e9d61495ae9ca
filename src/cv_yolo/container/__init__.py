"""The one place where ports meet adapters; each is connected on first use: libraries take seconds to import."""

import secrets
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cv_yolo.container import environment, workers
from cv_yolo.container.datasets import Datasets
from cv_yolo.container.records import EXPERIMENT, MODEL, Records, answer_limit
from cv_yolo.container.servers import ServerClients
from cv_yolo.domain.training.progress import Event, EventKind
from cv_yolo.settings import Settings
from cv_yolo.workflows.retry import RetryPolicy
from cv_yolo.workflows.run_lease import DRIVER_TAG
from cv_yolo.workflows.time_limit import StopSignal, TimeLimit

if TYPE_CHECKING:  # commands that list runs and versions need no NumPy
    from cv_yolo.adapters.files.journal import Journal
    from cv_yolo.adapters.files.weights import PretrainedWeights
    from cv_yolo.adapters.machine import SystemMeter
    from cv_yolo.adapters.workers.supervisor import ChildProcess
    from cv_yolo.container.imports import Imports
    from cv_yolo.domain.evaluation.intervals import Resampling
    from cv_yolo.ports.datasets import ImageRenderer
    from cv_yolo.ports.models import PredictionFile
    from cv_yolo.ports.projects import StarterFiles
    from cv_yolo.workflows.detectors import Sources
    from cv_yolo.workflows.evaluate import Examination

__all__ = ["EXPERIMENT", "MODEL", "Container", "starter_files"]


def starter_files() -> "StarterFiles":
    """The files of a new project, which has no home yet."""
    from cv_yolo.adapters.files.starter import PackagedStarter

    return PackagedStarter()


def print_to_stderr(text: str) -> None:
    """Print progress on stderr, the default of `report`."""
    print(text, file=sys.stderr)  # noqa: T201 - the default


class Container:
    """The wired adapters of one process; creating it prepares home and environment, and connects to nothing.

    `report` shows progress to the user; `retry_s` is how long to wait for a service that does not answer. `stop` is
    set when the user stops the work; children and loops watch it.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        report: Callable[[str], None] = print_to_stderr,
        retry_s: float = 0.0,
    ) -> None:
        self.settings, self.report, self.stop = settings or Settings(), report, StopSignal()
        _keep_private(self.settings)
        self.migrate(self.settings.home)
        environment.isolate(self.settings)
        self.retry = RetryPolicy(total_s=retry_s, wait=self.stop.wait)
        self.time_limit = TimeLimit(stop=self.stop, limit_s=answer_limit(self.settings, self.retry))
        self.servers = ServerClients(self.settings)
        self.records = Records(
            self.settings, self.servers, retry=self.retry, time_limit=self.time_limit, report=self.report
        )
        self.datasets = Datasets(self.settings, self.servers, self.records, stop=self.stop, report=self.report)

    @classmethod
    def of_pipeline_run(cls, name: str, settings: Settings | None = None) -> "Container":
        """The container of a pipeline run: waits for services that do not answer, and reports to the journal."""
        settings = settings or Settings()

        def note(text: str) -> None:
            _journal(settings, name).write(Event(kind=EventKind.NOTE, text=text))

        return cls(settings, report=note, retry_s=settings.retry_s)

    def migrate(self, home: Path) -> None:
        """Migrate a home to the current schema."""
        from cv_yolo.adapters.files.home import migrate

        migrate(home)

    @cached_property
    def children(self) -> "ChildProcess":
        """Trainer, predictor and inspector of weights, each call in its own child process."""
        from cv_yolo.adapters.workers.supervisor import ChildProcess

        return ChildProcess(workers.starter(self.settings), stop=self.stop)

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self.settings.home

    def examination(
        self, root: Path, *, workdir: Path, resampling: "Resampling", experiment: str = EXPERIMENT
    ) -> "Examination":
        """The ports that an evaluation on the data set in that folder needs."""
        from cv_yolo.workflows.evaluate import Examination

        return Examination(
            predictor=self.children,
            inspector=self.children,
            predictions=self.prediction_file,
            folder=self.datasets.folder,
            tracker=self.records.tracker(experiment),
            dataset_root=root,
            workdir=workdir,
            resampling=resampling,
        )

    def sources(self, model: str = MODEL, experiment: str = EXPERIMENT) -> "Sources":
        """Where detectors come from."""
        from cv_yolo.workflows.detectors import Sources

        return Sources(
            tracker=self.records.tracker(experiment),
            register=self.records.register(model),
            weights=self.settings.weights,
            inspector=self.children,
            workdir=self.settings.runs / f"inspection-{secrets.token_hex(4)}",
        )

    @cached_property
    def prediction_file(self) -> "PredictionFile":
        """Predictions as files."""
        from cv_yolo.adapters.files.predictions import NpzPredictionFile

        return NpzPredictionFile()

    def actor(self) -> str:
        """The current user and machine."""
        from cv_yolo.adapters.machine import actor

        return actor()

    def system_meter(self) -> "SystemMeter":
        """Reads the system metrics during a training."""
        from cv_yolo.adapters.machine import SystemMeter

        return SystemMeter()

    @cached_property
    def imports(self) -> "Imports":
        """Import and export of data sets."""
        from cv_yolo.container.imports import Imports

        return Imports(self.settings)

    @cached_property
    def pretrained_weights(self) -> "PretrainedWeights":
        """Weights files from which trainings start."""
        from cv_yolo.adapters.files.weights import PretrainedWeights

        return PretrainedWeights(root=self.settings.root, cache=self.settings.weights)

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
        """What identifies this process."""
        from cv_yolo.adapters.machine import driver_mark

        return driver_mark()

    def driver_is_gone(self, mark: str) -> bool:
        """Whether the process that drove a run has exited."""
        from cv_yolo.adapters.machine import driver_is_gone

        return driver_is_gone(mark)

    def serve_child(self, folder: Path) -> int:
        """The child's end of `children`: do what `folder` asks for, without knowing any server."""
        environment.forget_secrets()
        from cv_yolo.adapters.onnx import OnnxGuard
        from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
        from cv_yolo.adapters.ultralytics.trainer import UltralyticsTrainer
        from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector
        from cv_yolo.adapters.workers.worker import serve

        trainer = UltralyticsTrainer(self.datasets.folder)
        weights = OnnxGuard(UltralyticsPredictor(), UltralyticsInspector())
        return serve(folder, trainer=trainer, predictor=weights, inspector=weights)

    def journal(self, pipeline_run: str) -> "Journal":
        """The events of a pipeline run."""
        return _journal(self.settings, pipeline_run)

    @cached_property
    def renderer(self) -> "ImageRenderer":
        """Pictures for people."""
        from cv_yolo.adapters.pillow import PillowRenderer

        return PillowRenderer()


def _keep_private(settings: Settings) -> None:
    """Close what the libraries are going to write to, before the first of them is imported."""
    from cv_yolo.adapters.files.home import keep_private, weak_places

    for folder in settings.private_folders:
        for sentence in (*keep_private(folder), *weak_places(folder)):
            print_to_stderr(sentence)


def _journal(settings: Settings, pipeline_run: str) -> "Journal":
    from cv_yolo.adapters.files.journal import Journal

    return Journal(settings.runs / pipeline_run / "journal.jsonl")
