"""A stack restored from its backup: its choice and keys, its databases, its objects."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.stack import BUCKETS
from cv_yolo.errors import InputError
from cv_yolo_stack.backup.content_store import Contents, Progress, Report
from cv_yolo_stack.backup.mariadb import load, require_loader
from cv_yolo_stack.backup.objects import list_objects, put_objects
from cv_yolo_stack.backup.preconditions import count_in_server
from cv_yolo_stack.backup.running import out_of_the_way, running
from cv_yolo_stack.configuration.choice import LOOPBACK, DatabaseKind, StackChoice, StoreKind, read_choice
from cv_yolo_stack.configuration.credentials import read_credentials
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.local_stack import ZENML_DATABASE, LocalStack
from cv_yolo_stack.configuration.programs import find_mariadb
from cv_yolo_stack.domain.backup_manifest import CREDENTIALS, DATABASES, HOME, OBJECTS, BackupManifest
from cv_yolo_stack.servers.database import database
from cv_yolo_stack.servers.object_store import object_store
from cv_yolo_stack.servers.service import Service

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

DUMP: Final = f"{DATABASES}/servers.sql"
CHOICE: Final = f"{HOME}/services/stack.json"


def kept_stack(
    manifest: BackupManifest, contents: Contents, folder: StackFolder, ports: Mapping[str, int], *, own: bool = False
) -> LocalStack | None:
    """The stack of a backup, in another folder and on other ports; None where the backup is of no servers.

    With `own`, local servers replace external ones, and listen on this machine only.
    """
    kept, keys = manifest.find(CHOICE), manifest.find(CREDENTIALS)
    if kept is None or keys is None:
        return None
    choice, credentials = read_choice(contents.path(kept.sha256)), read_credentials(contents.path(keys.sha256))
    assert choice is not None, "its content was verified"
    assert credentials is not None, "its content was verified"
    minio = choice.minio if choice.minio and Path(choice.minio).exists() else None  # the other machine's path
    choice = replace(choice, ports=replace(choice.ports, **ports), minio=minio)
    choice = _own(choice) if own else choice
    return LocalStack(folder=folder, choice=choice, credentials=credentials)


def require_able(container: "StackContainer", stack: LocalStack, manifest: BackupManifest) -> None:
    """Raise `InputError` where this machine cannot run the stack, or an external server is not empty."""
    _runners(container, stack)  # names what is not installed
    choice = stack.choice
    if choice.database is not DatabaseKind.SQLITE:
        require_loader()
        _require_version(container, stack, manifest.software.get("database", ""))
    taken = []
    if choice.database is DatabaseKind.EXTERNAL and any(count_in_server(container, stack).values()):
        taken.append(f"the database server at {choice.database_url} holds records")
    if choice.store is StoreKind.EXTERNAL and list_objects(container, stack):
        taken.append(f"the buckets {', '.join(BUCKETS)} at {choice.store_url or 'Amazon S3'} hold objects")
    if taken:
        raise InputError(
            " and ".join(taken), hint="a backup is restored onto empty servers: empty these, or use others"
        )


def fill_servers(
    container: "StackContainer", stack: LocalStack, manifest: BackupManifest, contents: Contents, report: Report
) -> None:
    """Start object store and database alone, on unused ports, and load their contents from the backup."""
    scratch = out_of_the_way(stack)
    with running(_runners(container, scratch), scratch.folder):
        kept, address = manifest.find(DUMP), scratch.database(ZENML_DATABASE)
        if kept is not None and address is not None:
            report(Progress(what="load the databases"))
            load(replace(address, database=""), contents.path(kept.sha256))
        put_objects(container, scratch, list(manifest.area(OBJECTS)), contents, report)


def _own(choice: StackChoice) -> StackChoice:
    choice = replace(choice, host=LOOPBACK)
    if choice.store is StoreKind.EXTERNAL:
        choice = replace(choice, store=StoreKind.RCLONE, store_url=None)
    if choice.database is DatabaseKind.EXTERNAL:
        choice = replace(choice, database=DatabaseKind.MARIADB, database_url=None)
    return choice


def _runners(container: "StackContainer", stack: LocalStack) -> list[Service]:
    records = database(stack, container)
    return [object_store(stack, container), *([records] if records else [])]


def _require_version(container: "StackContainer", stack: LocalStack, needed: str) -> None:
    address = stack.database(ZENML_DATABASE)
    if stack.choice.database is DatabaseKind.EXTERNAL and address is not None:
        here = container.sql_database(replace(address, database="")).version()
    else:
        version = subprocess.run([str(find_mariadb()), "--version"], capture_output=True, text=True, check=True).stdout
        here = version.partition("Ver ")[2]
    if _number(here) < _number(needed) or ("MariaDB" in here) is not ("MariaDB" in needed):
        raise InputError(
            f"the backup's databases need {needed}; this machine has {here.split()[0] if here else 'another server'}",
            hint="install that version of the database server, or a later one",
        )


def _number(version: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else (0, 0)
