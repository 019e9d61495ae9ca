"""`WeightsInspector`: the fake called here, the same fake at work in a child process, and Ultralytics."""

import shutil
from pathlib import Path

import pytest

from cv_yolo.adapters.ultralytics.weights import UltralyticsInspector
from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.ports.models import InspectionRequest, WeightsInspector
from tests.contract.test_trainer_and_predictor import REPOSITORY, child
from tests.fakes import FakeInspector


@pytest.fixture(params=["here", "child", pytest.param("ultralytics", marks=pytest.mark.slow)])
def inspector(request: pytest.FixtureRequest) -> WeightsInspector:
    if request.param == "ultralytics":
        return UltralyticsInspector()
    return FakeInspector() if request.param == "here" else child("works")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return Path(shutil.copy(REPOSITORY / "weights" / "bootstrap-yolo11n.pt", tmp_path / "start.pt"))


def wanted(weights: Path, tmp_path: Path, **changes: str) -> InspectionRequest:
    sha256 = changes.get("weights_sha256") or sha256_of(weights)
    return InspectionRequest(weights=weights, weights_sha256=sha256, workdir=tmp_path / "work")


def test_weights_say_the_names_of_their_classes(inspector: WeightsInspector, weights: Path, tmp_path: Path) -> None:
    assert inspector.inspect(wanted(weights, tmp_path)).classes == ("person",)


def test_other_weights_than_those_recorded_are_refused(
    inspector: WeightsInspector, weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match="sha256 differs"):
        inspector.inspect(wanted(weights, tmp_path, weights_sha256="0" * 64))


def test_missing_weights_are_refused(inspector: WeightsInspector, weights: Path, tmp_path: Path) -> None:
    request = wanted(weights, tmp_path)
    weights.unlink()
    with pytest.raises(WeightsError, match=r"start\.pt: no such weights file"):
        inspector.inspect(request)
