"""Weights are data: what a file names is not run, and what is built from it is the detector that was saved."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path, PosixPath, PurePosixPath
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
from cv_yolo.adapters.ultralytics.trainer import UltralyticsTrainer
from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector, load_detector
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.training.specs import TrainingRequest
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import InspectionRequest, PredictionRequest
from tests import hostile_weights
from tests.builders import a_manifest, a_spec

BOOTSTRAP = Path(__file__).resolve().parents[4] / "weights" / "bootstrap-yolo11n.pt"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ultralytics_home")]


def inspect(path: Path, *, trusted: bool = False) -> None:
    request = InspectionRequest(weights=path, weights_sha256=sha256_of(path), workdir=path.parent, trusted=trusted)
    UltralyticsInspector().inspect(request)


def predict(path: Path, *, trusted: bool = False) -> None:
    request = PredictionRequest(
        weights=path,
        weights_sha256=sha256_of(path),
        root=path.parent,
        images=(),
        settings=PredictionSettings(image_size_px=64),
        device="cpu",
        threads=1,
        workdir=path.parent / "work",
        trusted=trusted,
    )
    UltralyticsPredictor().predict(request)


def train(path: Path, *, trusted: bool = False) -> None:
    request = TrainingRequest(
        spec=a_spec(weights_sha256=sha256_of(path), trusted=trusted),
        manifest=a_manifest(),
        dataset_root=path.parent,
        weights=path,
        workdir=path.parent / "work",
    )
    UltralyticsTrainer(YoloFolder()).train(request, on_epoch=lambda epoch: None)


USES: tuple[Callable[..., None], ...] = (inspect, predict, train)
REFUSED = r"bad\.pt: (refused: it names|holds more than|does not load as YOLO weights)"


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("way", hostile_weights.WAYS)
def test_nothing_that_a_file_names_is_run(use: Callable[..., None], way: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = way(hostile_weights.system(marker), tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match=REFUSED) as refused:
        use(path)
    assert not marker.exists()
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("payload", hostile_weights.PAYLOADS)
def test_no_kind_of_call_is_run_and_its_name_is_shown(payload: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = hostile_weights.within_a_model(hostile_weights.PAYLOADS[payload](marker), tmp_path / "bad.pt")
    with pytest.raises(WeightsError, match=r"bad\.pt: refused: it names `") as refused:
        predict(path)
    assert not marker.exists()
    assert refused.value.hint is not None
    assert "--trust" in refused.value.hint


@pytest.mark.parametrize("way", hostile_weights.HIDDEN)
def test_further_pickles_in_the_archive_are_not_read(way: Any, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    predict(way(hostile_weights.system(marker), tmp_path / "odd.pt"))
    assert not marker.exists()


def test_an_architecture_is_not_evaluated(tmp_path: Path) -> None:
    from ultralytics import YOLO

    marker = tmp_path / "ran"
    model = YOLO("yolo11n.yaml").model
    model.yaml["activation"] = f"open({str(marker)!r}, 'w') and nn.SiLU()"
    path = hostile_weights.saved({"model": model}, tmp_path / "bad.pt")
    for use in (predict, train):
        with pytest.raises(WeightsError, match=r"bad\.pt: does not load as YOLO weights"):
            use(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    "layer",
    ["TorchVision", "torchvision.ops.nms", "nn.Module.eval", "nn.functional", "YAML", "check_file", "torch_load", 7],
)
def test_an_architecture_names_layers_only(layer: Any, tmp_path: Path) -> None:
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml").model
    model.yaml["backbone"][0][2] = layer
    with pytest.raises(WeightsError, match=r"bad\.pt: does not load as YOLO weights"):
        predict(hostile_weights.saved({"model": model}, tmp_path / "bad.pt"))


def test_a_program_of_torchscript_is_refused(tmp_path: Path) -> None:
    import torch

    path = tmp_path / "bad.pt"
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    with pytest.raises(WeightsError, match=REFUSED):
        predict(path)


def test_an_array_of_objects_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    array = np.array([hostile_weights.system(marker)], dtype=object)
    with pytest.raises(WeightsError, match=r"bad\.pt: refused: it names `"):
        predict(hostile_weights.saved({"model": array}, tmp_path / "bad.pt"))
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"this is no checkpoint", b"", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_not_a_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.pt").write_bytes(content)
    for use in USES:
        with pytest.raises(WeightsError, match=r"bad\.pt: does not load"):
            use(tmp_path / "bad.pt")


@pytest.mark.parametrize("suffix", ["torchscript", "engine", "yaml", "pth", "safetensors", "PT"])
def test_other_kinds_of_files_are_refused_by_their_names(tmp_path: Path, suffix: str) -> None:
    path = Path(shutil.copy(BOOTSTRAP, tmp_path / f"model.{suffix}"))
    for use in USES:
        with pytest.raises(WeightsError, match=r"not a \.pt file|not a weights file"):
            use(path)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("yolo11n-cls.yaml", "classify"),
        ("yolo11n-seg.yaml", "segment"),
        ("yolo11n-pose.yaml", "pose"),
        ("yolo11n-obb.yaml", "obb"),
    ],
)
def test_weights_for_another_task_are_not_a_detector(tmp_path: Path, architecture: str, task: str) -> None:
    from ultralytics import YOLO

    YOLO(architecture).save(tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=f"for the task {task!r}, not for detection"):
        predict(tmp_path / "other.pt")


def test_content_that_changes_after_it_was_checked_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "ran"
    path = Path(shutil.copy(BOOTSTRAP, tmp_path / "a.pt"))
    bad = hostile_weights.plain(hostile_weights.system(marker), tmp_path / "bad.pt")
    read = Path.read_bytes

    def read_then_swap(self: Path) -> bytes:
        content = read(self)
        if self == path:
            Path(shutil.copy(bad, tmp_path / "copy.pt")).replace(path)
        return content

    sha256 = sha256_of(path)
    monkeypatch.setattr(Path, "read_bytes", read_then_swap)
    assert load_detector(path, sha256, trusted=False).names == {0: "person"}
    with pytest.raises(WeightsError, match="sha256 differs"):
        load_detector(path, sha256, trusted=True)
    assert not marker.exists()


def test_ultralytics_itself_loads_weights_as_data_only(tmp_path: Path) -> None:
    from ultralytics import YOLO
    from ultralytics.nn.tasks import load_checkpoint, torch_safe_load
    from ultralytics.utils.torch_utils import strip_optimizer

    load_detector(BOOTSTRAP, sha256_of(BOOTSTRAP), trusted=False)
    marker = tmp_path / "ran"
    path = hostile_weights.plain(hostile_weights.system(marker), tmp_path / "bad.pt")
    for load in (YOLO, load_checkpoint, torch_safe_load):
        with pytest.raises(WeightsError, match=REFUSED):
            load(str(path))
    strip_optimizer(path)
    assert not marker.exists()


@pytest.mark.parametrize("use", USES)
def test_a_trusted_file_is_run(use: Callable[..., None], tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = hostile_weights.plain(hostile_weights.system(marker), tmp_path / "mine.pt")
    with pytest.raises(WeightsError, match="no detector of Ultralytics in it"):
        use(path, trusted=True)
    assert marker.exists()


class Own(SimpleNamespace):
    """A class that no detector of Ultralytics needs."""


def test_a_trusted_file_with_custom_classes_is_used(tmp_path: Path) -> None:
    from ultralytics import YOLO

    model = YOLO("yolo11n.yaml").model
    model.note = Own(author="another")
    path = hostile_weights.saved({"model": model}, tmp_path / "own.pt")
    with pytest.raises(WeightsError, match="refused: it names `"):
        predict(path)
    predict(path, trusted=True)


def same_answers(first: Any, second: Any) -> bool:
    import torch

    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return bool(torch.equal(first.float().eval()(image)[0], second.float().eval()(image)[0]))


def test_a_rebuilt_model_predicts_like_the_unpickled_one() -> None:
    import torch

    built = load_detector(BOOTSTRAP, sha256_of(BOOTSTRAP), trusted=False)
    content = torch.load(io.BytesIO(BOOTSTRAP.read_bytes()), weights_only=False)
    assert same_answers(built, content["model"])
    assert built.names == content["model"].names


@pytest.mark.parametrize(
    "architecture",
    ["yolov8n.yaml", "yolov9t.yaml", "yolov10n.yaml", "yolo11n.yaml", "yolo12n.yaml", "yolo26n.yaml", "yolo11s.yaml"],
)
def test_each_family_of_detectors_is_built_as_it_was_saved(architecture: str, tmp_path: Path) -> None:
    from ultralytics import YOLO

    model = YOLO(architecture)
    model.save(tmp_path / "a.pt")
    built = load_detector(tmp_path / "a.pt", sha256_of(tmp_path / "a.pt"), trusted=False)
    assert same_answers(built, model.model.half().float())
    assert built.names == model.model.names


def test_a_checkpoint_in_the_middle_of_a_training_is_read(tmp_path: Path) -> None:
    import torch
    from ultralytics import YOLO
    from ultralytics.utils import IterableSimpleNamespace

    model = YOLO("yolo11n.yaml").model
    model.args = IterableSimpleNamespace(box=7.5, cls=0.5, dfl=1.5, epochs=1, save_dir=PosixPath("runs"))
    model.criterion = model.init_criterion()
    optimizer = torch.optim.AdamW(model.parameters())
    content = {
        "model": None,
        "ema": model,
        "updates": 7,
        "epoch": 3,
        "best_fitness": np.float64(0.25),
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        "train_args": {"save_dir": PurePosixPath("runs/a"), "seed": np.int64(3), "ok": np.bool_(True)},
        "train_metrics": {"fitness": np.float32(0.5)},
    }
    path = hostile_weights.saved(content, tmp_path / "last.pt")
    assert len(load_detector(path, sha256_of(path), trusted=False).names) == 80

    from cv_yolo.adapters.ultralytics.checkpoint import read_checkpoint

    values = read_checkpoint(path.read_bytes(), path).values
    assert values["best_fitness"] == 0.25
    assert values["train_args"] == {"save_dir": "runs/a", "seed": 3, "ok": True}
    assert values["train_metrics"] == {"fitness": 0.5}


def test_loading_draws_no_random_numbers() -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    load_detector(BOOTSTRAP, sha256_of(BOOTSTRAP), trusted=False)
    assert torch.equal(torch.rand(3), expected)
