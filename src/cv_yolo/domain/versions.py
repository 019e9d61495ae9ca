"""Registered versions of a model, and the aliases that say which one is in use."""

from dataclasses import dataclass
from enum import StrEnum


class Alias(StrEnum):
    """Where a version stands; at most one version holds each."""

    STAGING = "staging"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One registered version: the run that made it, and the hash of its weights."""

    model: str
    version: str
    run_id: str
    weights_sha256: str
    aliases: tuple[Alias, ...] = ()
