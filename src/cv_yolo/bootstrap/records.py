"""How runs, versions and decisions are recorded: on this machine, or on the servers that it is connected to."""

import os
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from cv_yolo.bootstrap.servers import ServerParts
from cv_yolo.domain.addresses import StackAddresses
from cv_yolo.errors import ConfigError
from cv_yolo.ports import AuditLog, ModelRegistry
from cv_yolo.settings import Settings
from cv_yolo.workflows.deliver import DeliveringTracker, Line
from cv_yolo.workflows.detectors import Sources
from cv_yolo.workflows.patience import Patience
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo.workflows.register import Register

if TYPE_CHECKING:
    from cv_yolo.adapters.audit_file import AuditFile
    from cv_yolo.adapters.finished_trainings import FinishedTrainingsFolder
    from cv_yolo.adapters.mlflow_registry import MlflowRegistry

EXPERIMENT = "cv_yolo_tiny"
MODEL = "cv_yolo_tiny"


class RecordParts(ServerParts):
    """What records.

    `stop` is set when the person wants the work to end; children and loops watch it. `report` tells the person what
    happens meanwhile; `patience_s` is how long a service that does not answer is waited for.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.stop = threading.Event()
        self.report: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201 - the default
        self.patience_s = 0.0

    @cached_property
    def tracking_uri(self) -> str:
        """Where runs are recorded: on the stack's tracking server, whose user MLflow reads from the environment."""
        if self.settings.connection is None:
            return self.settings.tracking_uri
        tracking = self.stack_addresses.tracking
        os.environ |= {
            "MLFLOW_TRACKING_USERNAME": tracking.user or "",
            "MLFLOW_TRACKING_PASSWORD": tracking.password or "",
        }
        return tracking.uri

    def run_page(self, run_id: str) -> str | None:
        """Where a person can look at a tracked run; None where no server shows it."""
        return None if self.settings.connection is None else f"{self.tracking_uri}/#/runs/{run_id}"

    @cached_property
    def stack_addresses(self) -> StackAddresses:
        """All servers of the stack that this machine is connected to; raises `ConfigError` where it is to none."""
        server = self.settings.connection
        if server is None:
            raise ConfigError(
                "this project uses the embedded defaults, and no server",
                hint="`cv-yolo up` and `cv-yolo stack register`, or `cv-yolo connect URL`",
            )
        return read_addresses(server, self.stack_registry(server), stack=self.settings.stack)

    @property
    def patience(self) -> Patience:
        """How a service that does not answer is waited for."""
        return Patience(total_s=self.patience_s, wait=self.stop.wait)

    @cached_property
    def finished_trainings(self) -> "FinishedTrainingsFolder":
        """Trainings that need not be repeated."""
        from cv_yolo.adapters.finished_trainings import FinishedTrainingsFolder

        return FinishedTrainingsFolder(records=self.settings.trained, weights=self.settings.weights)

    @cached_property
    def _tracking_line(self) -> Line:
        return Line()

    def tracker(self, experiment: str = EXPERIMENT) -> DeliveringTracker:
        """The record of the runs of one experiment; what the tracker does not take waits in the outbox."""
        from cv_yolo.adapters.mlflow_tracker import MlflowTracker
        from cv_yolo.adapters.outbox import FolderOutbox

        embedded = self.settings.connection is None
        artifacts = self.settings.mlflow_artifacts / experiment if embedded else None  # a server has its own place
        place = "embedded" if embedded else quote(self.tracking_uri, safe="")
        return DeliveringTracker(
            MlflowTracker(uri=self.tracking_uri, experiment=experiment, artifacts=artifacts),
            FolderOutbox(self.settings.outbox / place),
            line=self._tracking_line,
            patience=self.patience,
            report=self.report,
        )

    def tracking_registry(self, model: str = MODEL) -> "MlflowRegistry":
        """MLflow's registry of the model, which is the log's anchor too."""
        from cv_yolo.adapters.mlflow_registry import MlflowRegistry

        return MlflowRegistry(uri=self.tracking_uri, model=model)

    def pipeline_registry(self, model: str = MODEL) -> ModelRegistry:
        """ZenML's registry of the model."""
        from cv_yolo.adapters.zenml_registry import ZenmlRegistry

        return ZenmlRegistry(model=model)

    def audit_log(self, model: str = MODEL) -> AuditLog:
        """The audit log of the model: a file in the home, or on the server that this machine is connected to."""
        from cv_yolo.adapters.audit_file import AuditFile

        file = AuditFile(self.settings.audit / f"{quote(model, safe='')}.jsonl")
        server = self.settings.connection
        if server is None:
            return file
        self.patience.ask(self.pipeline_server(server).info, report=self.report)  # its client waits half a minute
        from cv_yolo.adapters.zenml_audit_log import ZenmlAuditLog

        return ZenmlAuditLog(model=model, locked=file.locked, stack=self.settings.stack)

    def audit_file(self, path: Path) -> "AuditFile":
        """An audit log that is a file."""
        from cv_yolo.adapters.audit_file import AuditFile

        return AuditFile(path)

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
