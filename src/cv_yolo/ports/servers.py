"""The servers of a stack, as we need them. Each raises `ServiceUnavailableError` if its server is down or refuses."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from cv_yolo.domain.stack import ChangeKind, Component, Kind, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object in an object store, without its content."""

    key: str
    size_bytes: int


class ObjectStore(Protocol):
    """Keeps objects in buckets.

    Raises `ServiceUnavailableError` where the store does not answer or refuses our key, `NotFoundError` for what is not
    there.
    """

    def use(self, bucket: str) -> None:
        """Put, get and delete a small object in the bucket."""

    def buckets(self) -> tuple[str, ...]: ...
    def make_bucket(self, bucket: str) -> bool:
        """Make the bucket; False if it exists."""

    def put(self, bucket: str, key: str, content: bytes) -> None: ...
    def get(self, bucket: str, key: str) -> bytes: ...
    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; succeeds if there is none."""

    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """All objects of a bucket whose keys begin so, in the order of their keys."""


class PipelineServer(Protocol):
    """ZenML's server."""

    def use(self) -> None:
        """Log in, and ask who we are."""

    def skip_survey(self) -> None:
        """Let the dashboard show its pages at once to our user, instead of asking for name and address."""

    def make_api_key(self, account: str, key: str) -> str:
        """A new key for a service account, which is created if necessary; a key of that name is replaced."""


class TrackingServer(Protocol):
    """MLflow's server."""

    def use(self) -> None:
        """Log a metric and read it back."""

    def administers(self) -> bool:
        """Whether we may make users."""

    def set_user(self, name: str, password: str) -> ChangeKind:
        """Make sure that there is a user of that name with that password."""


class StackRegistry(Protocol):
    """Stacks, their components and secrets, by name."""

    def secret(self, name: str) -> Secret | None: ...
    def set_secret(self, secret: Secret) -> ChangeKind: ...
    def component(self, kind: Kind, name: str) -> Component | None: ...
    def set_component(self, component: Component) -> ChangeKind:
        """Keep the component with this configuration; other keys of a known one are left as they are."""

    def stack(self, name: str) -> dict[Kind, str] | None:
        """The names of the components of a stack, of the kinds that we use."""

    def set_stack(self, name: str, components: dict[Kind, str]) -> ChangeKind: ...
