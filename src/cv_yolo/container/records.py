"""How runs, versions and decisions are recorded: on this machine, or on the servers that it is connected to."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from cv_yolo.container.servers import ServerClients
from cv_yolo.domain.stack import StackAddresses
from cv_yolo.errors import ConfigError, ServiceUnavailableError
from cv_yolo.http import ask, is_answering
from cv_yolo.ports.registry import AuditLog, ModelRegistry
from cv_yolo.settings import Settings
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo.workflows.register import Register
from cv_yolo.workflows.retry import Outage, RetryPolicy
from cv_yolo.workflows.time_limit import StopSignal, TimeLimit, within

if TYPE_CHECKING:
    from cv_yolo.adapters.files.audit_log import AuditFile
    from cv_yolo.adapters.files.weights import FinishedTrainingsFolder
    from cv_yolo.adapters.mlflow.registry import MlflowRegistry
    from cv_yolo.adapters.mlflow.tracker import MlflowTracker

EXPERIMENT = "cv_yolo_tiny"
MODEL = "cv_yolo_tiny"
PIPELINES = "ZenML"
LEAST_LIMIT_S = 5.0  # for servers that answer while another one has used up the time to wait

Target = TypeVar("Target")


class RecordClients(ServerClients):
    """What records.

    `stop` is set when the person wants the work to end; children and loops watch it. `report` tells the person what
    happens meanwhile; `patience_s` is how long a service that does not answer is waited for.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.stop = StopSignal()
        self.outage = Outage()
        self.report: Callable[[str], None] = lambda text: print(text, file=sys.stderr)  # noqa: T201 - the default
        self.patience_s = 0.0
        self._client_limited, self._server_ahead = False, timedelta()
        self._experiments: dict[str, str] = {}

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

    def run_page(self, run_id: str, experiment: str = EXPERIMENT) -> str | None:
        """Where a person can look at a tracked run; None where no server shows it."""
        if self.settings.connection is None:
            return None
        return f"{self.tracking_uri}{self._mlflow(experiment).run_page(run_id)}"

    def runs_page(self, address: str, experiment: str = EXPERIMENT) -> str:
        """Where MLflow at that address shows the runs of the experiment."""
        return f"{address}{self._mlflow(experiment).page()}"

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
    def retry(self) -> RetryPolicy:
        """How a service that does not answer is waited for."""
        return RetryPolicy(total_s=self.patience_s, wait=self.stop.wait, outage=self.outage)

    @property
    def time_limit(self) -> TimeLimit:
        """How long one call may go without an answer."""
        return TimeLimit(stop=self.stop, limit_s=self._answer_limit_s)

    def _answer_limit_s(self) -> float:
        longest_s = self.settings.answer_limit_s
        return min(longest_s, max(self.retry.remaining_s, LEAST_LIMIT_S)) if self.patience_s else longest_s

    @cached_property
    def finished_trainings(self) -> "FinishedTrainingsFolder":
        """Trainings that need not be repeated."""
        from cv_yolo.adapters.files.weights import FinishedTrainingsFolder

        return FinishedTrainingsFolder(records=self.settings.trained, weights=self.settings.weights)

    @cached_property
    def _tracking_line(self) -> TrackerState:
        return TrackerState()

    def tracker(self, experiment: str = EXPERIMENT) -> DeliveringTracker:
        """The record of the runs of one experiment; what the tracker does not take waits in the outbox."""
        from cv_yolo.adapters.files.outbox import FolderOutbox

        place = "embedded" if self.settings.connection is None else quote(self.tracking_uri, safe="")
        return DeliveringTracker(
            self._mlflow(experiment),
            FolderOutbox(self.settings.outbox / place),
            line=self._tracking_line,
            retry=self.retry,
            report=self.report,
        )

    def _mlflow(self, experiment: str) -> "MlflowTracker":
        from cv_yolo.adapters.mlflow.tracker import MlflowTracker

        embedded = self.settings.connection is None
        artifacts = self.settings.mlflow_artifacts / experiment if embedded else None  # a server has its own place
        return self._limited(
            MlflowTracker(uri=self.tracking_uri, experiment=experiment, artifacts=artifacts, ids=self._experiments)
        )

    def tracking_registry(self, model: str = MODEL) -> "MlflowRegistry":
        """MLflow's registry of the model, which is the log's anchor too."""
        from cv_yolo.adapters.mlflow.registry import MlflowRegistry

        return self._limited(MlflowRegistry(uri=self.tracking_uri, model=model))

    def _limited(self, client: Target) -> Target:
        """A client of MLflow with a time limit for each call, where a server is asked."""
        if self.settings.connection is None:
            return client
        from cv_yolo.adapters.mlflow.tracker import SERVICE, load, moves_files

        def alive(method: str, arguments: tuple[object, ...]) -> Callable[[], bool] | None:
            return self.servers_answer if moves_files(method, arguments) else None

        return within(
            client,
            self.time_limit,
            name=f"{SERVICE} at {self.tracking_uri}",
            load=load,
            alive=alive,
            answered=lambda: self.outage.answered(SERVICE),
        )

    def now(self) -> datetime:
        """The time by the tracking server's clock, by which all drivers are measured; by ours where it is silent."""
        if self.settings.connection is not None:
            with suppress(ServiceUnavailableError):
                said = ask("GET", f"{self.tracking_uri}/health", name="MLflow").at
                self._server_ahead = timedelta() if said is None else said - datetime.now(UTC)
        return datetime.now(UTC) + self._server_ahead

    def servers_answer(self) -> bool:
        """Whether MLflow and the object store say anything: a file may be on its way between them and us."""
        addresses = self.stack_addresses
        return is_answering(f"{addresses.tracking.uri}/health") and self.store_answers()

    def store_answers(self) -> bool:
        """Whether the object store says anything; Amazon's own has no address to be asked."""
        endpoint = self.stack_addresses.objects.endpoint_url
        return endpoint is None or is_answering(endpoint)

    def limit_pipeline_client(self) -> None:
        """Have ZenML's client, which would ask a silent server for minutes, wait no longer than allowed."""
        server = self.settings.connection
        if server is None or self._client_limited:
            return
        from cv_yolo.adapters.zenml.registry import limit_session

        limit = TimeLimit(stop=self.stop, limit_s=self._pipeline_limit_s)
        limit_session(partial(limit.run, name=f"{PIPELINES} at {server.url}"))
        self._client_limited = True

    def _pipeline_limit_s(self) -> float:
        """Its client asks again by itself, so that one call may take all the time there is."""
        return max(self.retry.remaining_s, LEAST_LIMIT_S) if self.patience_s else self.settings.answer_limit_s

    def pipeline_registry(self, model: str = MODEL) -> ModelRegistry:
        """ZenML's registry of the model."""
        from cv_yolo.adapters.zenml.registry import ZenmlRegistry

        return ZenmlRegistry(model=model)

    def audit_log(self, model: str = MODEL) -> AuditLog:
        """The audit log of the model: a file in the home, or on the server that this machine is connected to."""
        from cv_yolo.adapters.files.audit_log import AuditFile

        file = AuditFile(self.settings.audit / f"{quote(model, safe='')}.jsonl")
        server = self.settings.connection
        if server is None:
            return file
        self.retry.ask(self.pipeline_server(server).info, report=self.report, service=PIPELINES)
        self.limit_pipeline_client()
        from cv_yolo.adapters.zenml.audit_log import ZenmlAuditLog

        return ZenmlAuditLog(model=model, locked=file.locked, stack=self.settings.stack)

    def audit_file(self, path: Path) -> "AuditFile":
        """An audit log that is a file."""
        from cv_yolo.adapters.files.audit_log import AuditFile

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
