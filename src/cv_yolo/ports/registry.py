"""The registry of a model's versions, and the log of what was decided about them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cv_yolo.domain.promotion.audit import AuditFinding, Entry
from cv_yolo.domain.promotion.versions import ModelVersion, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVersion:
    """A version to be registered: the run that made it, its weights, and the threshold it is to be used at.

    `classes` are the names of its classes by id.
    """

    run_id: str
    weights: Path
    weights_sha256: str
    confidence_threshold: float | None = None
    classes: tuple[str, ...] | None = None


class VersionReader(Protocol):
    """Lists the versions of one model."""

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that were registered here, oldest first, each with its stage."""


class ModelRegistry(VersionReader, Protocol):
    """Holds the versions of one model, each in one stage or in none."""

    def register(self, new: NewVersion, *, version: str | None = None) -> ModelVersion:
        """The version of this run, created if necessary, with the name `version` if the registry takes names."""

    def set_stage(self, version: str, stage: Stage | None) -> None:
        """Move a version to a stage, or out of any; the version that held staging or production before is archived."""


class AuditLog(Protocol):
    """Keeps the entries of one model.

    Raises `AuditLogError` if they cannot be read or written, `ServiceUnavailableError` if the service does not answer.
    """

    def entries(self) -> tuple[Entry, ...]: ...
    def damage(self) -> tuple[AuditFinding, ...]:
        """What is stored but is not an entry, because of which `entries` raises; and copies that were changed."""

    def append(self, entry: Entry) -> None:
        """Write an entry at the end; it outlives whatever happens once this has returned.

        Raises `LogGrewError` where an entry of its number is there already: of two writers, one wins.
        """

    def locked(self) -> AbstractContextManager[None]:
        """Lock out every other process of this machine; raises `ServiceUnavailableError` after a long wait."""


class AnchorReader(Protocol):
    """A text kept with the registered model, away from the log whose end it names."""

    def anchor(self) -> str | None: ...


class Anchor(AnchorReader, Protocol):
    """The same, which can be replaced."""

    def set_anchor(self, text: str) -> None: ...
