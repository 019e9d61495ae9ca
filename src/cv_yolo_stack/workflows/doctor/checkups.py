"""Which servers are examined, and where their addresses come from.

They come from ZenML's stack where this machine is connected, else from the servers that `cv-yolo up` runs here; else
there are none. With ZenML down its stack cannot be read: then those of this machine are used, or nothing can be tried.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from cv_yolo.domain.stack import (
    DatabaseAddress,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.errors import CvYoloError
from cv_yolo_stack.domain.health import CheckOutcome
from cv_yolo_stack.ports.probes import Probes
from cv_yolo_stack.workflows.doctor.database import DATABASE, database_checkup
from cv_yolo_stack.workflows.doctor.examine import Checkup, ServiceCheck
from cv_yolo_stack.workflows.doctor.local import DATASETS, MACHINE, datasets_checkup, machine_checkup
from cv_yolo_stack.workflows.doctor.objects import OBJECTS, object_store_checkup
from cv_yolo_stack.workflows.doctor.pipelines import PIPELINES, pipeline_checkup
from cv_yolo_stack.workflows.doctor.tracking import TRACKING, tracking_checkup


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServers:
    """The servers that `cv-yolo up` runs here; ZenML keeps its records in a database or in the file `records`."""

    addresses: StackAddresses
    database: DatabaseAddress | None
    records: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The known addresses; `unknown` says why the others are not. If all are unknown, the embedded stores are used."""

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
        unknown="only its server knows the address" if served else "it is a file, not a server",
    )


def _same(one: str, other: str) -> bool:
    """Whether two addresses of a loopback server are one."""
    return one.rstrip("/").replace("localhost", "127.0.0.1") == other.rstrip("/").replace("localhost", "127.0.0.1")


Address = TypeVar("Address")

SERVICES: Final = (OBJECTS, DATABASE, PIPELINES, TRACKING, DATASETS, MACHINE)


def checkups(servers: Servers, probes: Probes, *, stack: str, wanted: Collection[str] = ()) -> tuple[Checkup, ...]:
    """The checkups of the services that are used, or of those `wanted`, in the order of `SERVICES`.

    A wanted service that cannot be tried is listed with the reason; so is one of a stack whose address is unknown.
    """
    server = None if servers.pipelines is None else servers.pipelines.url
    made: dict[str, Callable[[], Checkup] | None] = {
        OBJECTS: _with(servers.objects, lambda it: object_store_checkup(probes.objects(it))),
        DATABASE: _with(servers.database, lambda it: database_checkup(probes.database(it))),
        PIPELINES: _with(
            servers.pipelines,
            lambda it: pipeline_checkup(probes.pipelines(it), stack=stack, stored=_stored(servers, probes)),
        ),
        TRACKING: _with(servers.tracking, lambda it: tracking_checkup(probes.tracking(it))),
        DATASETS: lambda: datasets_checkup(probes.datasets(), connected=server is not None),
        MACHINE: lambda: machine_checkup(probes.machine(), server=server),
    }
    asked = [each for each in SERVICES if each in wanted or (not wanted and (server or made[each] is not None))]
    return tuple((made[each] or partial(_unknown, each, servers))() for each in asked)


def _with(address: Address | None, make: Callable[[Address], Checkup]) -> Callable[[], Checkup] | None:
    return None if address is None else partial(make, address)


def _stored(servers: Servers, probes: Probes) -> Callable[[str], bytes] | None:
    if servers.database is not None:
        return probes.database(servers.database).stored_secret
    return None if servers.records is None else probes.stored_in_file(servers.records)


def _unknown(service: str, servers: Servers) -> Checkup:
    filed = service == DATABASE and servers.records is not None
    reason = f"there is none, ZenML's records are {servers.records}" if filed else servers.unknown
    untried = CheckOutcome(passed=None, found=f"not tried: {reason}")
    return Checkup(
        service=service,
        checks=(
            ServiceCheck(name="address", expected="known", remedy="`cv-yolo connect URL`", attempt=lambda: untried),
        ),
    )
