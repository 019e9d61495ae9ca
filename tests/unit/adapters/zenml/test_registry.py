"""What only ZenML can do to us: versions of others, many pages, and a store that does not answer."""

import pytest

from cv_yolo.adapters.zenml import registry as zenml_registry
from cv_yolo.adapters.zenml.registry import ZenmlRegistry
from cv_yolo.container import Container
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.errors import ServiceUnavailableError
from tests.builders import a_new_version

pytestmark = pytest.mark.usefixtures("zenml_container")


def register(registry: ZenmlRegistry, number: int) -> str:
    return registry.register(a_new_version(run_id=f"run-{number}"), version=str(number)).version


def test_versions_that_others_made_are_left_alone(zenml_container: Container) -> None:
    registry = ZenmlRegistry(model="shared")
    ours = register(registry, 1)
    for name, description in (("theirs", "made by hand"), ("also", "[]"), ("bare", None)):
        registry._client.create_model_version("shared", name=name, description=description)
    assert [version.version for version in registry.versions()] == [ours]
    registry.set_stage(ours, Stage.STAGING)
    assert registry.versions()[0].stage is Stage.STAGING


def test_more_versions_than_fit_on_a_page_are_all_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zenml_registry, "PAGE", 2)
    registry = ZenmlRegistry(model="paged")
    made = [register(registry, number) for number in range(1, 6)]
    assert [version.version for version in registry.versions()] == made


def test_a_name_that_is_taken_is_an_unavailable_service() -> None:
    registry = ZenmlRegistry(model="taken")
    register(registry, 1)
    with pytest.raises(ServiceUnavailableError, match="ZenML's model registry"):
        registry.register(a_new_version(run_id="another"), version="1")


def test_a_store_that_does_not_answer_is_an_unavailable_service(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = ZenmlRegistry(model="silent")
    register(registry, 1)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("connection\nrefused")

    monkeypatch.setattr(type(registry._client), "list_model_versions", refuse)
    with pytest.raises(ServiceUnavailableError, match="ZenML's model registry: connection refused"):
        registry.versions()
