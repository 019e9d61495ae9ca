"""Finished trainings as files: whole, or none."""

from pathlib import Path

import pytest

from cv_yolo.adapters.files.weights import FinishedTrainingsFolder
from cv_yolo.domain.training.specs import FinishedTraining, TrainedModel
from tests.builders import a_trained_model

FINGERPRINT = "a" * 64


@pytest.fixture
def finished(tmp_path: Path) -> FinishedTrainingsFolder:
    return FinishedTrainingsFolder(records=tmp_path / "trained", weights=tmp_path / "weights")


@pytest.fixture
def model(tmp_path: Path) -> TrainedModel:
    return a_trained_model(tmp_path)


def test_the_weights_outlive_the_folder_they_were_trained_in(
    finished: FinishedTrainingsFolder, model: TrainedModel, tmp_path: Path
) -> None:
    content = model.weights.read_bytes()
    finished.keep(FINGERPRINT, FinishedTraining(model=model))
    model.weights.unlink()
    found = finished.find(FINGERPRINT)
    assert found is not None
    assert found.model.weights == tmp_path / "weights" / f"{model.weights_sha256}.pt"
    assert found.model.weights.read_bytes() == content


def test_changed_weights_are_not_found(finished: FinishedTrainingsFolder, model: TrainedModel, tmp_path: Path) -> None:
    finished.keep(FINGERPRINT, FinishedTraining(model=model))
    kept = tmp_path / "weights" / f"{model.weights_sha256}.pt"
    kept.write_bytes(b"others")
    assert finished.find(FINGERPRINT) is None
    finished.keep(FINGERPRINT, FinishedTraining(model=model))
    assert finished.find(FINGERPRINT) is not None


@pytest.mark.parametrize("content", [b"", b"{", b'{"spec": {}}', b"\xff"])
def test_an_unreadable_record_is_ignored(finished: FinishedTrainingsFolder, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / f"{FINGERPRINT}.json").write_bytes(content)
    assert finished.find(FINGERPRINT) is None


def test_nothing_half_written_is_left_where_the_weights_cannot_be_read(
    finished: FinishedTrainingsFolder, model: TrainedModel, tmp_path: Path
) -> None:
    model.weights.unlink()
    with pytest.raises(FileNotFoundError):
        finished.keep(FINGERPRINT, FinishedTraining(model=model))
    assert list((tmp_path / "weights").iterdir()) == []
    assert finished.find(FINGERPRINT) is None
