"""Weights from which trainings start are read before the first of them begins."""

import json
from pathlib import Path
from typing import Final

from cv_yolo.errors import WeightsError
from cv_yolo.files import write_whole
from cv_yolo.ports import InspectionRequest, WeightsInspector

SUFFIX: Final = ".pt"


def require_readable(
    weights: Path, weights_sha256: str, inspector: WeightsInspector, folder: Path, *, trusted: bool
) -> None:
    """Raises `WeightsError` for weights that no training could start from; those read before are not read again.

    Weights that are `trusted` are left to the training, since loading them may run code.
    """
    if weights.suffix != SUFFIX:
        raise WeightsError(
            f"{weights}: a training starts from a {SUFFIX} file", hint="an exported model has no way back"
        )
    known = folder / f"{weights_sha256}.json"
    if trusted or known.is_file():
        return
    workdir = folder / f"inspection-{weights_sha256[:8]}"
    info = inspector.inspect(InspectionRequest(weights=weights, weights_sha256=weights_sha256, workdir=workdir))
    write_whole(known, json.dumps({"classes": info.classes}))
