"""`FinishedTrainings`: what was trained once need not be trained again; in memory, and in files."""

from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.adapters.files.weights import FinishedTrainingsFolder
from cv_yolo.domain.training.specs import FinishedTraining
from cv_yolo.files import sha256_of
from cv_yolo.ports.records import FinishedTrainings
from tests.builders import a_trained_model
from tests.fakes import FakeFinishedTrainings

FINGERPRINT, ANOTHER = "a" * 64, "b" * 64


@pytest.fixture(params=["fake", "folder"])
def finished(request: pytest.FixtureRequest, tmp_path: Path) -> FinishedTrainings:
    if request.param == "fake":
        return FakeFinishedTrainings()
    return FinishedTrainingsFolder(records=tmp_path / "trained", weights=tmp_path / "weights")


def test_an_unfinished_training_is_not_found(finished: FinishedTrainings) -> None:
    assert finished.find(FINGERPRINT) is None


def test_a_finished_training_is_found_with_its_weights(finished: FinishedTrainings, tmp_path: Path) -> None:
    model, artifacts = a_trained_model(tmp_path), (tmp_path / "curves.png", tmp_path / "results.csv")
    finished.keep(FINGERPRINT, FinishedTraining(model=model, artifacts=artifacts))
    found = finished.find(FINGERPRINT)
    assert found is not None
    assert replace(found.model, weights=model.weights) == model
    assert found.artifacts == artifacts
    assert sha256_of(found.model.weights) == model.weights_sha256
    assert finished.find(ANOTHER) is None


def test_a_training_done_again_replaces_the_former_one(finished: FinishedTrainings, tmp_path: Path) -> None:
    for run_id in ("1" * 32, "2" * 32):
        finished.keep(FINGERPRINT, FinishedTraining(model=a_trained_model(tmp_path, run_id=run_id)))
    found = finished.find(FINGERPRINT)
    assert found is not None
    assert found.model.run_id == "2" * 32
