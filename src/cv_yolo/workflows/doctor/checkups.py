"""The checkups of all services that are used."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final, TypeVar

from cv_yolo.domain.health import Outcome
from cv_yolo.ports import Probes
from cv_yolo.workflows.doctor.database import DATABASE, database_checkup
from cv_yolo.workflows.doctor.datasets import DATASETS, datasets_checkup
from cv_yolo.workflows.doctor.examine import Check, Checkup
from cv_yolo.workflows.doctor.machine import MACHINE, machine_checkup
from cv_yolo.workflows.doctor.objects import OBJECTS, object_store_checkup
from cv_yolo.workflows.doctor.pipelines import PIPELINES, pipeline_checkup
from cv_yolo.workflows.doctor.servers import Servers
from cv_yolo.workflows.doctor.tracking import TRACKING, tracking_checkup

Address = TypeVar("Address")

SERVICES: Final = (OBJECTS, DATABASE, PIPELINES, TRACKING, DATASETS, MACHINE)


def checkups(servers: Servers, probes: Probes, *, stack: str, wanted: Collection[str] = ()) -> tuple[Checkup, ...]:
    """The checkups of the services that are used, or of those `wanted`, in the order of `SERVICES`.

    What is wanted and cannot be tried is told with the reason; so is what belongs to a stack whose address is unknown.
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
    untried = Outcome(passed=None, found=f"not tried: {reason}")
    return Checkup(
        service=service,
        checks=(Check(name="address", expected="known", remedy="`cv-yolo connect URL`", attempt=lambda: untried),),
    )
