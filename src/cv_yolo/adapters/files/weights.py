"""Weights files: those from which trainings start, and those of finished trainings, each next to its record."""

import http.client
import re
import secrets
import shutil
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from cv_yolo.domain.training.specs import FinishedTraining, TrainedModel
from cv_yolo.errors import ServiceUnavailableError, WeightsError
from cv_yolo.files import sha256_of, write_whole

RELEASE: Final = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
PUBLISHED: Final = re.compile(r"yolo[\w-]+\.pt")
TIMEOUT_S: Final = 10.0
SMALLEST_BYTES: Final = 100_000  # as Ultralytics: anything smaller is an error page


class PretrainedWeights:
    """Finds weights under `root`, or in `cache`, to which published ones are downloaded from `release`."""

    def __init__(self, *, root: Path, cache: Path, release: str = RELEASE) -> None:
        self._root, self._cache, self._release = root, cache, release

    def find(self, model: str) -> Path:
        """The file for `model`: a path, or the name of a published file (`yolo11n.pt`).

        Raises `WeightsError` where it is neither, `ServiceUnavailableError` where it cannot be downloaded.
        """
        for candidate in (self._root / model, self._cache / model):
            if candidate.is_file():
                return candidate
        if not PUBLISHED.fullmatch(model):
            raise WeightsError(
                f"model: {model}: no such file in {self._root}",
                hint="give a .pt file, or a name that Ultralytics publishes, for example yolo11n.pt",
            )
        return self._download(model)

    def _download(self, name: str) -> Path:
        url, target = f"{self._release}/{name}", self._cache / name
        part = target.with_suffix(".part")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _fetch(url, part)
            part.replace(target)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == http.HTTPStatus.NOT_FOUND:
                raise WeightsError(f"model: {name}: Ultralytics publishes no such file ({error})") from error
            raise ServiceUnavailableError(
                f"model: {name} is not here and cannot be downloaded: {error}",
                hint=f"offline? Set `model: weights/bootstrap-yolo11n.pt`, or put {name} into {self._cache}",
            ) from error
        finally:
            part.unlink(missing_ok=True)
        return target


def _fetch(url: str, part: Path) -> None:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer, part.open("wb") as file:
        shutil.copyfileobj(answer, file)
        announced = answer.headers.get("Content-Length")
    came = part.stat().st_size
    if came < SMALLEST_BYTES or (announced is not None and came != int(announced)):
        raise OSError(f"incomplete download: {came} bytes")


_TRAINING: Final = TypeAdapter(FinishedTraining)


class FinishedTrainingsFolder:
    """Records in `records`, weights files in `weights`."""

    def __init__(self, *, records: Path, weights: Path) -> None:
        self._records, self._weights = records, weights

    def find(self, fingerprint: str) -> FinishedTraining | None:
        """That training, or None; an unreadable record or changed weights count as none."""
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
