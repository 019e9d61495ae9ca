"""Registered versions of a model, and the stage that says which one is in use."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Stage(StrEnum):
    """Where a version stands; at most one version is in staging and one in production, any number are archived."""

    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"


HELD_BY_ONE: Final = (Stage.PRODUCTION, Stage.STAGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version: the run that made it, its weights, where it stands, and the threshold it is used at."""

    model: str
    version: str
    run_id: str
    weights_sha256: str
    stage: Stage | None = None
    confidence_threshold: float | None = None
