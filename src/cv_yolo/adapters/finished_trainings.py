"""Finished trainings as files: a record for each, and its weights by their hash, beside all others of the project."""

import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from cv_yolo.domain.training import FinishedTraining, TrainedModel
from cv_yolo.files import sha256_of, write_whole

_TRAINING: Final = TypeAdapter(FinishedTraining)


class FinishedTrainingsFolder:
    """Records in `records`, weights files in `weights`."""

    def __init__(self, *, records: Path, weights: Path) -> None:
        self._records, self._weights = records, weights

    def find(self, fingerprint: str) -> FinishedTraining | None:
        """That training; a record that cannot be read, or weights that are not the same, are none."""
        try:
            training = _TRAINING.validate_json(self._record(fingerprint).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        model, here = training.model, self._weights_of(training.model)
        return replace(training, model=replace(model, weights=here)) if _is(here, model.weights_sha256) else None

    def keep(self, fingerprint: str, training: FinishedTraining) -> None:
        """Keep the weights, then the record that promises them."""
        model, here = training.model, self._weights_of(training.model)
        if not _is(here, model.weights_sha256):
            here.parent.mkdir(parents=True, exist_ok=True)
            part = here.with_name(f".{here.name}.{secrets.token_hex(4)}")
            try:
                shutil.copyfile(model.weights, part)
                part.replace(here)
            finally:
                part.unlink(missing_ok=True)
        write_whole(self._record(fingerprint), _TRAINING.dump_json(training, indent=1).decode())

    def _record(self, fingerprint: str) -> Path:
        return self._records / f"{fingerprint}.json"

    def _weights_of(self, model: TrainedModel) -> Path:
        return self._weights / f"{model.weights_sha256}.pt"


def _is(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256
