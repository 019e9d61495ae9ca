"""What is in a PyTorch checkpoint (`.pt`), read as data: no class or function that the file names is used.

Ultralytics pickles whole Python objects, and unpickling runs whatever a file names. Here PyTorch's restricted loader
(`weights_only`) reads the tensors, and each name that a detector's file may contain becomes a `Record`, which keeps
arguments and state and does nothing else. A file that contains any other name is refused before it is unpickled.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar, Final, NoReturn, Self

import numpy as np

from cv_yolo.errors import WeightsError

ZIP: Final = b"PK\x03\x04"  # what `torch.save` has written since PyTorch 1.6
DETECTORS: Final = ("ultralytics.nn.tasks.DetectionModel", "ultralytics.nn.tasks.YOLOv10DetectionModel")
OTHER_TASKS: Final = {
    f"ultralytics.nn.tasks.{name}Model": task
    for name, task in (
        *(("Classification", "classify"), ("Segmentation", "segment"), ("Pose", "pose"), ("OBB", "obb")),
        *(("RTDETRDetection", "rtdetr"), ("World", "world"), ("YOLOE", "yoloe"), ("YOLOESeg", "yoloe")),
        *(("SemanticSegmentation", "semantic"), ("Depth", "depth")),
    )
}
LAYERS: Final = re.compile(r"(torch\.nn\.modules|ultralytics\.nn\.modules)\.\w+\.\w+")
LOSSES: Final = re.compile(r"ultralytics\.utils\.(loss|tal)\.\w+")  # left in the model by a training that was stopped
NAMESPACES: Final = ("ultralytics.utils.IterableSimpleNamespace", "ultralytics.yolo.utils.IterableSimpleNamespace")
PATHS: Final = re.compile(r"pathlib(\._local)?\.(Pure)?(Posix|Windows)?Path")  # arguments of the training
SCALARS: Final = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # scores and best fitness
DTYPE: Final = "numpy.dtype"
BOUND: Final = "builtins.getattr"  # some files keep `forward` as a bound method: recorded as well, and never called
OTHERS: Final = (*DETECTORS, *NAMESPACES, *SCALARS, DTYPE, BOUND)
PLAIN_DTYPE: Final = re.compile(r"[<>|=]?[biuf][1248]")
TRUST: Final = "use --trust only for a file from a source you trust: loading it can run any program as you"


class Record:
    """Represents an object of the file: the name of its class, what it was made from, and its state."""

    name: ClassVar[str] = ""
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> Self:
        """The loader makes some objects without `__init__`."""
        made = super().__new__(cls)
        made.arguments, made.state = arguments, None
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Checkpoint:
    """A detector's checkpoint: architecture, class names by id, tensors by name, and plain values."""

    architecture: dict[str, Any]
    classes: dict[int, str]
    tensors: dict[str, Any]
    values: dict[str, Any]


def read_checkpoint(content: bytes, path: Path) -> Checkpoint:
    """Read a detector's checkpoint; raises `WeightsError` that names `path` and what is wrong."""
    saved = _unpickled(content, path)
    model = saved.get("ema") or saved.get("model") if isinstance(saved, dict) else None
    if not isinstance(model, Record) or model.name not in DETECTORS or not isinstance(model.state, dict):
        raise WeightsError(f"{path}: does not load as YOLO weights: no detector of Ultralytics in it")
    try:
        return Checkpoint(
            architecture=_architecture(model.state),
            classes=_classes(model.state),
            tensors=dict(_tensors(model, prefix="")),
            values={str(key): plain(value) for key, value in saved.items() if key not in {"ema", "model"}},
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path}: does not load as YOLO weights: {_one_line(error)}") from error


def plain(value: Any) -> Any:
    """A value without records: NumPy's scalars become numbers, namespaces dictionaries, paths text, others None."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(plain(item) for item in value)
    return _value_of(value) if isinstance(value, Record) else value


def _value_of(record: Record) -> Any:
    if record.name in SCALARS:
        return _number(record)
    if record.name in NAMESPACES:
        return plain(record.state)
    return "/".join(map(str, record.arguments)) if PATHS.fullmatch(record.name) else None


def _unpickled(content: bytes, path: Path) -> Any:
    import torch

    if not content.startswith(ZIP):
        raise WeightsError(
            f"{path}: does not load as YOLO weights: not a zip archive of `torch.save`",
            hint="weights of PyTorch before 1.6 must be saved again with a current version, by someone who trusts them",
        )
    try:
        named = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
        foreign = sorted(name for name in named if not _is_known(name))
        if foreign:
            _refuse(foreign, path)
        records = [(type("Record", (Record,), {"name": name}), name) for name in named]
        with torch.serialization.safe_globals(records):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except UnpicklingError as error:
        reason = f"{path}: holds more than tensors and the layers of a YOLO detector: {_reason(error)}"
        raise WeightsError(reason, hint=TRUST) from error
    except Exception as error:  # torch raises many kinds for an invalid checkpoint
        raise WeightsError(f"{path}: does not load as YOLO weights: {_one_line(error)}") from error


def _is_known(name: str) -> bool:
    return name in OTHERS or any(pattern.fullmatch(name) for pattern in (LAYERS, LOSSES, PATHS))


def _refuse(foreign: list[str], path: Path) -> NoReturn:
    for name in foreign:
        if name in OTHER_TASKS:
            raise WeightsError(f"{path}: weights for the task {OTHER_TASKS[name]!r}, not for detection")
    others = f" and {len(foreign) - 1} others" if len(foreign) > 1 else ""
    raise WeightsError(
        f"{path}: refused: it names `{foreign[0]}`{others}, which no weights of a YOLO detector need", hint=TRUST
    )


def _architecture(state: dict[str, Any]) -> dict[str, Any]:
    architecture = plain(state["yaml"])
    if not isinstance(architecture, dict):
        raise TypeError("the architecture is not a mapping")
    return architecture


def _classes(state: dict[str, Any]) -> dict[int, str]:
    names = plain(state["names"])
    by_id = names if isinstance(names, dict) else dict(enumerate(names))
    classes = {int(class_id): str(name) for class_id, name in by_id.items()}
    if not classes or sorted(classes) != list(range(len(classes))):
        raise ValueError(f"class ids that do not count from 0: {sorted(classes)}")
    return dict(sorted(classes.items()))


def _tensors(layer: Record, prefix: str) -> Iterator[tuple[str, Any]]:
    """Parameters and buffers as `state_dict` names them."""
    state = layer.state
    passing = state.get("_non_persistent_buffers_set") or ()
    for name, tensor in (*state["_parameters"].items(), *state["_buffers"].items()):
        if tensor is not None and name not in passing:
            yield f"{prefix}{name}", tensor
    for name, inner in state["_modules"].items():
        if isinstance(inner, Record):
            yield from _tensors(inner, f"{prefix}{name}.")


def _number(scalar: Record) -> float | int | bool | None:
    dtype, raw = scalar.arguments
    code = dtype.arguments[0] if isinstance(dtype, Record) and dtype.name == DTYPE else ""
    if not isinstance(code, str) or not PLAIN_DTYPE.fullmatch(code) or not isinstance(raw, bytes):
        return None
    number: float | int | bool = np.frombuffer(raw, dtype=code)[0].item()
    return number


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _reason(error: BaseException) -> str:
    """What PyTorch's loader refused, without its advice to switch the protection off."""
    found = re.search(r"WeightsUnpickler error: (.*?)(?:\. Please | Please |$)", _one_line(error))
    return found.group(1) if found else _one_line(error)
