"""The schema version of a home: which form its files have, and how a home of an earlier version is brought to it.

A change that an earlier version of the project could not read, or would read wrongly, counts the version up and adds
a migration. A migration is repeatable: it may be interrupted, and two commands may run it at once.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError
from cv_yolo.files import write_whole

HOME_SCHEMA: Final = 2
FILE: Final = "schema.json"
UPGRADE: Final = "install that version of zenml-cv-yolo or a newer one, or name another home: CV_YOLO_HOME=…"


def migrate(home: Path) -> None:
    """Bring a home to today's schema; raises `ConfigError` for one that a newer version of the project has written.

    Where there is no home, it could not be made, and who needs it says so.
    """
    if not home.is_dir():
        return
    found = schema_of(home)
    if found > HOME_SCHEMA:
        raise ConfigError(
            f"{home}: written by a newer version (schema {found}; this version reads up to {HOME_SCHEMA})", hint=UPGRADE
        )
    if found < HOME_SCHEMA:
        for version in range(found, HOME_SCHEMA):
            MIGRATIONS[version](home)
        write_whole(home / FILE, json.dumps({"schema": HOME_SCHEMA}) + "\n")


def schema_of(home: Path) -> int:
    """The home's schema; version 1 did not write it down."""
    path = home / FILE
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["schema"])
    except FileNotFoundError:
        return 1
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a schema version: {error}", hint="restore the home from a backup") from error


def _name_models(home: Path) -> None:
    """1 → 2: a finished training is a model with artifacts; it used to be the model alone."""
    for path in sorted((home / "trained").glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue  # such a record was none before, either
        if "model" not in record:
            write_whole(path, json.dumps({"model": record, "artifacts": []}, indent=1))


MIGRATIONS: Final[Mapping[int, Callable[[Path], None]]] = {1: _name_models}
