"""Registered versions of a model, and the stage that says which one is in use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """Where a version stands; at most one version is in staging and one in production, any number are archived."""

    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"


MODEL_NAME: Final = r"[^/:'\"\x00-\x1f]{0,249}[^/:'\"\x00-\x20]"  # what both registries take as a model's name
HELD_BY_ONE: Final = (Stage.PRODUCTION, Stage.STAGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version: the run that made it, its weights, where it stands, and the threshold it is used at.

    `classes` are the names of its classes by id; None where the registry does not hold them.
    """

    model: str
    version: str
    run_id: str
    weights_sha256: str
    stage: Stage | None = None
    confidence_threshold: float | None = None
    classes: tuple[str, ...] | None = None
