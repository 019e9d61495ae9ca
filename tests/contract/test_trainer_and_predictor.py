"""`Trainer` and `Predictor`: the fakes called here, the same fakes at work in a child process, and Ultralytics."""

import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cv_yolo.adapters.ultralytics.predictor import UltralyticsPredictor
from cv_yolo.adapters.workers.starters import NewProcess
from cv_yolo.adapters.workers.supervisor import ChildProcess
from cv_yolo.domain.evaluation.evaluation import PredictionSettings
from cv_yolo.domain.training.specs import EpochMetrics, TrainingRequest
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import PredictionRequest, Predictor, Trainer
from tests.builders import a_manifest, a_spec
from tests.fakes import FakePredictor, FakeTrainer
from tests.unit.adapters.workers.child import FOUND

REPOSITORY = Path(__file__).resolve().parents[2]
CHILD = REPOSITORY / "tests" / "unit" / "adapters" / "workers" / "child.py"


def child(behaviour: str) -> ChildProcess:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "src")])}
    command = (sys.executable, str(CHILD), behaviour)
    return ChildProcess(NewProcess(command=command, environment=environment), stop=threading.Event())


@pytest.fixture(params=["here", "child"])
def trainer(request: pytest.FixtureRequest) -> Trainer:
    return FakeTrainer() if request.param == "here" else child("works")


@pytest.fixture(params=["here", "child", pytest.param("ultralytics", marks=pytest.mark.slow)])
def predictor(request: pytest.FixtureRequest) -> Predictor:
    if request.param == "ultralytics":
        request.getfixturevalue("ultralytics_home")
        return UltralyticsPredictor()
    return predictor_in(request.param)


@pytest.fixture(params=["here", "child"])
def fake_predictor(request: pytest.FixtureRequest) -> Predictor:
    """A fake predictor, in this process and in a child."""
    return predictor_in(request.param)


def predictor_in(where: str) -> Predictor:
    return FakePredictor([FOUND]) if where == "here" else child("works")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights that Ultralytics can load too."""
    return Path(shutil.copy(REPOSITORY / "weights" / "bootstrap-yolo11n.pt", tmp_path / "start.pt"))


def training(tmp_path: Path, weights: Path, **spec: Any) -> TrainingRequest:
    return TrainingRequest(
        spec=a_spec(**spec),
        manifest=a_manifest(),
        dataset_root=tmp_path / "data",
        weights=weights,
        workdir=tmp_path / "work",
    )


def prediction(tmp_path: Path, weights: Path, *images: str) -> PredictionRequest:
    for number, image in enumerate(images):
        (tmp_path / "data" / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48), (40 * number, 90, 120)).save(tmp_path / "data" / image)
    return PredictionRequest(
        weights=weights,
        weights_sha256=sha256_of(weights),
        root=tmp_path / "data",
        images=images,
        settings=PredictionSettings(image_size_px=64),
        device="cpu",
        threads=1,
        workdir=tmp_path / "work",
    )


def test_each_epoch_is_reported_once_and_in_order(trainer: Trainer, tmp_path: Path, weights: Path) -> None:
    reported: list[EpochMetrics] = []
    result = trainer.train(training(tmp_path, weights, epochs=4), on_epoch=reported.append)
    assert [epoch.epoch for epoch in reported] == [1, 2, 3, 4]
    assert [epoch.values for epoch in reported] == [{"val/map_50": number / 10} for number in (1, 2, 3, 4)]
    assert result.epochs_completed == 4


def test_the_result_names_weights_that_are_there(trainer: Trainer, tmp_path: Path, weights: Path) -> None:
    result = trainer.train(training(tmp_path, weights), on_epoch=lambda epoch: None)
    assert sha256_of(result.weights) == result.weights_sha256
    assert result.size_bytes == result.weights.stat().st_size
    assert all(path.is_file() for path in result.artifacts)


def test_missing_weights_are_the_persons_error(trainer: Trainer, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"start\.pt: no such weights file"):
        trainer.train(training(tmp_path, tmp_path / "start.pt"), on_epoch=lambda epoch: None)


IMAGES = ("images/val/2.jpg", FOUND.image, "images/val/0.jpg")


def test_there_are_detections_for_each_image_in_order(predictor: Predictor, tmp_path: Path, weights: Path) -> None:
    found = predictor.predict(prediction(tmp_path, weights, *IMAGES)).detections
    assert tuple(each.image for each in found) == IMAGES
    for each in found:
        assert each.boxes_xyxy.shape == (len(each.class_ids), 4)
        assert (each.boxes_xyxy.dtype, each.class_ids.dtype, each.confidences.dtype) == (
            np.float64,
            np.int64,
            np.float64,
        )


def test_detections_are_returned_without_loss(fake_predictor: Predictor, tmp_path: Path, weights: Path) -> None:
    first, second, _ = fake_predictor.predict(prediction(tmp_path, weights, *IMAGES)).detections
    np.testing.assert_array_equal(second.boxes_xyxy, FOUND.boxes_xyxy)
    np.testing.assert_array_equal(second.class_ids, FOUND.class_ids)
    np.testing.assert_array_equal(second.confidences, FOUND.confidences)
    assert first.boxes_xyxy.shape == (0, 4)


def test_a_prediction_says_by_which_library_with_which_settings_and_how_fast(
    predictor: Predictor, tmp_path: Path, weights: Path
) -> None:
    request = prediction(tmp_path, weights, *IMAGES)
    found = predictor.predict(request)
    name, version, *_ = found.predictor.split()
    assert name.isalpha()
    assert version[0].isdigit()
    assert found.settings == request.settings
    assert found.latency_ms is not None
    assert found.latency_ms > 0


def test_the_same_images_are_found_the_same_again(predictor: Predictor, tmp_path: Path, weights: Path) -> None:
    request = prediction(tmp_path, weights, *IMAGES)
    first, again = (predictor.predict(request).detections for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.boxes_xyxy, other.boxes_xyxy)
        np.testing.assert_array_equal(one.confidences, other.confidences)


def test_other_weights_than_those_recorded_are_refused(predictor: Predictor, tmp_path: Path, weights: Path) -> None:
    request = prediction(tmp_path, weights, FOUND.image)
    weights.write_bytes(b"others")
    with pytest.raises(WeightsError, match="sha256"):
        predictor.predict(request)
