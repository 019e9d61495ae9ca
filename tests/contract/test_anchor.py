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


def test_an_unregistered_model_has_no_anchor(kept: Anchor) -> None:
    assert kept.anchor() is None


def test_the_last_stored_text_is_returned(kept: Anchor) -> None:
    for number in (1, 2):
        kept.set_anchor(f"{number} {'a' * 64}")
    assert kept.anchor() == f"2 {'a' * 64}"
