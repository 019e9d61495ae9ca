"""How the servers of a stack are reached, each at the address that is given."""

from typing import TYPE_CHECKING

from cv_yolo.domain.stack import ObjectStoreAddress, PipelineServerAddress
from cv_yolo.ports.servers import StackRegistry
from cv_yolo.settings import Settings

if TYPE_CHECKING:
    from cv_yolo.adapters.s3 import S3Store
    from cv_yolo.adapters.zenml.server import ZenmlServer


class ServerClients:
    """Adapters of servers; `settings` say which machine and project tries them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def patience_for_an_answer_s(self) -> float:
        """How long one small answer may take; two attempts stay within the limit."""
        return min(10.0, self.settings.answer_limit_s / 2)

    def stack_registry(self, server: PipelineServerAddress) -> StackRegistry:
        """The stacks on ZenML's server."""
        from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack

        return ZenmlStack(ZenmlServer(server, patience_s=self.patience_for_an_answer_s))

    def pipeline_server(self, address: PipelineServerAddress) -> "ZenmlServer":
        """ZenML's server at an address."""
        from cv_yolo.adapters.zenml.server import ZenmlServer

        return ZenmlServer(address, patience_s=self.patience_for_an_answer_s)

    def object_store(self, address: ObjectStoreAddress) -> "S3Store":
        """The object store at an address."""
        from cv_yolo.adapters.s3 import S3Store

        return S3Store(address, patience_s=self.patience_for_an_answer_s)
