"""The one place where the ports of operating servers meet adapters: the detector's container, and more clients."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cv_yolo_stack.adapters.clients import DatabaseClient, ObjectClient, PipelineClient, TrackingClient
from cv_yolo_stack.adapters.dvc import DvcProbe
from cv_yolo_stack.adapters.machine import LocalProbe
from cv_yolo_stack.adapters.s3 import S3Probe
from cv_yolo_stack.adapters.sql.server import SqlDatabase, SqlProbe
from cv_yolo_stack.adapters.sql.sqlite_files import SqliteFiles, stored_in_file
from cv_yolo_stack.adapters.zenml_probe import ZenmlProbe
from cv_yolo_stack.domain.snapshot import identity
from cv_yolo_stack.ports.databases import DatabaseFiles, DatabaseServer
from cv_yolo_stack.ports.probes import Probes
from cv_yolo_stack.workflows.register_stack import Clients

if TYPE_CHECKING:
    from cv_yolo_stack.adapters.mlflow import MlflowServer
    from cv_yolo_stack.adapters.mlflow_snapshot import MlflowSnapshot
    from cv_yolo_stack.adapters.s3 import S3Copies
    from cv_yolo_stack.adapters.zenml_probe import ZenmlSnapshot
from cv_yolo.container import Container
from cv_yolo.domain.stack import DatabaseAddress, ObjectStoreAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.ports.servers import StackRegistry
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.mlflow import MlflowProbe

ZENML_RECORDS = "zenml/local_stores/default_zen_store/zenml.db"
SNAPSHOT_TIMEOUT_S = 120.0  # for one answer: hundreds of runs, from a server that may be busy
COMMAND_TIMEOUT_FACTOR = 6  # a DVC command starts an interpreter, and asks more than once


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProbes:
    """Each of the first five makes a client that waits for an answer no longer than `timeout_s`."""

    store: Callable[[ObjectStoreAddress], ObjectClient]
    tracker: Callable[[TrackingAddress], TrackingClient]
    pipeline: Callable[[PipelineServerAddress], PipelineClient]
    sql: Callable[[DatabaseAddress], DatabaseClient]
    registry: Callable[[PipelineServerAddress], StackRegistry]
    settings: Settings
    environment: Mapping[str, str]
    timeout_s: float

    def objects(self, address: ObjectStoreAddress) -> S3Probe:
        """The probe of the object store."""
        return S3Probe(address, self.store(address), timeout_s=self.timeout_s)

    def tracking(self, address: TrackingAddress) -> MlflowProbe:
        """The probe of MLflow."""
        return MlflowProbe(address, self.tracker, timeout_s=self.timeout_s)

    def pipelines(self, address: PipelineServerAddress) -> ZenmlProbe:
        """The probe of ZenML."""
        return ZenmlProbe(address, self.pipeline, timeout_s=self.timeout_s)

    def database(self, address: DatabaseAddress) -> SqlProbe:
        """The probe of the database."""
        return SqlProbe(address, self.sql(address), timeout_s=self.timeout_s)

    def datasets(self) -> DvcProbe:
        """The probe of DVC."""
        return DvcProbe(
            root=self.settings.root,
            environment=self.environment,
            timeout_s=self.timeout_s * COMMAND_TIMEOUT_FACTOR,
            connected=self.settings.connection is not None,
        )

    def machine(self) -> LocalProbe:
        """The probe of this machine."""
        home = self.settings.home
        records = {"MLflow's records": self.settings.mlflow_database, "ZenML's records": home / ZENML_RECORDS}
        return LocalProbe(home=home, stores=records, timeout_s=self.timeout_s)

    def stored_in_file(self, path: Path) -> Callable[[str], bytes]:
        """Reads ZenML's SQLite file."""
        return stored_in_file(path)


class StackContainer:
    """The wired adapters of one process that operates servers: the detector's container, and more clients."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.detector = Container(settings)
        self.settings, self.servers = self.detector.settings, self.detector.servers

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return self.settings.home

    def clients(self) -> Clients:
        """How the servers of a stack are reached."""
        return Clients(
            pipelines=self.servers.pipeline_server,
            registry=self.servers.stack_registry,
            tracking=self.tracking_server,
            objects=self.servers.object_store,
            datasets=self.detector.datasets.dvc,
        )

    def tracking_server(self, address: TrackingAddress) -> "MlflowServer":
        """MLflow's server at an address."""
        from cv_yolo_stack.adapters.mlflow import MlflowServer

        return MlflowServer(address, timeout_s=self.servers.answer_timeout_s)

    def sql_database(self, address: DatabaseAddress) -> DatabaseServer:
        """The database server at an address, as its user."""
        return SqlDatabase(address)

    @property
    def database_files(self) -> DatabaseFiles:
        """Databases that are SQLite files."""
        return SqliteFiles()

    def object_copies(self, address: ObjectStoreAddress) -> "S3Copies":
        """Objects of any size, in and out of the store at an address."""
        from cv_yolo_stack.adapters.s3 import S3Copies

        return S3Copies(self.servers.object_store(address))

    def tracking_snapshot(
        self, address: TrackingAddress, *, steady: Callable[[str], str] = identity
    ) -> "MlflowSnapshot":
        """A snapshot of MLflow's server at an address; `steady` removes what differs between installations."""
        from cv_yolo_stack.adapters.mlflow import MlflowServer
        from cv_yolo_stack.adapters.mlflow_snapshot import MlflowSnapshot

        return MlflowSnapshot(MlflowServer(address, timeout_s=SNAPSHOT_TIMEOUT_S), address, steady=steady)

    def pipeline_snapshot(
        self, address: PipelineServerAddress, *, steady: Callable[[str], str] = identity
    ) -> "ZenmlSnapshot":
        """A snapshot of ZenML's server at an address; `steady` removes what differs between installations."""
        from cv_yolo.adapters.zenml.server import ZenmlServer
        from cv_yolo_stack.adapters.zenml_probe import ZenmlSnapshot

        return ZenmlSnapshot(ZenmlServer(address, timeout_s=SNAPSHOT_TIMEOUT_S), steady=steady)

    def probes(self, *, timeout_s: float) -> Probes:
        """The probes of servers and of this machine, with that time limit for one answer."""
        from cv_yolo.adapters.s3 import S3Store
        from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack
        from cv_yolo_stack.adapters.mlflow import MlflowServer

        return ServerProbes(
            store=partial(S3Store, timeout_s=timeout_s, attempts=1),
            tracker=partial(MlflowServer, timeout_s=timeout_s),
            pipeline=partial(ZenmlServer, timeout_s=timeout_s),
            sql=partial(SqlDatabase, timeout_s=max(1, round(timeout_s))),
            registry=lambda server: ZenmlStack(ZenmlServer(server, timeout_s=timeout_s)),
            settings=self.settings,
            environment=os.environ,
            timeout_s=timeout_s,
        )
