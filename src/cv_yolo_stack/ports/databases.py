"""The databases of ZenML and MLflow, on a server or in an SQLite file."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class RecordKind(StrEnum):
    """What makes a project not empty; a server's own first rows do not, nor do the deleted runs of our probes."""

    MLFLOW_RUN = "MLflow runs"
    MLFLOW_MODEL_VERSION = "MLflow model versions"
    ZENML_PIPELINE_RUN = "ZenML pipeline runs"
    ZENML_ARTIFACT = "ZenML artifacts"
    ZENML_MODEL_VERSION = "ZenML model versions"


class DatabaseServer(Protocol):
    """A MySQL or MariaDB server, as the user of one address, in its database; raises `ServiceUnavailableError`."""

    def use(self) -> None:
        """Write to the database and read from it, and leave nothing behind."""

    def version(self) -> str:
        """The server's version."""

    def make_databases(self, names: Sequence[str]) -> None:
        """Make those databases that are missing."""

    def startup_script(self, names: Sequence[str]) -> str:
        """The SQL that our own server runs at its start: the databases, and our user with all rights in them."""

    def size_bytes(self, names: Sequence[str]) -> int:
        """How much the databases hold."""

    def count_records(self, names: Sequence[str]) -> Mapping[RecordKind, int]:
        """How many records of which kind are in the databases; one that is missing has none."""


class DatabaseFiles(Protocol):
    """SQLite files, which others may be writing to; raises `ServiceUnavailableError` for one that is damaged."""

    def copy(self, source: Path, target: Path) -> None:
        """Copy a database as of one moment; one that is missing is not made."""

    def count_records(self, database: Path) -> Mapping[RecordKind, int]:
        """How many records of which kind are in a database; one that is missing has none."""

    def rewrite_text(self, database: Path, rewritten: Callable[[str], str]) -> int:
        """Change every text in a database; returns how many values that were."""
