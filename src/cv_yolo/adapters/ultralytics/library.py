"""Ultralytics as a library: imported without network, installations or its own folders."""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

# Read when Ultralytics is imported: no network, no `pip install` of what a file names, no `eval` of an architecture.
SWITCHES: Final = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "ULTRALYTICS_SAFE_LOAD": "true"}


def import_pytorch() -> None:
    """Import what takes longest, and neither reads our variables nor writes; nothing where it is not installed."""
    with suppress(ImportError):  # whoever needs it says so
        import cv2  # noqa: F401
        import torch
        import torchvision  # noqa: F401

        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)  # imports the compiler, as every training does


def prepare() -> None:
    """Import Ultralytics, kept from reaching the network and from writing outside our folders."""
    os.environ.update(SWITCHES)
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"  # sums of one order on a GPU, too
    import torchvision  # noqa: F401 - non-maximum suppression would depend on whether it was imported before
    from ultralytics.nn import tasks
    from ultralytics.utils import SETTINGS, USER_CONFIG_DIR, checks

    tasks.SAFE_LOAD, checks.AUTOINSTALL = True, False  # in case it was imported before without the switches
    _provide_fonts(Path(USER_CONFIG_DIR))
    if SETTINGS["mlflow"] or SETTINGS["sync"]:
        SETTINGS.update({"mlflow": False, "sync": False})


def set_threads(threads: int) -> None:
    """How many cores PyTorch uses from now on."""
    import torch

    torch.set_num_threads(threads)


def _provide_fonts(folder: Path) -> None:
    """Put a font where Ultralytics looks, since it would download one otherwise."""
    from matplotlib import get_data_path

    font = Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).exists():
            shutil.copy(font, folder / name)
