"""What only ZenML can do to us: versions of others, many pages, and a store that does not answer."""

from pathlib import Path

import pytest

from cv_yolo.adapters import zenml_registry
from cv_yolo.adapters.zenml_registry import ZenmlRegistry
from cv_yolo.bootstrap import Bootstrap
from cv_yolo.domain.versions import Alias
from cv_yolo.errors import ServiceUnavailableError

pytestmark = pytest.mark.usefixtures("zenml_parts")


def register(registry: ZenmlRegistry, number: int) -> str:
    made = registry.register(
        run_id=f"run-{number}", weights=Path("best.pt"), weights_sha256="a" * 64, version=str(number)
    )
    return made.version


def test_versions_that_others_made_are_left_alone(zenml_parts: Bootstrap) -> None:
    registry = ZenmlRegistry(model="shared")
    ours = register(registry, 1)
    for name, description in (("theirs", "made by hand"), ("also", "[]"), ("bare", None)):
        registry._client.create_model_version("shared", name=name, description=description)
    assert [version.version for version in registry.versions()] == [ours]
    registry.set_alias(Alias.STAGING, ours)
    assert registry.versions()[0].aliases == (Alias.STAGING,)


def test_more_versions_than_fit_on_a_page_are_all_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zenml_registry, "PAGE", 2)
    registry = ZenmlRegistry(model="paged")
    made = [register(registry, number) for number in range(1, 6)]
    assert [version.version for version in registry.versions()] == made


def test_a_name_that_is_taken_is_an_unavailable_service() -> None:
    registry = ZenmlRegistry(model="taken")
    register(registry, 1)
    with pytest.raises(ServiceUnavailableError, match="ZenML's model registry"):
        registry.register(run_id="another", weights=Path("best.pt"), weights_sha256="a" * 64, version="1")
