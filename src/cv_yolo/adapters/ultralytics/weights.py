"""A detector made from a weights file: built from its description, not taken out of the file."""

import io
import re
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

from cv_yolo.adapters.ultralytics.checkpoint import Checkpoint, plain, read_checkpoint
from cv_yolo.adapters.ultralytics.library import prepare
from cv_yolo.errors import WeightsError
from cv_yolo.files import read_weights
from cv_yolo.ports.models import InspectionRequest, WeightsInfo

TASK: Final = "detect"
LAYER: Final = re.compile(r"(nn\.)?[A-Za-z]\w*")
FETCHING: Final = frozenset({"TorchVision"})  # layers that download weights when they are made


def load_detector(path: Path, sha256: str, *, trusted: bool) -> Any:
    """The detector in a `.pt` file, which must have that hash; raises `WeightsError` where it has none.

    Only where the file is `trusted` is it unpickled, and only where it cannot be read as data.
    """
    if path.suffix != ".pt":
        raise WeightsError(f"{path}: not a .pt file", hint="PyTorch weights are .pt files")
    content = read_weights(path, sha256)
    prepare()
    keep_loaders_out()
    try:
        return build(read_checkpoint(content, path), path)
    except WeightsError:
        if not trusted:
            raise
    return _unpickled(content, path)


def build(checkpoint: Checkpoint, path: Path) -> Any:
    """A detector of that architecture with exactly these tensors; raises `WeightsError` where they do not fit."""
    import torch
    from ultralytics.nn.tasks import DetectionModel
    from ultralytics.utils import DEFAULT_CFG_DICT

    architecture = deepcopy(checkpoint.architecture)
    try:
        _require_known_layers(architecture)
        with torch.random.fork_rng(devices=[]):  # its first values are replaced: the draws that follow stay the same
            model = DetectionModel(architecture, ch=int(architecture.get("channels", 3)), verbose=False)
        model.load_state_dict(checkpoint.tensors, strict=True)
    except Exception as error:  # Ultralytics and torch raise many kinds for an invalid architecture
        raise WeightsError(
            f"{path}: does not load as YOLO weights: {' '.join(str(error).split())[:500]}",
            hint="the installed version of Ultralytics may be older or newer than the file",
        ) from error
    model.names, model.task, model.args = dict(checkpoint.classes), TASK, dict(DEFAULT_CFG_DICT)
    return model.eval()


def keep_loaders_out() -> None:
    """Ultralytics loads weights by itself, at the end of a training for one: it is given our way to do it."""
    from ultralytics.nn import tasks
    from ultralytics.utils import patches, torch_utils

    for module in (tasks, patches, torch_utils):
        module.torch_load = _load_as_data
    tasks.torch_safe_load = _load_as_data_with_path


def _load_as_data(file: Any, *_arguments: Any, **_options: Any) -> dict[str, Any]:
    path = Path(file)
    checkpoint = read_checkpoint(path.read_bytes(), path)
    return {"model": build(checkpoint, path), **checkpoint.values}


def _load_as_data_with_path(file: Any, *_arguments: Any, **_options: Any) -> tuple[dict[str, Any], str]:
    return _load_as_data(file), str(file)


def _require_known_layers(architecture: dict[str, Any]) -> None:
    """Layers by their plain names: no function of a library, nothing that downloads."""
    for layer in (*architecture["backbone"], *architecture["head"]):
        name = layer[2]
        if not isinstance(name, str) or not LAYER.fullmatch(name) or name in FETCHING:
            raise ValueError(f"{name!r} is not a layer of a detector")


def _unpickled(content: bytes, path: Path) -> Any:
    """Whatever is in the file is run."""
    import torch

    try:
        saved = torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
        model = saved.get("ema") or saved["model"]
        task = getattr(model, "task", TASK)
    except Exception as error:  # torch raises many kinds for an invalid checkpoint
        raise WeightsError(f"{path}: does not load as YOLO weights: {' '.join(str(error).split())}") from error
    if not isinstance(model, torch.nn.Module):
        raise WeightsError(f"{path}: does not load as YOLO weights: no detector of Ultralytics in it")
    if task != TASK:
        raise WeightsError(f"{path}: weights for the task {task!r}, not for detection")
    return model.float().eval()


def classes_of(model: Any) -> tuple[str, ...]:
    """The names of a detector's classes, by id."""
    names = plain(model.names)
    by_id = names if isinstance(names, dict) else dict(enumerate(names))
    return tuple(str(by_id[class_id]) for class_id in sorted(by_id))


class UltralyticsInspector:
    """Reads the class names of PyTorch weights (`.pt`), without running them unless they are trusted."""

    def inspect(self, request: InspectionRequest) -> WeightsInfo:
        """The class names by id; raises `WeightsError`."""
        path, sha256 = request.weights, request.weights_sha256
        if path.suffix != ".pt":
            raise WeightsError(f"{path}: not a .pt file", hint="weights are .pt or .onnx files")
        if request.trusted:
            return WeightsInfo(classes=classes_of(load_detector(path, sha256, trusted=True)))
        return WeightsInfo(classes=tuple(read_checkpoint(read_weights(path, sha256), path).classes.values()))
