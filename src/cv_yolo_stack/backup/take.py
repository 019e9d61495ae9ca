"""Take a backup: records first, all as of one moment, then objects and files, and the manifest at the very end.

Objects and files are only ever added, and before the record that names them: so whatever a record names is there,
also when runs continue meanwhile.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from cv_yolo import __version__
from cv_yolo.errors import InputError, NotFoundError, ServiceUnavailableError
from cv_yolo_stack.backup.content_store import CONTENT, MANIFEST, Contents, Progress, Report, require_room, writing
from cv_yolo_stack.backup.mariadb import dump, require_dumper
from cv_yolo_stack.backup.objects import keep_objects, list_objects
from cv_yolo_stack.backup.snapshot_source import TakeSnapshot
from cv_yolo_stack.backup.sources import BackupSource, backup_sources
from cv_yolo_stack.backup.stack import DUMP
from cv_yolo_stack.configuration.local_stack import DATABASES as NAMES
from cv_yolo_stack.configuration.local_stack import ZENML_DATABASE, LocalStack
from cv_yolo_stack.domain.backup_manifest import SNAPSHOT, BackupManifest, Kept, manifest_of
from cv_yolo_stack.domain.snapshot import Snapshot, settled
from cv_yolo_stack.supervision.control import Control

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer


SERVERS: Final = f"{SNAPSHOT}/servers.json"
MARGIN_BYTES: Final = 100_000_000
PROMOTION_WITHIN_S: Final = 120.0


def take_backup(
    container: "StackContainer",
    stack: LocalStack | None,
    folder: Path,
    *,
    take_snapshot: TakeSnapshot | None,
    report: Report,
) -> BackupManifest:
    """Keep everything of this project in a new or empty folder.

    Raises `InputError` for a folder that is not empty or a disk that is too small, `ServiceUnavailableError` where the
    servers are not running. Without its manifest, which comes last, the folder is not a backup.
    """
    require_fresh(folder)
    _require_something(container, stack)
    if stack is not None:
        _require_up(stack)
    _require_room(container, stack, folder)
    with writing(folder):
        contents = Contents(folder)
        contents.begin()
        before = _snapshot(take_snapshot, report)
        kept = list(_records(container, stack, contents, report))
        kept += keep_objects(container, stack, contents, report) if stack else ()
        kept += _files(container, contents, report)
        if before is not None:
            snapshot = settled(before, _snapshot(take_snapshot, report) or {})
            kept.append(contents.keep(SERVERS, [json.dumps(asdict(snapshot), indent=1, sort_keys=True).encode()]))
        manifest = manifest_of(
            kept, made_at=datetime.now(UTC), home=str(container.home), software=software(container, stack)
        )
        contents.finish(manifest)
    return manifest


def require_fresh(folder: Path) -> None:
    """Raise `InputError` where something is in the folder already."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        unfinished = (folder / CONTENT).is_dir() and not (folder / MANIFEST).exists()
        what = "holds an unfinished backup" if unfinished else "is not an empty folder"
        hint = f"remove it, or use another folder: rm -r {folder}" if unfinished else "use a new folder for each backup"
        raise InputError(f"{folder} {what}", hint=hint)


def software(container: "StackContainer", stack: LocalStack | None) -> dict[str, str]:
    """The versions of what wrote the records."""
    found = {"cv-yolo": __version__}
    for name in ("zenml", "mlflow"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    address = stack.database(ZENML_DATABASE) if stack else None
    return found | ({"database": container.sql_database(address).version()} if address else {})


def read_snapshot(contents: Contents, manifest: BackupManifest) -> Snapshot | None:
    """The snapshot of the servers when the backup was made; None where none was taken."""
    kept = manifest.find(SERVERS)
    if kept is None:
        return None
    said = json.loads(contents.path(kept.sha256).read_text(encoding="utf-8"))
    return Snapshot(settled=said["settled"], moving={kind: tuple(names) for kind, names in said["moving"].items()})


def _require_something(container: "StackContainer", stack: LocalStack | None) -> None:
    if stack is None and not any(each.is_record for each in backup_sources(container.settings)):
        server = container.settings.connection
        elsewhere = f"the records are at {server.url}: run `cv-yolo backup` on that machine" if server else None
        raise NotFoundError("nothing is recorded on this machine", hint=elsewhere or "`cv-yolo grid` records runs")


def _snapshot(take_snapshot: TakeSnapshot | None, report: Report) -> dict[str, dict[str, str]] | None:
    if take_snapshot is None:
        return None
    report(Progress(what="take a snapshot of the servers"))
    return take_snapshot()


def _require_up(stack: LocalStack) -> None:
    control = Control(stack.folder, hide=stack.credentials.without_secrets, report=lambda _: None)
    state = control.running()
    if state is None or not state.ready:
        raise ServiceUnavailableError(
            "the servers are not all running: a backup needs them",
            hint="start them with `cv-yolo up`; check them with `cv-yolo status`",
        )
    if stack.database(ZENML_DATABASE) is not None:
        require_dumper()


def _require_room(container: "StackContainer", stack: LocalStack | None, folder: Path) -> None:
    needed = MARGIN_BYTES + sum(each.path.stat().st_size for each in backup_sources(container.settings))
    if stack is not None:
        needed += sum(found.size_bytes for _, found in list_objects(container, stack))
        address = stack.database(ZENML_DATABASE)
        if address is not None:
            needed += container.sql_database(address).size_bytes(NAMES)
    require_room(folder, needed)


def _records(
    container: "StackContainer", stack: LocalStack | None, contents: Contents, report: Report
) -> Iterator[Kept]:
    """Databases and audit logs, while promotions wait."""
    report(Progress(what="copy the databases"))
    address = stack.database(ZENML_DATABASE) if stack else None
    found = [each for each in backup_sources(container.settings) if each.is_record]
    with _promotions_wait(container.settings.audit), TemporaryDirectory() as scratch:
        if address is not None:
            dumped = Path(scratch) / "servers.sql"
            dump(address, NAMES, dumped)
            yield contents.keep_file(DUMP, dumped)
            dumped.unlink()
        for each in found:
            yield _record(container, each, Path(scratch) / "copy.db", contents)


def _record(container: "StackContainer", source: BackupSource, scratch: Path, contents: Contents) -> Kept:
    if not source.is_database:
        return contents.keep_file(source.place, source.path)
    container.database_files.copy(source.path, scratch)
    try:
        return contents.keep_file(source.place, scratch)
    finally:
        scratch.unlink()


@contextmanager
def _promotions_wait(audit: Path) -> Iterator[None]:
    """Hold the lock of every audit log: an entry and what it moves are both in the backup, or neither is."""
    with ExitStack() as stack:
        for path in sorted(audit.glob("*.lock")):
            try:
                stack.enter_context(FileLock(path, timeout=PROMOTION_WITHIN_S))
            except Timeout as error:
                raise ServiceUnavailableError(
                    f"{path}: a promotion has been running for {PROMOTION_WITHIN_S:g} s",
                    hint="wait until it has finished",
                ) from error
        yield


def _files(container: "StackContainer", contents: Contents, report: Report) -> Iterator[Kept]:
    found = [each for each in backup_sources(container.settings) if not each.is_record]
    for number, each in enumerate(found, 1):
        with suppress(FileNotFoundError):  # delivered or replaced since it was listed
            yield contents.keep_file(each.place, each.path)
        report(Progress(what="copy the files", done=number, total=len(found)))
