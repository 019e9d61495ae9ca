"""How the servers of a stack are reached, each at the address that is given."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cv_yolo.domain.addresses import DatabaseAddress, ObjectStoreAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.domain.census import as_told
from cv_yolo.ports import Probes, StackRegistry
from cv_yolo.settings import Settings

if TYPE_CHECKING:
    from cv_yolo.adapters.mlflow_census import MlflowCensus
    from cv_yolo.adapters.mlflow_server import MlflowServer
    from cv_yolo.adapters.s3_copies import S3Copies
    from cv_yolo.adapters.s3_store import S3Store
    from cv_yolo.adapters.sql_database import SqlDatabase
    from cv_yolo.adapters.zenml_census import ZenmlCensus
    from cv_yolo.adapters.zenml_server import ZenmlServer

CENSUS_PATIENCE_S = 120.0  # for one answer: hundreds of runs, from a server that may be busy


class ServerParts:
    """Adapters of servers; `settings` say which machine and project tries them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def patience_for_an_answer_s(self) -> float:
        """How long one small answer may take; two attempts stay within the limit."""
        return min(10.0, self.settings.answer_limit_s / 2)

    def stack_registry(self, server: PipelineServerAddress) -> StackRegistry:
        """The stacks on ZenML's server."""
        from cv_yolo.adapters.zenml_server import ZenmlServer
        from cv_yolo.adapters.zenml_stack import ZenmlStack

        return ZenmlStack(ZenmlServer(server, patience_s=self.patience_for_an_answer_s))

    def pipeline_server(self, address: PipelineServerAddress) -> "ZenmlServer":
        """ZenML's server at an address."""
        from cv_yolo.adapters.zenml_server import ZenmlServer

        return ZenmlServer(address, patience_s=self.patience_for_an_answer_s)

    def tracking_server(self, address: TrackingAddress) -> "MlflowServer":
        """MLflow's server at an address."""
        from cv_yolo.adapters.mlflow_server import MlflowServer

        return MlflowServer(address, patience_s=self.patience_for_an_answer_s)

    def object_store(self, address: ObjectStoreAddress) -> "S3Store":
        """The object store at an address."""
        from cv_yolo.adapters.s3_store import S3Store

        return S3Store(address, patience_s=self.patience_for_an_answer_s)

    def sql_database(self, address: DatabaseAddress) -> "SqlDatabase":
        """A database at an address."""
        from cv_yolo.adapters.sql_database import SqlDatabase

        return SqlDatabase(address)

    def object_copies(self, address: ObjectStoreAddress) -> "S3Copies":
        """Objects of any size, in and out of the store at an address."""
        from cv_yolo.adapters.s3_copies import S3Copies

        return S3Copies(self.object_store(address))

    def tracking_census(self, address: TrackingAddress, *, steady: Callable[[str], str] = as_told) -> "MlflowCensus":
        """All that MLflow's server at an address tells; `steady` takes out what differs from place to place."""
        from cv_yolo.adapters.mlflow_census import MlflowCensus
        from cv_yolo.adapters.mlflow_server import MlflowServer

        return MlflowCensus(MlflowServer(address, patience_s=CENSUS_PATIENCE_S), address, steady=steady)

    def pipeline_census(
        self, address: PipelineServerAddress, *, steady: Callable[[str], str] = as_told
    ) -> "ZenmlCensus":
        """All that ZenML's server at an address tells; `steady` takes out what differs from place to place."""
        from cv_yolo.adapters.zenml_census import ZenmlCensus
        from cv_yolo.adapters.zenml_server import ZenmlServer

        return ZenmlCensus(ZenmlServer(address, patience_s=CENSUS_PATIENCE_S), steady=steady)

    def probes(self, *, patience_s: float) -> Probes:
        """Who tries what on servers and on this machine, waiting so long for an answer."""
        from cv_yolo.adapters.mlflow_server import MlflowServer
        from cv_yolo.adapters.probes.wiring import ServerProbes
        from cv_yolo.adapters.s3_store import S3Store
        from cv_yolo.adapters.sql_database import SqlDatabase
        from cv_yolo.adapters.zenml_server import ZenmlServer
        from cv_yolo.adapters.zenml_stack import ZenmlStack

        return ServerProbes(
            store=partial(S3Store, patience_s=patience_s, attempts=1),
            tracker=partial(MlflowServer, patience_s=patience_s),
            pipeline=partial(ZenmlServer, patience_s=patience_s),
            sql=partial(SqlDatabase, patience_s=max(1, round(patience_s))),
            registry=lambda address: ZenmlStack(ZenmlServer(address, patience_s=patience_s)),
            settings=self.settings,
            environment=os.environ,
            patience_s=patience_s,
        )
