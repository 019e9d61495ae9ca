"""What is prepared for Ultralytics and what is made of its answers; real trainings are below, slow."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cv_yolo.adapters.files.predictions import NpzPredictionFile
from cv_yolo.adapters.onnx import OnnxGuard
from cv_yolo.adapters.scenes.scene import draw_scene
from cv_yolo.adapters.scenes.sprites import SceneStyle
from cv_yolo.adapters.ultralytics import predictor, trainer
from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
from cv_yolo.adapters.ultralytics.trainer import UltralyticsTrainer
from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector
from cv_yolo.adapters.yolo.folder import YoloFolder
from cv_yolo.domain.data.annotations import Boxes
from cv_yolo.domain.data.manifest import DatasetManifest, Split
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.evaluation.intervals import Resampling
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest
from cv_yolo.errors import EvaluationFailedError, TrainingFailedError, WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import PredictionRequest
from cv_yolo.workflows.draw_dataset import draw_dataset
from cv_yolo.workflows.evaluate import Detector, Examination, examine
from tests.builders import a_spec
from tests.fakes import FakeExperimentTracker

REPOSITORY = Path(__file__).resolve().parents[4]
BOOTSTRAP = REPOSITORY / "weights" / "bootstrap-yolo11n.pt"


def paint(rng: np.random.Generator, *, size_px: int) -> tuple[Any, Boxes]:
    scene = draw_scene(rng, size_px=size_px, style=SceneStyle.DEMO, person_count=2)
    return scene.image, scene.boxes_xyxy


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DatasetManifest]:
    root = tmp_path_factory.mktemp("data") / "drawn"
    counts = {Split.TRAIN: 4, Split.VAL: 2}
    return root, draw_dataset(root, painter=paint, folder=YoloFolder(), counts=counts, size_px=64, seed=1)


def request_of(drawn: tuple[Path, DatasetManifest], workdir: Path, **spec: Any) -> TrainingRequest:
    root, manifest = drawn
    small = {"epochs": 1, "image_size_px": 64, "batch_size": 2, "optimizer": "AdamW", "learning_rate": 0.0001}
    small |= {"weights_sha256": sha256_of(BOOTSTRAP)}
    return TrainingRequest(
        spec=a_spec(**(small | spec)), manifest=manifest, dataset_root=root, weights=BOOTSTRAP, workdir=workdir
    )


def content_of(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_spec_says_all_that_determines_the_training(drawn: tuple[Path, DatasetManifest], tmp_path: Path) -> None:
    arguments = trainer.arguments_of(request_of(drawn, tmp_path / "work", seed=5, momentum=0.8))
    assert arguments["seed"] == 5
    assert arguments["momentum"] == 0.8
    assert arguments["optimizer"] == "AdamW"
    assert arguments["imgsz"] == 64
    assert arguments["device"] == "cpu"
    assert arguments["deterministic"] is True
    assert arguments["project"] == str(tmp_path / "work")


def test_a_device_that_is_left_to_ultralytics_is_not_named(drawn: tuple[Path, DatasetManifest], tmp_path: Path) -> None:
    assert trainer.arguments_of(request_of(drawn, tmp_path / "work", device="auto"))["device"] is None


@dataclass
class FakeYolo:
    """Takes callbacks as Ultralytics' model does."""

    callbacks: dict[str, Callable[[Any], None]] = field(default_factory=dict)

    def add_callback(self, event: str, callback: Callable[[Any], None]) -> None:
        self.callbacks[event] = callback


@dataclass
class FakeTrainerState:
    """What Ultralytics hands to a callback."""

    epoch: int
    epochs: int = 2
    metrics: dict[str, float] = field(
        default_factory=lambda: {"metrics/mAP50(B)": 0.5, "val/box_loss": 1.5, "fitness": 9}
    )
    lr: dict[str, float] = field(default_factory=lambda: {"lr/pg0": 0.001})
    tloss: tuple[float, ...] = (2.0, 3.0)

    def label_loss_items(self, losses: tuple[float, ...], prefix: str) -> dict[str, float]:
        return dict(zip((f"{prefix}/box_loss", f"{prefix}/cls_loss"), losses, strict=True))


