"""Weights files that run a program when they are unpickled: each leaves a marker file, for tests that none is left."""

import io
import os
import pickle
import pickletools
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Call:
    """Pickled as a call of a function that is run while the file is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


class State:
    """Pickled as an object whose state is a call."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner


def saved(content: Any, path: Path) -> Path:
    """As `torch.save` writes it today: a zip archive."""
    import torch

    torch.save(content, path)
    return path


def system(marker: Path) -> Call:
    return Call(os.system, f"touch '{marker}'")


def eval_(marker: Path) -> Call:
    return Call(eval, f"open({str(marker)!r}, 'w')")


def exec_(marker: Path) -> Call:
    return Call(exec, f"open({str(marker)!r}, 'w')")


def open_(marker: Path) -> Call:
    return Call(io.open, str(marker), "w")


def touched(marker: Path) -> Call:
    return Call(Path.touch, marker)


PAYLOADS: dict[str, Callable[[Path], Any]] = {
    "os.system": system,
    "eval": eval_,
    "exec": exec_,
    "io.open": open_,
    "pathlib": touched,
}


def plain(payload: Any, path: Path) -> Path:
    return saved({"model": payload, "ema": None}, path)


def beside_a_model(payload: Any, path: Path) -> Path:
    from ultralytics import YOLO

    return saved({"model": YOLO("yolo11n.yaml").model, "ema": None, "train_args": {"x": payload}}, path)


def within_a_model(payload: Any, path: Path) -> Path:
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml").model
    model.model[0].conv.secret = [State(payload)]
    return saved({"model": model, "ema": None}, path)


def instead_of_a_layer(payload: Any, path: Path) -> Path:
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml").model
    model.model[0].__dict__["_modules"]["act"] = payload
    return saved({"ema": model}, path)


def in_another_pickle(payload: Any, path: Path) -> Path:
    """A sound checkpoint with further pickles beside its own."""
    return _with_members(payload, path, "extra.pkl", "code/x.pkl", "constants/data.pkl")


def in_another_folder(payload: Any, path: Path) -> Path:
    """A sound checkpoint in whose archive there is another one."""
    return _with_members(payload, path, "../other/data.pkl")


def _with_members(payload: Any, path: Path, *names: str) -> Path:
    from ultralytics import YOLO

    saved({"model": YOLO("yolo11n.yaml").model}, path)
    with zipfile.ZipFile(path, "a") as archive:
        for name in names:
            archive.writestr(f"{path.stem}/{name}", pickle.dumps(payload))
    return path


def in_a_second_data_pkl(payload: Any, path: Path) -> Path:
    """Two members of the same name: readers of archives do not agree which of them counts."""
    from ultralytics import YOLO

    saved({"model": YOLO("yolo11n.yaml").model}, path)
    with zipfile.ZipFile(path, "a") as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/data.pkl"))
        archive.writestr(name, pickle.dumps({"model": payload}, protocol=2))
    return path


def as_a_bare_pickle(payload: Any, path: Path) -> Path:
    path.write_bytes(pickle.dumps({"model": payload}))
    return path


def as_pytorch_wrote_before_1_6(payload: Any, path: Path) -> Path:
    import torch

    torch.save({"model": payload}, path, _use_new_zipfile_serialization=False)
    return path


def as_a_tar(payload: Any, path: Path) -> Path:
    """As PyTorch wrote before 0.2."""
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(payload)
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def with_a_newer_protocol(payload: Any, path: Path) -> Path:
    """Protocol 4 names what it calls by values on the stack, which a scan for names does not see."""
    import torch

    torch.save({"model": payload}, path, pickle_protocol=4)
    return path


def with_an_old_opcode(payload: Any, path: Path) -> Path:
    """The opcode INST, which protocol 0 used to build objects, calls a function too."""
    saved({"model": 1}, path)
    function, arguments = payload.__reduce__()
    module = function.__module__ or "builtins"
    code = b"\x80\x02(" + b"".join(
        b"X" + len(a).to_bytes(4, "little") + a for a in (str(x).encode() for x in arguments)
    )
    code += b"i" + module.encode() + b"\n" + function.__name__.encode() + b"\n."
    pickletools.dis(code, out=io.StringIO())
    return _with_data(path, code)


def _with_data(path: Path, code: bytes) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, code if name.endswith("/data.pkl") else content)
    return path


WAYS: tuple[Callable[[Any, Path], Path], ...] = (
    plain,
    beside_a_model,
    within_a_model,
    instead_of_a_layer,
    as_a_bare_pickle,
    as_pytorch_wrote_before_1_6,
    as_a_tar,
    with_a_newer_protocol,
    with_an_old_opcode,
)
HIDDEN = (in_another_pickle, in_another_folder, in_a_second_data_pkl)
