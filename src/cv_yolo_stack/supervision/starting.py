"""What `cv-yolo up` does: choose, write down, start, and wait; or find what is already running."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from cv_yolo.errors import ConfigError, InputError, ServiceUnavailableError
from cv_yolo_stack.configuration.choice import LOOPBACK, DatabaseKind, StoreKind, Wish, choose, keep_choice
from cv_yolo_stack.configuration.credentials import keep_credentials, new_credentials
from cv_yolo_stack.configuration.folder import StackFolder, folder_of
from cv_yolo_stack.configuration.local_stack import LocalStack, StackFiles, read_files
from cv_yolo_stack.configuration.programs import find_mariadb
from cv_yolo_stack.servers.database import database
from cv_yolo_stack.servers.mlflow import mlflow_server
from cv_yolo_stack.servers.object_store import object_store
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.servers.zenml import zenml_server
from cv_yolo_stack.supervision.control import Control, Report
from cv_yolo_stack.supervision.listening import require_free
from cv_yolo_stack.supervision.state import StackState

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

OTHER_UP_WITHIN_S: Final = 300.0
READY_WITHIN_S: Final = 300.0
Echo = Callable[[str], None]


def bring_up(container: "StackContainer", wish: Wish, *, report: Report, echo: Echo) -> tuple[LocalStack, StackState]:
    """Make all servers usable. Raises `InputError` for options that cannot be met, else `ServiceUnavailableError`."""
    folder = folder_of(container.settings)
    folder.make()
    with _alone(folder, echo):
        files = read_files(folder)
        stack = planned(files, wish)
        control = Control(folder, hide=stack.credentials.without_secrets, report=report)
        state = control.running()
        if state is not None:
            return stack, _find(control, state, stack, files, echo)
        services = servers_of(stack, container)
        control.clear()
        require_free(services, stack.choice.host)
        if keep(stack, files):
            keys = stack.credentials
            echo(f"First start. ZenML's administrator, shown only now: {keys.zenml_user} / {keys.zenml_password}")
            echo(f"All passwords and keys are in {folder.credentials}")
        if stack.choice.host not in {"localhost", LOOPBACK}:
            echo(
                f"The servers listen on {stack.choice.host}, unencrypted: put them behind TLS, or in a private network."
            )
        home = {"CV_YOLO_ROOT": str(container.settings.root), "CV_YOLO_HOME": str(container.home)}
        return stack, control.start(home, within_s=READY_WITHIN_S)


def _find(control: Control, state: StackState, stack: LocalStack, files: StackFiles, echo: Echo) -> StackState:
    """Leave running services as they are; only failed ones are tried again."""
    if stack.choice != files.choice:
        raise InputError(
            "the servers are running on another host or other ports", hint="stop them first with `cv-yolo down`"
        )
    if state.ready:
        echo("The servers are already running.")
        return state
    for service in state.failed:
        echo(f"{service.title} had failed; starting it again.")
        control.request_restart(service.name)
    return control.wait_until_ready(within_s=READY_WITHIN_S)


@contextmanager
def _alone(folder: StackFolder, echo: Echo) -> Iterator[None]:
    """One `cv-yolo up` at a time in a folder."""
    lock = FileLock(folder.lock)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        echo("Another `cv-yolo up` is running here; waiting for it …")
        try:
            lock.acquire(timeout=OTHER_UP_WITHIN_S)
        except Timeout as error:
            raise ServiceUnavailableError(
                f"another `cv-yolo up` has been running for {OTHER_UP_WITHIN_S:g} s", hint="`cv-yolo status` shows more"
            ) from error
    try:
        yield
    finally:
        lock.release()


def servers_of(stack: LocalStack, container: "StackContainer") -> tuple[Service, ...]:
    """Store and database first; ZenML needs the database, MLflow both."""
    store, records = object_store(stack, container), database(stack, container)
    kept_by = (records.name,) if records else ()
    zenml = zenml_server(stack, container, needs=kept_by)
    mlflow = mlflow_server(stack, container, needs=(store.name, *kept_by))
    return (store, *((records,) if records else ()), zenml, mlflow)


STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
DATABASE_KEYS = ("CV_YOLO_DATABASE_USER", "CV_YOLO_DATABASE_PASSWORD")


def planned(files: StackFiles, wish: Wish) -> LocalStack:
    """The requested stack; nothing is written yet. Raises `InputError` if it is not possible."""
    if sys.platform == "win32":
        raise InputError("`cv-yolo up` needs Linux or macOS", hint="use WSL, or the servers of compose.yaml")
    folder = files.folder
    for path, kept in ((folder.choice, files.choice), (folder.credentials, files.credentials)):
        if folder.has_data and kept is None:
            raise ConfigError(f"{path} is missing, but the servers' data exist", hint="restore it from a backup")
    choice = choose(wish, files.choice, mariadb=find_mariadb() is not None)
    credentials = files.credentials or new_credentials()
    first = files.credentials is None
    if choice.store is StoreKind.EXTERNAL and (first or wish.store):
        key, secret = _given(STORE_KEYS, "the store")
        credentials = replace(credentials, store_access_key=key, store_secret_key=secret)
    if choice.database is DatabaseKind.EXTERNAL and (first or wish.database):
        user, password = _given(DATABASE_KEYS, "the database")
        credentials = replace(credentials, database_user=user, database_password=password)
    return LocalStack(folder=folder, choice=choice, credentials=credentials)


def keep(stack: LocalStack, files: StackFiles) -> bool:
    """Write what has changed; whether it is the stack's first start."""
    folder = stack.folder
    folder.make()
    if files.credentials != stack.credentials:
        keep_credentials(folder.credentials, stack.credentials)
    keep_choice(folder.choice, stack.choice)
    return files.credentials is None


def _given(names: tuple[str, str], what: str) -> tuple[str, str]:
    """Login and secret of an external service, from the environment: other users can read arguments."""
    values = tuple(os.environ.get(name, "") for name in names)
    if not all(values):
        raise InputError(f"no credentials for {what}", hint=f"set {' and '.join(names)} for this command")
    return values[0], values[1]
