"""`Anchor`: one text kept with a registered model, by the fake and by MLflow (read by REST, too)."""

from pathlib import Path

import pytest

from cv_yolo.adapters.mlflow.registry import MlflowRegistry
from cv_yolo.adapters.mlflow.rest import VersionsOnServer
from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.ports.registry import Anchor
from tests.fakes import FakeModelRegistry


class ReadByRest(MlflowRegistry):
    """MLflow's registry, whose anchor is read by the REST interface at that address."""

    def __init__(self, *, uri: str, model: str, address: TrackingAddress) -> None:
        super().__init__(uri=uri, model=model)
        otherwise = MlflowRegistry(uri="none://", model="not to be asked")
        self._reader = VersionsOnServer(address, model=model, timeout_s=10, otherwise=otherwise)

    def anchor(self) -> str | None:
        return self._reader.anchor()


@pytest.fixture(params=["fake", "mlflow", "rest"])
def kept(request: pytest.FixtureRequest, store: Path) -> Anchor:
    if request.param == "fake":
        return FakeModelRegistry()
    uri, model = f"sqlite:///{store}/mlflow.db", request.node.name
    if request.param == "mlflow":
        return MlflowRegistry(uri=uri, model=model)
    MlflowRegistry(uri=uri, model="any").versions()  # the server expects a database
    return ReadByRest(uri=uri, model=model, address=request.getfixturevalue("mlflow_server"))


def test_an_unregistered_model_has_no_anchor(kept: Anchor) -> None:
    assert kept.anchor() is None


def test_the_last_stored_text_is_returned(kept: Anchor) -> None:
    for number in (1, 2):
        kept.set_anchor(f"{number} {'a' * 64}")
    assert kept.anchor() == f"2 {'a' * 64}"
