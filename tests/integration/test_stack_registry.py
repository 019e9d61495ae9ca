"""`StackRegistry`: stacks, components and secrets, by the fake and by ZenML's server."""

import secrets
from dataclasses import replace

import pytest

from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack
from cv_yolo.domain.stack import ChangeKind, Component, Kind, Secret
from cv_yolo.ports.servers import StackRegistry
from tests.fake_servers import FakeStackRegistry
from tests.servers import RunningStack

STORE = Component(name="store", kind=Kind.ARTIFACT_STORE, flavor="s3", configuration={"path": "s3://mine"})


@pytest.fixture(params=["fake", "zenml"])
def registry(request: pytest.FixtureRequest) -> StackRegistry:
    if request.param == "fake":
        return FakeStackRegistry()
    stack: RunningStack = request.getfixturevalue("local_stack")
    return ZenmlStack(ZenmlServer(stack.addresses.pipelines))


@pytest.fixture
def name() -> str:
    """A name that no other test has used on the same server."""
    return f"test_{secrets.token_hex(4)}"


def test_a_store_that_was_not_created_is_not_listed(registry: StackRegistry, name: str) -> None:
    assert registry.secret(name) is None
    assert registry.component(Kind.ARTIFACT_STORE, name) is None
    assert registry.stack(name) is None


def test_a_secret_is_made_then_left_alone_then_changed(registry: StackRegistry, name: str) -> None:
    secret = Secret(name=name, values={"user": "anna", "password": "hers"})
    assert registry.set_secret(secret) is ChangeKind.MADE
    assert registry.set_secret(secret) is ChangeKind.UNCHANGED
    changed = Secret(name=name, values={"user": "ben"})
    assert registry.set_secret(changed) is ChangeKind.CHANGED
    assert registry.secret(name) == changed


def test_a_component_is_made_then_left_alone_then_changed(registry: StackRegistry, name: str) -> None:
    store = replace(STORE, name=name)
    assert registry.set_component(store) is ChangeKind.MADE
    assert registry.set_component(store) is ChangeKind.UNCHANGED
    more = replace(store, configuration={"client_kwargs": {"endpoint_url": "http://s3.test"}})
    assert registry.set_component(more) is ChangeKind.CHANGED
    found = registry.component(Kind.ARTIFACT_STORE, name)
    assert found is not None
    assert found.configuration.items() >= (store.configuration | more.configuration).items()


def test_components_of_other_kinds_may_have_the_same_name(registry: StackRegistry, name: str) -> None:
    registry.set_component(replace(STORE, name=name))
    tracker = {"tracking_uri": "http://mlflow.test", "tracking_username": "a", "tracking_password": "b"}
    made = Component(name=name, kind=Kind.EXPERIMENT_TRACKER, flavor="mlflow", configuration=tracker)
    assert registry.set_component(made) is ChangeKind.MADE
    found = registry.component(Kind.ARTIFACT_STORE, name)
    assert found is not None
    assert found.flavor == "s3"


def test_a_stack_is_made_then_left_alone_then_changed(registry: StackRegistry, name: str) -> None:
    for each in (name, f"{name}_2"):
        registry.set_component(replace(STORE, name=each))
    container = {Kind.ORCHESTRATOR: "default", Kind.ARTIFACT_STORE: name}
    assert registry.set_stack(name, container) is ChangeKind.MADE
    assert registry.set_stack(name, container) is ChangeKind.UNCHANGED
    other = container | {Kind.ARTIFACT_STORE: f"{name}_2"}
    assert registry.set_stack(name, other) is ChangeKind.CHANGED
    assert registry.stack(name) == other