def test_each_epoch_is_reported_once_though_the_callback_fires_again_after_the_last() -> None:
    model, heard = FakeYolo(), list[EpochMetrics]()
    reported = trainer._report_epochs(model, heard.append)
    for epoch in (0, 1, 1, 2):
        model.callbacks["on_fit_epoch_end"](FakeTrainerState(epoch=epoch))
    assert reported == [1, 2] == [each.epoch for each in heard]


def test_figures_have_our_names() -> None:
    assert trainer._epoch_values(FakeTrainerState(epoch=0)) == {
        "val/map_50": 0.5,
        "val/box_loss": 1.5,
        "lr/pg0": 0.001,
        "train/box_loss": 2.0,
        "train/cls_loss": 3.0,
    }


def prediction_of(drawn: tuple[Path, DatasetManifest], workdir: Path, **changes: Any) -> PredictionRequest:
    root, manifest = drawn
    values: dict[str, Any] = {
        "weights": BOOTSTRAP,
        "weights_sha256": sha256_of(BOOTSTRAP),
        "root": root,
        "images": tuple(record.image for record in manifest.images),
        "settings": PredictionSettings(image_size_px=64),
        "device": "cpu",
        "threads": 1,
        "workdir": workdir,
    }
    return PredictionRequest(**(values | changes))


def test_weights_that_changed_are_refused_before_anything_is_loaded(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="sha256 differs"):
        UltralyticsPredictor().predict(prediction_of(drawn, tmp_path, weights_sha256="0" * 64))


