"""Whether a project is empty, so that a backup can be restored into it; what is there is never overwritten."""

import shutil
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from cv_yolo.errors import InputError
from cv_yolo.files import sha256_of
from cv_yolo.settings import Settings
from cv_yolo_stack.backup.running import out_of_the_way, running
from cv_yolo_stack.backup.snapshot_source import ZENML_RECORDS
from cv_yolo_stack.backup.sources import SQLITE_COMPANIONS, target_of
from cv_yolo_stack.configuration.choice import DatabaseKind
from cv_yolo_stack.configuration.local_stack import DATABASES, LocalStack, read_stack
from cv_yolo_stack.domain.backup_manifest import PROJECT, BackupManifest
from cv_yolo_stack.ports.databases import RecordKind
from cv_yolo_stack.servers.database import NAME as DATABASE
from cv_yolo_stack.servers.database import database
from cv_yolo_stack.servers.object_store import NAME as STORE
from cv_yolo_stack.supervision.control import Control

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

STORE_OWN: Final = ".minio.sys"


def require_empty(container: "StackContainer", settings: Settings, manifest: BackupManifest) -> None:
    """Raise `InputError` where the project holds anything that the backup would replace, and say what."""
    stack = read_stack(settings)
    if stack is not None and _control(stack).running() is not None:
        raise InputError("the servers of this project are up", hint="`cv-yolo down`, then the same command again")
    found = [*_embedded(container, settings), *_decisions(settings, manifest)]
    found += _of_stack(container, stack) if stack is not None else _without_stack(settings)
    if found:
        raise InputError(
            f"{settings.home} is not empty: {', '.join(found)}",
            hint="a backup is restored into an empty project: another folder, or another home with CV_YOLO_HOME=…",
        )


def make_way(settings: Settings) -> None:
    """Remove the records of a project that was found to be empty, so that others can take their place."""
    for record in (settings.mlflow_database, settings.home / ZENML_RECORDS):
        for path in (record, *(record.with_name(record.name + suffix) for suffix in SQLITE_COMPANIONS)):
            path.unlink(missing_ok=True)
    if settings.services.exists():
        shutil.rmtree(settings.services)
        settings.connection_file.unlink(missing_ok=True)


def _control(stack: LocalStack) -> Control:
    return Control(stack.folder, hide=stack.credentials.without_secrets, report=lambda _: None)


def _embedded(container: "StackContainer", settings: Settings) -> Iterator[str]:
    for path in (settings.mlflow_database, settings.home / ZENML_RECORDS):
        yield from _counted(container.database_files.count_records(path))
    for path in sorted(settings.audit.glob("*.jsonl")):
        if path.stat().st_size:
            yield f"the audit log {path.name}"
    waiting = list(settings.outbox.glob("**/*.jsonl"))
    if waiting:
        yield f"undelivered events of {len(waiting)} runs in the outbox"


def _decisions(settings: Settings, manifest: BackupManifest) -> Iterator[str]:
    for each in manifest.area(PROJECT):
        target = target_of(each.place, root=settings.root, home=settings.home)
        if target.is_file() and sha256_of(target) != each.sha256:
            yield f"another {each.path}"


def _without_stack(settings: Settings) -> Iterator[str]:
    """What exists although `up` never ran here, or its choice or its keys are lost."""
    data = settings.services / "data"
    if data.is_dir() and any(data.iterdir()):
        yield f"the servers' data in {data}, without their keys"
    if settings.connection_file.exists():
        yield "the connection to a server (`cv-yolo connect --embedded` removes it)"


def _of_stack(container: "StackContainer", stack: LocalStack) -> Iterator[str]:
    data = stack.folder.data(STORE)
    objects = sum(
        path.is_file() and STORE_OWN not in path.relative_to(data).parts[:1]
        for path in (data.rglob("*") if data.is_dir() else ())
    )
    if objects:
        yield f"{objects} objects in the store"
    if stack.choice.database is DatabaseKind.SQLITE:
        for path in (stack.folder.data("mlflow") / "mlflow.db", stack.folder.data("zenml") / "zenml.db"):
            yield from _counted(container.database_files.count_records(path))
    elif stack.choice.database is DatabaseKind.EXTERNAL or stack.folder.data(DATABASE).is_dir():
        yield from _counted(_count_in_server(container, stack))


def _count_in_server(container: "StackContainer", stack: LocalStack) -> Mapping[RecordKind, int]:
    """Start the database alone to look into it."""
    apart = out_of_the_way(stack)
    service = database(apart, container)
    assert service is not None, "asked of a stack with a database server only"
    with running([service], apart.folder):
        return count_in_server(container, apart)


def count_in_server(container: "StackContainer", stack: LocalStack) -> Mapping[RecordKind, int]:
    """How many records there are in the databases of a server that is up."""
    address = stack.database("")
    assert address is not None, "asked of a stack with a database server only"
    return container.sql_database(address).count_records(DATABASES)


def _counted(numbers: Mapping[RecordKind, int]) -> Iterator[str]:
    for what, number in numbers.items():
        if number:
            yield f"{number} {what}"
