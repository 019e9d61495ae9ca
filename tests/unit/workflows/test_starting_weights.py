"""Weights from which trainings start are read once, before the first training."""

from pathlib import Path

import pytest

from cv_yolo.errors import WeightsError
from cv_yolo.files import sha256_of
from cv_yolo.workflows.detectors import require_readable
from tests.fakes import FakeInspector


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "start.pt").write_bytes(b"weights")
    return tmp_path / "start.pt"


def test_weights_are_read_once(weights: Path, tmp_path: Path) -> None:
    inspector = FakeInspector()
    for _ in range(2):
        require_readable(weights, sha256_of(weights), inspector, tmp_path / "known", trusted=False)
    assert [each.trusted for each in inspector.requests] == [False]


def test_other_content_is_read_again(weights: Path, tmp_path: Path) -> None:
    inspector = FakeInspector()
    for content in (b"one", b"two"):
        weights.write_bytes(content)
        require_readable(weights, sha256_of(weights), inspector, tmp_path / "known", trusted=False)
    assert len(inspector.requests) == 2


def test_weights_that_are_refused_are_refused_each_time(weights: Path, tmp_path: Path) -> None:
    inspector = FakeInspector(fails=WeightsError("start.pt: refused"))
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"start\.pt: refused"):
            require_readable(weights, sha256_of(weights), inspector, tmp_path / "known", trusted=False)


def test_trusted_weights_are_left_to_the_training(weights: Path, tmp_path: Path) -> None:
    inspector = FakeInspector()
    require_readable(weights, sha256_of(weights), inspector, tmp_path / "known", trusted=True)
    assert inspector.requests == []


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("name", ["a.onnx", "a.torchscript", "a.engine", "a.yaml", "a.pth", "a"])
def test_a_training_starts_from_weights_of_pytorch(tmp_path: Path, name: str, trusted: bool) -> None:
    (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(WeightsError, match=r"a training starts from a \.pt file"):
        require_readable(
            tmp_path / name, sha256_of(tmp_path / name), FakeInspector(), tmp_path / "known", trusted=trusted
        )
