"""Prove a backup: restore it into a scratch project, start its servers, and ask them for all that was there.

Nothing of the project itself is touched, and nothing is left of the scratch project, however the drill ends.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.domain.addresses import StackAddresses
from cv_yolo.domain.census import AUDIT, Census, Tally, compare
from cv_yolo.domain.inventory import Inventory
from cv_yolo.domain.stack import Deed
from cv_yolo.errors import InputError
from cv_yolo.services.backup.contents import INVENTORY, Contents
from cv_yolo.services.backup.progress import Progress, Report
from cv_yolo.services.backup.proof import audit_logs, embedded_artifacts, files, stored, verify_by_history
from cv_yolo.services.backup.restore import restore
from cv_yolo.services.backup.running import PORTS, running
from cv_yolo.services.backup.scratch import Scratch, scratch_project
from cv_yolo.services.backup.take import read_census, take_backup
from cv_yolo.services.backup.witness import witness_of_records, witness_of_servers
from cv_yolo.services.local_stack import LocalStack, read_stack
from cv_yolo.services.pages import free_port
from cv_yolo.services.servers import servers_of
from cv_yolo.services.stack_folder import StackFolder
from cv_yolo.settings import Settings, write_connection
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo.workflows.register_stack import register_stack

if TYPE_CHECKING:
    from cv_yolo.bootstrap import Bootstrap

START: Final = Progress(what="start the scratch servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """What a drill found, a tally for each kind of thing; `kept` is the backup's folder, where one was named."""

    inventory: Inventory
    tallies: tuple[Tally, ...]
    kept: Path | None

    @property
    def passed(self) -> bool:
        """Whether everything came back as it was, and anything was there at all."""
        return all(each.agrees for each in self.tallies) and any(each.expected for each in self.tallies)


def backup(parts: "Bootstrap", folder: Path, *, report: Report) -> Inventory:
    """Keep everything of this project; servers that are up tell what they hold, for a drill at any time later."""
    stack = read_stack(parts.settings)
    take = witness_of_servers(parts, _addresses(stack)).take if stack else None
    return take_backup(parts, stack, folder, take_census=take, report=report)


def drill(parts: "Bootstrap", folder: Path | None, *, report: Report) -> Drill:
    """Prove the backup in `folder`, or a new one, which is kept there if a folder is given."""
    with scratch_project(parts.home) as scratch:
        where = folder or scratch.backup
        if not (where / INVENTORY).is_file():
            _take(parts, where, scratch, report)
        restored = restore(
            parts, scratch.settings, where, ports={name: free_port(0) for name in PORTS}, own=True, report=report
        )
        census = read_census(Contents(where), restored.inventory)
        if census is None:
            raise InputError(
                f"{where}: the servers were not asked what they hold when this backup was made",
                hint="`cv-yolo backup --drill DIR` makes one that can be proved at any time",
            )
        prove = _prove_servers if restored.stack is not None else _prove_records
        tallies = prove(parts, restored.inventory, census, scratch, report)
    return Drill(inventory=restored.inventory, tallies=tallies, kept=folder)


def _take(parts: "Bootstrap", where: Path, scratch: Scratch, report: Report) -> None:
    if read_stack(parts.settings) is not None:
        backup(parts, where, report=report)
        return
    report(Progress(what="start servers on the embedded records"))
    with witness_of_records(parts, parts.settings, scratch.pages) as witness:
        take_backup(parts, None, where, take_census=witness.take, report=report)


def _prove_servers(
    parts: "Bootstrap", inventory: Inventory, census: Census, scratch: Scratch, report: Report
) -> tuple[Tally, ...]:
    settings = scratch.settings
    stack = read_stack(settings)
    assert stack is not None, "it was restored a moment ago"
    report(START)
    with running(servers_of(stack, parts), stack.folder):
        found = _registered(parts, stack, settings)
        told = witness_of_servers(parts, _addresses(stack)).take()
        logs = audit_logs(census.models, told[AUDIT], verify=partial(verify_by_history, settings))
        kept = stored(parts, inventory, tracking=found.tracking, objects=found.objects, report=report)
    return (*compare(census, told), logs, *kept, files(inventory, settings))


def _prove_records(
    parts: "Bootstrap", inventory: Inventory, census: Census, scratch: Scratch, report: Report
) -> tuple[Tally, ...]:
    settings = scratch.settings
    settings.connection_file.unlink(missing_ok=True)  # the records that were restored are to tell, and no server
    report(START)
    with witness_of_records(parts, settings, StackFolder(root=settings.services)) as witness:
        told = witness.take()
        kept = embedded_artifacts(parts, inventory, witness.tracking, report)
    logs = audit_logs(census.models, told[AUDIT], verify=partial(verify_by_history, settings))
    return (*compare(census, told), logs, *kept, files(inventory, settings))


def _registered(parts: "Bootstrap", stack: LocalStack, settings: Settings) -> StackAddresses:
    """The scratch stack as a client finds it on its server, once the server was told of its new addresses."""
    doors = replace(parts.doors(), datasets=_NoDatasets())
    done = register_stack(_addresses(stack), doors, connection=None, report=lambda _: None)
    write_connection(settings, done.connection)
    return read_addresses(done.connection, parts.stack_registry(done.connection))


class _NoDatasets:
    """The project's own DVC remote stays as it is."""

    def set_remote(self, objects: Any, bucket: str) -> Deed:  # noqa: ARG002 - the port's signature
        return Deed.UNCHANGED


def _addresses(stack: LocalStack) -> StackAddresses:
    return StackAddresses(pipelines=stack.pipelines, tracking=stack.tracking, objects=stack.objects)
