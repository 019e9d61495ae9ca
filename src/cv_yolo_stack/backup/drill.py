"""Verify a backup: restore it into a scratch project, start its servers, and compare everything that they hold.

The project itself is not changed, and the scratch project is removed, however the drill ends.
"""

import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from cv_yolo.domain.stack import ChangeKind, StackAddresses
from cv_yolo.errors import InputError, ServiceUnavailableError
from cv_yolo.settings import Settings, write_connection
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo_stack.backup.content_store import MANIFEST, Contents, Progress, Report
from cv_yolo_stack.backup.proof import audit_logs, embedded_artifacts, files, stored, verify_by_history
from cv_yolo_stack.backup.restore import restore
from cv_yolo_stack.backup.running import PORTS, running
from cv_yolo_stack.backup.snapshot_source import source_of_records, source_of_servers
from cv_yolo_stack.backup.take import read_snapshot, take_backup
from cv_yolo_stack.configuration.folder import StackFolder, folder_of
from cv_yolo_stack.configuration.local_stack import LocalStack, read_stack
from cv_yolo_stack.domain.backup_manifest import BackupManifest
from cv_yolo_stack.domain.snapshot import AUDIT, KindComparison, Snapshot, compare
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.supervision.processes import end, processes_of
from cv_yolo_stack.supervision.starting import servers_of
from cv_yolo_stack.workflows.register_stack import register_stack

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scratch:
    """The folders of one drill."""

    folder: Path

    @property
    def backup(self) -> Path:
        """A temporary backup."""
        return self.folder / "backup"

    @property
    def pages(self) -> StackFolder:
        """Servers on the project's own embedded records."""
        return StackFolder(root=self.folder / "pages")

    @property
    def settings(self) -> Settings:
        """The scratch project; the environment, which names the real one, has no say."""
        root = self.folder / "project"
        return Settings(root=root, home_override=root / ".cv-yolo", server_url=None, server_api_key=None)


@contextmanager
def scratch_project(home: Path) -> Iterator[Scratch]:
    """A scratch project that is gone when the block ends, however it ends; one at a time."""
    scratch = Scratch(folder=home / "drill")
    home.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(home / "drill.lock", blocking=False)
        lock.acquire()
    except Timeout as error:
        raise ServiceUnavailableError(
            f"{home}: another drill is running here", hint="wait until it has finished"
        ) from error
    try:
        _clear(scratch)
        scratch.folder.mkdir(mode=0o700)
        yield scratch
    finally:
        with _undisturbed():
            _clear(scratch)
            lock.release()


def _clear(scratch: Scratch) -> None:
    for folder in (folder_of(scratch.settings), scratch.pages):
        end(processes_of(folder.root), grace_s=GRACE_S)
    if scratch.folder.exists():
        shutil.rmtree(scratch.folder)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C or termination signal must not interrupt the cleanup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


START: Final = Progress(what="start the scratch servers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drill:
    """The result of a drill, a comparison for each kind; `kept` is the backup's folder, if one was given."""

    manifest: BackupManifest
    tallies: tuple[KindComparison, ...]
    kept: Path | None

    @property
    def passed(self) -> bool:
        """Whether everything was restored unchanged, and there was anything at all."""
        return all(each.agrees for each in self.tallies) and any(each.expected for each in self.tallies)


def backup(container: "StackContainer", folder: Path, *, report: Report) -> BackupManifest:
    """Back up everything of this project, with a snapshot of running servers, so that it can be verified later."""
    stack = read_stack(container.settings)
    take = source_of_servers(container, stack.addresses).take if stack else None
    return take_backup(container, stack, folder, take_snapshot=take, report=report)


def drill(container: "StackContainer", folder: Path | None, *, report: Report) -> Drill:
    """Prove the backup in `folder`, or a new one, which is kept there if a folder is given."""
    with scratch_project(container.home) as scratch:
        where = folder or scratch.backup
        if not (where / MANIFEST).is_file():
            _take(container, where, scratch, report)
        restored = restore(
            container, scratch.settings, where, ports={name: free_port(0) for name in PORTS}, own=True, report=report
        )
        snapshot = read_snapshot(Contents(where), restored.manifest)
        if snapshot is None:
            raise InputError(
                f"{where}: this backup has no snapshot of the servers",
                hint="`cv-yolo backup --drill DIR` creates a backup that can be verified at any time",
            )
        prove = _prove_servers if restored.stack is not None else _prove_records
        tallies = prove(container, restored.manifest, snapshot, scratch, report)
    return Drill(manifest=restored.manifest, tallies=tallies, kept=folder)


def _take(container: "StackContainer", where: Path, scratch: Scratch, report: Report) -> None:
    if read_stack(container.settings) is not None:
        backup(container, where, report=report)
        return
    report(Progress(what="start servers on the embedded records"))
    with source_of_records(container, container.settings, scratch.pages) as source:
        take_backup(container, None, where, take_snapshot=source.take, report=report)


def _prove_servers(
    container: "StackContainer", manifest: BackupManifest, snapshot: Snapshot, scratch: Scratch, report: Report
) -> tuple[KindComparison, ...]:
    settings = scratch.settings
    stack = read_stack(settings)
    assert stack is not None, "it was restored a moment ago"
    report(START)
    with running(servers_of(stack, container), stack.folder):
        found = _registered(container, stack, settings)
        taken = source_of_servers(container, stack.addresses).take()
        logs = audit_logs(snapshot.models, taken[AUDIT], verify=partial(verify_by_history, settings))
        kept = stored(container, manifest, tracking=found.tracking, objects=found.objects, report=report)
    return (*compare(snapshot, taken), logs, *kept, files(manifest, settings))


def _prove_records(
    container: "StackContainer", manifest: BackupManifest, snapshot: Snapshot, scratch: Scratch, report: Report
) -> tuple[KindComparison, ...]:
    settings = scratch.settings
    settings.connection_file.unlink(missing_ok=True)  # compare the restored records, not a server's
    report(START)
    with source_of_records(container, settings, StackFolder(root=settings.services)) as source:
        taken = source.take()
        kept = embedded_artifacts(container, manifest, source.tracking, report)
    logs = audit_logs(snapshot.models, taken[AUDIT], verify=partial(verify_by_history, settings))
    return (*compare(snapshot, taken), logs, *kept, files(manifest, settings))


def _registered(container: "StackContainer", stack: LocalStack, settings: Settings) -> StackAddresses:
    """The scratch stack as a client finds it on its server, registered with its new addresses."""
    clients = replace(container.clients(), datasets=_NoDatasets())
    done = register_stack(stack.addresses, clients, connection=None, report=lambda _: None)
    write_connection(settings, done.connection)
    return read_addresses(done.connection, container.servers.stack_registry(done.connection))


class _NoDatasets:
    """The project's own DVC remote stays as it is."""

    def set_remote(self, objects: Any, bucket: str) -> ChangeKind:  # noqa: ARG002 - the port's signature
        return ChangeKind.UNCHANGED
