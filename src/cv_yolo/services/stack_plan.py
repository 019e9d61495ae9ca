"""What a local stack is before it runs: chosen, with its keys; made at the first start, kept ever after."""

import os
import sys
from dataclasses import replace

from cv_yolo.errors import ConfigError, InputError
from cv_yolo.services.credentials import Credentials, keep_credentials, new_credentials, read_credentials
from cv_yolo.services.local_stack import LocalStack
from cv_yolo.services.programs import find_mariadb
from cv_yolo.services.stack_choice import DatabaseKind, StoreKind, Wish, choose, keep_choice, read_choice
from cv_yolo.services.stack_folder import folder_of
from cv_yolo.settings import Settings

STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
DATABASE_KEYS = ("CV_YOLO_DATABASE_USER", "CV_YOLO_DATABASE_PASSWORD")


def planned(settings: Settings, wish: Wish) -> LocalStack:
    """The stack that is wished for; nothing is written yet. Raises `InputError` where it cannot be had."""
    if sys.platform == "win32":
        raise InputError("`cv-yolo up` needs Linux or macOS", hint="use WSL, or the servers of compose.yaml")
    folder = folder_of(settings)
    for path in (folder.choice, folder.credentials):
        if folder.has_data and not path.exists():
            raise ConfigError(f"{path} is gone, but the servers' data are there", hint="put it back from a backup")
    kept = read_credentials(folder.credentials)
    choice = choose(wish, read_choice(folder.choice), mariadb=find_mariadb() is not None)
    credentials = kept or new_credentials()
    first = kept is None
    if choice.store is StoreKind.EXTERNAL and (first or wish.store):
        key, secret = _given(STORE_KEYS, "the store")
        credentials = replace(credentials, store_access_key=key, store_secret_key=secret)
    if choice.database is DatabaseKind.EXTERNAL and (first or wish.database):
        user, password = _given(DATABASE_KEYS, "the database")
        credentials = replace(credentials, database_user=user, database_password=password)
    return LocalStack(folder=folder, choice=choice, credentials=credentials)


def keep(stack: LocalStack) -> bool:
    """Write down what is new in the stack; whether it is its first start."""
    folder = stack.folder
    folder.make()
    kept: Credentials | None = read_credentials(folder.credentials)
    if kept != stack.credentials:
        keep_credentials(folder.credentials, stack.credentials)
    keep_choice(folder.choice, stack.choice)
    return kept is None


def _given(names: tuple[str, str], what: str) -> tuple[str, str]:
    """Login and secret for a service of somebody else's, from the environment: arguments could be read by everybody."""
    values = tuple(os.environ.get(name, "") for name in names)
    if not all(values):
        raise InputError(f"no credentials for {what}", hint=f"set {' and '.join(names)} for this one command")
    return values[0], values[1]
