"""How the servers of a stack are reached: at the addresses that the stack holds, or at one that is given."""

from functools import cached_property
from typing import TYPE_CHECKING

from cv_yolo.domain.stack import ObjectStoreAddress, PipelineServerAddress, StackAddresses
from cv_yolo.errors import ConfigError
from cv_yolo.http import is_answering
from cv_yolo.ports.servers import StackRegistry
from cv_yolo.settings import Settings
from cv_yolo.workflows.read_stack import read_addresses

if TYPE_CHECKING:
    from cv_yolo.adapters.s3 import S3Store
    from cv_yolo.adapters.zenml.server import ZenmlServer


class ServerClients:
    """Adapters of servers, for the machine and project of `settings`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def stack_addresses(self) -> StackAddresses:
        """All servers of the stack that this machine is connected to; raises `ConfigError` where it is to none."""
        server = self._settings.connection
        if server is None:
            raise ConfigError(
                "this project uses the embedded defaults, not a server",
                hint="run `cv-yolo up` and `cv-yolo stack register`, or `cv-yolo connect URL`",
            )
        return read_addresses(server, self.stack_registry(server), stack=self._settings.stack)

    @property
    def answer_timeout_s(self) -> float:
        """How long one small answer may take; two attempts stay within the limit."""
        return min(10.0, self._settings.answer_limit_s / 2)

    def stack_registry(self, server: PipelineServerAddress) -> StackRegistry:
        """The stacks on ZenML's server."""
        from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack

        return ZenmlStack(ZenmlServer(server, timeout_s=self.answer_timeout_s))

    def pipeline_server(self, address: PipelineServerAddress) -> "ZenmlServer":
        """ZenML's server at an address."""
        from cv_yolo.adapters.zenml.server import ZenmlServer

        return ZenmlServer(address, timeout_s=self.answer_timeout_s)

    def object_store(self, address: ObjectStoreAddress) -> "S3Store":
        """The object store at an address."""
        from cv_yolo.adapters.s3 import S3Store

        return S3Store(address, timeout_s=self.answer_timeout_s)

    def tracking_and_store_answer(self) -> bool:
        """Whether MLflow and the object store respond: a file may be in transfer between them and us."""
        return is_answering(f"{self.stack_addresses.tracking.uri}/health") and self.store_answers()

    def store_answers(self) -> bool:
        """Whether the object store responds; Amazon S3 has no address to ask."""
        endpoint = self.stack_addresses.objects.endpoint_url
        return endpoint is None or is_answering(endpoint)
