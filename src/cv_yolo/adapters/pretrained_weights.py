"""The weights file from which a training starts: a file of the person's, or one that Ultralytics publishes."""

import http.client
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Final

from cv_yolo.errors import ServiceUnavailableError, WeightsError

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
                hint="name a .pt file, or one that Ultralytics publishes, for example yolo11n.pt",
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
        raise OSError(f"only {came} bytes came")
