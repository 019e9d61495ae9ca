"""How services and this machine are tried, one thing at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cv_yolo.domain.stack import DatabaseAddress, ObjectStoreAddress, PipelineServerAddress, TrackingAddress
from cv_yolo.ports.servers import StackRegistry


class ServerProbe(Protocol):
    """Tries on a server what every server must do; a malformed answer is no answer."""

    @property
    def address(self) -> str: ...
    def greet(self) -> None:
        """Reach the server, without credentials."""

    def clock(self) -> datetime | None:
        """The server's time, if it returns one."""

    def ask_anonymously(self) -> Mapping[str, int]:
        """Ask without credentials: the answer's code by what was asked for (HTTP's; a database's own)."""

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
        """Ask with our name and a wrong secret: the answer's code by what was asked for."""

    def log_in(self) -> str:
        """Ask with our credentials; who we are to the server."""

    def version(self) -> str: ...


class ObjectStoreProbe(ServerProbe, Protocol):
    """Tries an object store in a scratch folder of one of our buckets; every trial removes what it made."""

    def missing_buckets(self) -> tuple[str, ...]: ...
    def exchange(self) -> None:
        """Put, get, list and delete an object."""

    def multipart(self) -> None:
        """Put an object in two parts, and get a range of it that spans both."""

    def presigned_put(self) -> None: ...
    def presigned_get(self) -> None: ...
    def ask_with_expired_address(self) -> int: ...
    def checksums(self) -> str:
        """Put with the checksums that the SDK sends of itself; what the server makes of them, also of a wrong one."""

    def keeps_conditions(self) -> bool:
        """Whether a put is refused that must not replace."""

    def clean_up(self) -> int:
        """Remove what is left in the scratch folder; how many objects that were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detour:
    """The server to which MLflow sends its clients for an artifact; `trouble` where it cannot be got from there."""

    server: str
    trouble: str | None = None


class TrackingProbe(ServerProbe, Protocol):
    """Tries MLflow's server; what it logs and keeps, it deletes, but for what it uses again (`kept_for_trials`)."""

    def client_version(self) -> str: ...
    def refused_host(self) -> str | None:
        """The name in our address, where the server refuses to be called so."""

    def log_metric(self) -> None:
        """Log a metric and read it back."""

    def exchange_artifact(self) -> None:
        """Put an artifact through the server, get it through the server, and delete it."""

    def deleted_experiment(self, name: str) -> str | None:
        """The id of the experiment of that name if it was deleted."""

    def kept_for_trials(self) -> str:
        """What stays on the server, since its interface removes no such thing: it is used again each time."""

    def detour(self) -> Detour | None:
        """Where clients are sent for the content of an artifact; None where the server hands it out itself."""

    def takes_detours(self) -> bool:
        """Whether clients in our environment follow."""


class PipelineProbe(ServerProbe, Protocol):
    """Tries ZenML's server."""

    def client_version(self) -> str: ...
    def is_active(self) -> bool: ...
    def secrets_store(self) -> str:
        """The kind of the store of secrets, as the server calls it."""

    def secret_is_readable(self, stored: Callable[[str], bytes]) -> bool:
        """Make a secret, check whether its value can be read in what was `stored` under its id, and delete it."""

    def components(self, stack: str) -> tuple[str, ...] | None:
        """The names of a stack's components; None without such a stack."""


class DatabaseProbe(ServerProbe, Protocol):
    """Tries a database."""

    def stored_secret(self, secret_id: str) -> bytes:
        """What ZenML keeps of a secret's values there."""


class DatasetProbe(Protocol):
    """Tries DVC in the project."""

    def version(self) -> str: ...
    def is_project(self) -> bool: ...
    def remote(self) -> tuple[str, str] | None:
        """The default remote, its name and address."""

    def list_remote(self) -> None: ...
    def absent(self) -> Mapping[str, bool]:
        """The recorded data sets that are not complete on the remote, and whether a recipe makes them."""


class MachineProbe(Protocol):
    """Looks at this machine."""

    def free_bytes(self) -> int:
        """Free disk space where the commands keep everything."""

    def write(self) -> str:
        """Write and remove a file there; the folder."""

    def missing_packages(self) -> tuple[str, ...]: ...
    def records(self) -> Mapping[str, Path]:
        """The embedded stores that were made so far: file by name."""

    def use_record(self, record: Path) -> None:
        """Check an embedded store whole, and begin to write."""


class Probes(Protocol):
    """The probes, by service and address."""

    def objects(self, address: ObjectStoreAddress) -> ObjectStoreProbe: ...
    def tracking(self, address: TrackingAddress) -> TrackingProbe: ...
    def pipelines(self, address: PipelineServerAddress) -> PipelineProbe: ...
    def database(self, address: DatabaseAddress) -> DatabaseProbe: ...
    def datasets(self) -> DatasetProbe: ...
    def machine(self) -> MachineProbe: ...
    def registry(self, address: PipelineServerAddress) -> StackRegistry: ...
    def stored_in_file(self, path: Path) -> Callable[[str], bytes]:
        """What ZenML keeps of a secret in its SQLite file, by the secret's id."""