def test_weights_that_are_missing_are_refused_before_anything_is_loaded(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    request = request_of(drawn, tmp_path)
    missing = TrainingRequest(
        spec=request.spec,
        manifest=request.manifest,
        dataset_root=request.dataset_root,
        weights=tmp_path / "no.pt",
        workdir=tmp_path,
    )
    with pytest.raises(WeightsError, match=r"no\.pt: no such weights file"):
        UltralyticsTrainer(YoloFolder()).train(missing, on_epoch=lambda epoch: None)


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_a_training_reports_its_epochs_writes_working_weights_and_leaves_the_data_unchanged(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    root, manifest = drawn
    before, heard = content_of(root), list[EpochMetrics]()
    result = UltralyticsTrainer(YoloFolder()).train(
        request_of(drawn, tmp_path / "work", epochs=2), on_epoch=heard.append
    )
    assert content_of(root) == before
    assert [each.epoch for each in heard] == [1, 2]
    assert {"val/map_50", "val/map_50_95", "val/precision", "val/recall", "train/box_loss"} <= set(heard[0].values)
    assert result.epochs_completed == 2
    assert result.weights_sha256 == sha256_of(result.weights) != sha256_of(BOOTSTRAP)
    assert {"results.csv", "args.yaml"} <= {path.name for path in result.artifacts}
    wanted = prediction_of(drawn, tmp_path / "predict", weights=result.weights, weights_sha256=result.weights_sha256)
    found = UltralyticsPredictor().predict(wanted)
    assert [each.image for each in found.detections] == [record.image for record in manifest.images]
    assert content_of(root) == before
    assert not list(tmp_path.rglob("*.cache"))


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_a_prediction_says_which_library_made_it_how_and_how_long_an_image_took(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path
) -> None:
    from ultralytics import __version__

    wanted = prediction_of(drawn, tmp_path)
    found = UltralyticsPredictor().predict(wanted)
    assert (found.predictor, found.settings) == (f"ultralytics {__version__} (pt)", wanted.settings)
    assert found.latency_ms is not None
    assert 0 < found.latency_ms < 10_000


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_the_settings_are_the_requested_ones(drawn: tuple[Path, DatasetManifest], tmp_path: Path) -> None:
    sure = PredictionSettings(image_size_px=64, confidence_threshold=0.3, max_detections=1)
    found = UltralyticsPredictor().predict(prediction_of(drawn, tmp_path, settings=sure)).detections
    assert max(len(each.confidences) for each in found) == 1
    assert min(float(each.confidences.min()) for each in found if len(each.confidences)) >= 0.3


@pytest.fixture(scope="module")
def exported(ultralytics_home: Path) -> Path:
    """The bundled weights as an ONNX model for images of 64 pixels."""
    from ultralytics import YOLO

    weights = ultralytics_home / "bundled.pt"
    shutil.copy(BOOTSTRAP, weights)
    return Path(YOLO(str(weights)).export(format="onnx", imgsz=64))


def an_examination(drawn: tuple[Path, DatasetManifest], workdir: Path) -> Examination:
    weights = OnnxGuard(UltralyticsPredictor(), UltralyticsInspector())
    return Examination(
        predictor=weights,
        inspector=weights,
        predictions=NpzPredictionFile(),
        folder=YoloFolder(),
        tracker=FakeExperimentTracker(),
        dataset_root=drawn[0],
        workdir=workdir,
        resampling=Resampling(resamples=50),
    )


def a_detector(weights: Path) -> Detector:
    return Detector(
        name=weights.name,
        weights=weights,
        weights_sha256=sha256_of(weights),
        settings=PredictionSettings(image_size_px=64),
        device="cpu",
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:Converting a tensor")  # of the export
def test_an_exported_model_finds_and_scores_what_the_weights_it_was_made_of_do(
    drawn: tuple[Path, DatasetManifest], exported: Path, tmp_path: Path
) -> None:
    scored = [
        examine(a_detector(weights), drawn[1], Split.TRAIN, an_examination(drawn, tmp_path))
        for weights in (BOOTSTRAP, exported)
    ]
    first, second = (each.matched.table.found for each in scored)
    assert len(first.confidence) > 10
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.class_id, second.class_id)
    np.testing.assert_allclose(first.confidence, second.confidence, atol=1e-3)
    np.testing.assert_allclose(first.boxes_xyxy, second.boxes_xyxy, atol=0.05)
    figures = [each.evaluation.figures for each in scored]
    assert figures[0]["map_50"].value > 0.3
    for name in ("map_50", "map_50_95", "ar_100"):
        assert figures[0][name].value == pytest.approx(figures[1][name].value, abs=0.01)
    assert scored[1].evaluation.subject.predictor.endswith("(onnx)")


@pytest.mark.slow
def test_an_exported_model_is_refused_at_another_image_size(
    drawn: tuple[Path, DatasetManifest], exported: Path, tmp_path: Path
) -> None:
    wanted = prediction_of(
        drawn,
        tmp_path,
        weights=exported,
        weights_sha256=sha256_of(exported),
        settings=PredictionSettings(image_size_px=640),
    )
    with pytest.raises(WeightsError, match="exported for images of 64 × 64 pixels, not of 640"):
        OnnxGuard(UltralyticsPredictor(), UltralyticsInspector()).predict(wanted)


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_fewer_predictions_than_images_fail_the_evaluation(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor, "_results", lambda detector, request: iter(()))
    with pytest.raises(EvaluationFailedError, match="0 predictions for 6 images"):
        UltralyticsPredictor().predict(prediction_of(drawn, tmp_path))


@pytest.mark.slow
@pytest.mark.usefixtures("ultralytics_home")
def test_a_training_without_weights_is_a_failure(
    drawn: tuple[Path, DatasetManifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cv_yolo.adapters.ultralytics.library import prepare

    prepare()
    from cv_yolo.adapters.ultralytics.training_data import ManifestTrainer

    monkeypatch.setattr(ManifestTrainer, "train", lambda self: None)
    with pytest.raises(TrainingFailedError, match="left no weights"):
        UltralyticsTrainer(YoloFolder()).train(request_of(drawn, tmp_path / "work"), on_epoch=lambda epoch: None)
