"""Which servers are examined, and where their addresses come from.

They come from ZenML's stack where this machine is connected, else from the servers that `cv-yolo up` runs here; else
there are none. With ZenML down its stack cannot be read: then those of this machine will do, or nothing can be tried.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cv_yolo.domain.addresses import (
    DatabaseAddress,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.errors import CvYoloError


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServers:
    """The servers that `cv-yolo up` runs here; ZenML keeps its records in a database or in the file `records`."""

    addresses: StackAddresses
    database: DatabaseAddress | None
    records: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What is known; for what is not, `unknown` says why. All unknown: the embedded stores are used."""

    pipelines: PipelineServerAddress | None = None
    tracking: TrackingAddress | None = None
    objects: ObjectStoreAddress | None = None
    database: DatabaseAddress | None = None
    records: Path | None = None
    unknown: str = "no server is used"


def find_servers(
    *,
    connection: PipelineServerAddress | None,
    local: LocalServers | None,
    read_stack: Callable[[], StackAddresses],
) -> Servers:
    """The servers that the commands of this machine use."""
    if connection is None:
        return Servers() if local is None else _of(local.addresses, local)
    ours = local if local is not None and _same(local.addresses.pipelines.url, connection.url) else None
    try:
        return _of(read_stack(), ours)
    except CvYoloError as error:
        if ours is not None:
            known = StackAddresses(
                pipelines=connection, tracking=ours.addresses.tracking, objects=ours.addresses.objects
            )
            return _of(known, ours)
        return Servers(pipelines=connection, unknown=f"its address is kept in ZenML's stack: {error.message}")


def _of(addresses: StackAddresses, local: LocalServers | None) -> Servers:
    served = addresses.tracking.uri.startswith(("http://", "https://"))
    return Servers(
        pipelines=addresses.pipelines,
        tracking=addresses.tracking if served else None,
        objects=addresses.objects,
        database=None if local is None else local.database,
        records=None if local is None or local.database is not None else local.records,
        unknown="only its server knows the address" if served else "it is a file, and no server",
    )


def _same(one: str, other: str) -> bool:
    """Whether two addresses of a loopback server are one."""
    return one.rstrip("/").replace("localhost", "127.0.0.1") == other.rstrip("/").replace("localhost", "127.0.0.1")
