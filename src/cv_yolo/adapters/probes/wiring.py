"""Probes for given addresses, made of the clients that the commands use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cv_yolo.adapters.probes.clients import DatabaseClient, ObjectClient, PipelineClient, TrackingClient
from cv_yolo.adapters.probes.database import SqlProbe, stored_in_file
from cv_yolo.adapters.probes.datasets import DvcProbe
from cv_yolo.adapters.probes.machine import LocalProbe
from cv_yolo.adapters.probes.objects import S3Probe
from cv_yolo.adapters.probes.pipelines import ZenmlProbe
from cv_yolo.adapters.probes.tracking import MlflowProbe
from cv_yolo.domain.addresses import DatabaseAddress, ObjectStoreAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.ports import StackRegistry
from cv_yolo.settings import Settings

ZENML_RECORDS = "zenml/local_stores/default_zen_store/zenml.db"
COMMAND_PATIENCE = 6  # a DVC command starts an interpreter, and asks more than once


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerProbes:
    """Each of the first five makes a client that waits for an answer no longer than `patience_s`."""

    store: Callable[[ObjectStoreAddress], ObjectClient]
    tracker: Callable[[TrackingAddress], TrackingClient]
    pipeline: Callable[[PipelineServerAddress], PipelineClient]
    sql: Callable[[DatabaseAddress], DatabaseClient]
    registry: Callable[[PipelineServerAddress], StackRegistry]
    settings: Settings
    environment: Mapping[str, str]
    patience_s: float

    def objects(self, address: ObjectStoreAddress) -> S3Probe:
        """Who tries the object store."""
        return S3Probe(address, self.store(address), patience_s=self.patience_s)

    def tracking(self, address: TrackingAddress) -> MlflowProbe:
        """Who tries MLflow."""
        return MlflowProbe(address, self.tracker, patience_s=self.patience_s)

    def pipelines(self, address: PipelineServerAddress) -> ZenmlProbe:
        """Who tries ZenML."""
        return ZenmlProbe(address, self.pipeline, patience_s=self.patience_s)

    def database(self, address: DatabaseAddress) -> SqlProbe:
        """Who tries the database."""
        return SqlProbe(address, self.sql(address), patience_s=self.patience_s)

    def datasets(self) -> DvcProbe:
        """Who tries DVC."""
        return DvcProbe(
            root=self.settings.root,
            environment=self.environment,
            patience_s=self.patience_s * COMMAND_PATIENCE,
            connected=self.settings.connection is not None,
        )

    def machine(self) -> LocalProbe:
        """Who looks at this machine."""
        home = self.settings.home
        records = {"MLflow's records": self.settings.mlflow_database, "ZenML's records": home / ZENML_RECORDS}
        return LocalProbe(home=home, stores=records, patience_s=self.patience_s)

    def stored_in_file(self, path: Path) -> Callable[[str], bytes]:
        """Who looks into ZenML's SQLite file."""
        return stored_in_file(path)
