"""How runs, versions and decisions are recorded: on this machine, or on the servers that it is connected to."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from cv_yolo.container.servers import ServerClients
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import ask
from cv_yolo.ports.records import RunReader
from cv_yolo.ports.registry import AuditLog, ModelRegistry
from cv_yolo.settings import Settings
from cv_yolo.workflows.deliver import DeliveringTracker, TrackerState
from cv_yolo.workflows.register import Register
from cv_yolo.workflows.retry import RetryPolicy
from cv_yolo.workflows.time_limit import TimeLimit, within

if TYPE_CHECKING:
    from cv_yolo.adapters.files.audit_log import AuditFile
    from cv_yolo.adapters.files.weights import FinishedTrainingsFolder
    from cv_yolo.adapters.mlflow.database import VersionsInDatabase
    from cv_yolo.adapters.mlflow.registry import MlflowRegistry
    from cv_yolo.adapters.mlflow.rest import VersionsOnServer
    from cv_yolo.adapters.mlflow.tracker import MlflowTracker

EXPERIMENT = "cv_yolo_tiny"
MODEL = "cv_yolo_tiny"
PIPELINES = "ZenML"
LEAST_LIMIT_S = 5.0  # for servers that answer while another one has used up the time to wait

Target = TypeVar("Target")


def answer_limit(settings: Settings, retry: RetryPolicy) -> Callable[[], float]:
    """How long one call may go without an answer, asked at each call: an outage uses time up."""

    def limit_s() -> float:
        longest_s = settings.answer_limit_s
        return min(longest_s, max(retry.remaining_s, LEAST_LIMIT_S)) if retry.total_s else longest_s

    return limit_s


class Records:
    """MLflow's runs and versions, ZenML's versions, the audit log; servers are waited for as `retry` says."""

    def __init__(
        self,
        settings: Settings,
        servers: ServerClients,
        *,
        retry: RetryPolicy,
        time_limit: TimeLimit,
        report: Callable[[str], None],
    ) -> None:
        self._settings, self._servers = settings, servers
        self._retry, self._time_limit, self._report = retry, time_limit, report
        self._client_limited, self._server_ahead = False, timedelta()
        self._experiments: dict[str, str] = {}

    @cached_property
    def tracking_uri(self) -> str:
        """Where runs are recorded: on the stack's tracking server, whose user MLflow reads from the environment."""
        if self._settings.connection is None:
            return self._settings.tracking_uri
        tracking = self._servers.stack_addresses.tracking
        os.environ |= {
            "MLFLOW_TRACKING_USERNAME": tracking.user or "",
            "MLFLOW_TRACKING_PASSWORD": tracking.password or "",
        }
        return tracking.uri

    def run_page(self, run_id: str, experiment: str = EXPERIMENT) -> str | None:
        """The URL of a tracked run; None where no server shows it."""
        if self._settings.connection is None:
            return None
        return f"{self.tracking_uri}{self._mlflow(experiment).run_page(run_id)}"

    def runs_page(self, address: str, experiment: str = EXPERIMENT) -> str:
        """Where MLflow at that address shows the runs of the experiment."""
        return f"{address}{self._mlflow(experiment).page()}"

    @cached_property
    def finished_trainings(self) -> "FinishedTrainingsFolder":
        """Trainings that need not be repeated."""
        from cv_yolo.adapters.files.weights import FinishedTrainingsFolder

        return FinishedTrainingsFolder(records=self._settings.trained, weights=self._settings.weights)

    @cached_property
    def _tracking_line(self) -> TrackerState:
        return TrackerState()

    def tracker(self, experiment: str = EXPERIMENT) -> DeliveringTracker:
        """The record of the runs of one experiment; what the tracker does not accept waits in the outbox."""
        from cv_yolo.adapters.files.outbox import FolderOutbox

        place = "embedded" if self._settings.connection is None else quote(self.tracking_uri, safe="")
        recorder = self._mlflow(experiment)
        return DeliveringTracker(
            recorder,
            FolderOutbox(self._settings.outbox / place),
            line=self._tracking_line,
            retry=self._retry,
            report=self._report,
            reader=self._run_reader(experiment, recorder),
        )

    def _run_reader(self, experiment: str, recorder: RunReader) -> RunReader:
        """Lists the runs without MLflow: from its file where it is on this machine, else by its REST interface."""
        if self._settings.connection is not None:
            from cv_yolo.adapters.mlflow.rest import RunsOnServer

            return RunsOnServer(
                self._servers.stack_addresses.tracking,
                experiment=experiment,
                timeout_s=self._servers.answer_timeout_s,
                otherwise=recorder,
            )
        from cv_yolo.adapters.mlflow.database import RunsInDatabase

        return RunsInDatabase(self._settings.mlflow_database, experiment=experiment, otherwise=recorder)

    def _mlflow(self, experiment: str) -> "MlflowTracker":
        from cv_yolo.adapters.mlflow.tracker import MlflowTracker

        embedded = self._settings.connection is None
        artifacts = self._settings.mlflow_artifacts / experiment if embedded else None  # a server has its own place
        return self._limited(
            MlflowTracker(uri=self.tracking_uri, experiment=experiment, artifacts=artifacts, ids=self._experiments)
        )

    def tracking_registry(self, model: str = MODEL) -> "MlflowRegistry":
        """MLflow's registry of the model, which is the log's anchor too."""
        from cv_yolo.adapters.mlflow.registry import MlflowRegistry

        return self._limited(MlflowRegistry(uri=self.tracking_uri, model=model))

    def version_reader(self, model: str = MODEL) -> "VersionsOnServer | VersionsInDatabase":
        """Lists the versions of the model, and reads the anchor, without MLflow, as for the runs."""
        registry = self.tracking_registry(model)
        if self._settings.connection is not None:
            from cv_yolo.adapters.mlflow.rest import VersionsOnServer

            return VersionsOnServer(
                self._servers.stack_addresses.tracking,
                model=model,
                timeout_s=self._servers.answer_timeout_s,
                otherwise=registry,
            )
        from cv_yolo.adapters.mlflow.database import VersionsInDatabase

        return VersionsInDatabase(self._settings.mlflow_database, model=model, otherwise=registry)

    def _limited(self, client: Target) -> Target:
        """A client of MLflow with a time limit for each call, where a server is asked."""
        if self._settings.connection is None:
            return client
        from cv_yolo.adapters.mlflow.tracker import SERVICE, load, moves_files

        def alive(method: str, arguments: tuple[object, ...]) -> Callable[[], bool] | None:
            return self._servers.tracking_and_store_answer if moves_files(method, arguments) else None

        return within(
            client,
            self._time_limit,
            name=f"{SERVICE} at {self.tracking_uri}",
            load=load,
            alive=alive,
            answered=lambda: self._retry.outage.answered(SERVICE),
        )

    def now(self) -> datetime:
        """The time by the tracking server's clock, which all drivers are measured by; by ours if it does not answer."""
        if self._settings.connection is not None:
            with suppress(ServiceUnavailableError):
                said = ask("GET", f"{self.tracking_uri}/health", name="MLflow").at
                self._server_ahead = timedelta() if said is None else said - datetime.now(UTC)
        return datetime.now(UTC) + self._server_ahead

    def limit_pipeline_client(self) -> None:
        """Limit ZenML's client, which would ask an unresponsive server for minutes, to the time allowed."""
        server = self._settings.connection
        if server is None or self._client_limited:
            return
        from cv_yolo.adapters.zenml.registry import limit_session

        limit = TimeLimit(stop=self._time_limit.stop, limit_s=self._pipeline_limit_s)
        limit_session(partial(limit.run, name=f"{PIPELINES} at {server.url}"))
        self._client_limited = True

    def _pipeline_limit_s(self) -> float:
        """Its client asks again by itself, so that one call may take all the time there is."""
        longest_s = self._settings.answer_limit_s
        return max(self._retry.remaining_s, LEAST_LIMIT_S) if self._retry.total_s else longest_s

    def pipeline_registry(self, model: str = MODEL) -> ModelRegistry:
        """ZenML's registry of the model."""
        from cv_yolo.adapters.zenml.registry import ZenmlRegistry

        return ZenmlRegistry(model=model)

    def audit_log(self, model: str = MODEL) -> AuditLog:
        """The audit log of the model: a file in the home, or on the server that this machine is connected to."""
        from cv_yolo.adapters.files.audit_log import AuditFile

        file = AuditFile(self._settings.audit / f"{quote(model, safe='')}.jsonl")
        server = self._settings.connection
        if server is None:
            return file
        self._retry.ask(self._servers.pipeline_server(server).info, report=self._report, service=PIPELINES)
        self.limit_pipeline_client()
        from cv_yolo.adapters.zenml.audit_log import ZenmlAuditLog

        return ZenmlAuditLog(model=model, locked=file.locked, stack=self._settings.stack)

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
