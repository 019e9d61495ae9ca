"""`Anchor`: one text kept with a registered model, by the fake and by MLflow."""

from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.ports.registry import Anchor
from tests.fakes import FakeModelRegistry


@pytest.fixture(params=["fake", "mlflow"])
def kept(request: pytest.FixtureRequest, store: Path) -> Anchor:
    if request.param == "fake":
        return FakeModelRegistry()
    return MlflowRegistry(uri=f"sqlite:///{store}/mlflow.db", model=request.node.name)


def test_a_model_that_nobody_registered_has_no_anchor(kept: Anchor) -> None:
    assert kept.anchor() is None


def test_the_text_that_was_kept_last_comes_back(kept: Anchor) -> None:
    for number in (1, 2):
        kept.set_anchor(f"{number} {'a' * 64}")
    assert kept.anchor() == f"2 {'a' * 64}"
