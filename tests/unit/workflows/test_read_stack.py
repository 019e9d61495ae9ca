"""Reading a stack: ours, or one registered by hand."""

from typing import Any

import pytest

from cv_yolo.domain.stack import Component, Kind, ObjectStoreAddress, PipelineServerAddress, Secret, TrackingAddress
from cv_yolo.errors import ConfigError, NotFoundError
from cv_yolo.workflows.read_stack import read_addresses
from tests.fake_servers import FakeStackRegistry

SERVER = PipelineServerAddress(url="http://zenml.test", api_key="key")
TRACKER = {"tracking_uri": "http://mlflow.test", "tracking_username": "anna", "tracking_password": "hers"}
STORE = {"path": "s3://mine", "key": "access", "secret": "{{ s3.hidden }}"}


def a_registry(*, tracker: dict[str, Any] | None = None, store: dict[str, Any] | None = None) -> FakeStackRegistry:
    registry = FakeStackRegistry()
    registry.set_secret(Secret(name="s3", values={"hidden": "secret", "aws_access_key_id": "a"}))
    for kind, name, flavor, configuration in (
        (Kind.EXPERIMENT_TRACKER, "theirs", "mlflow", TRACKER if tracker is None else tracker),
        (Kind.ARTIFACT_STORE, "bucket", "s3", STORE if store is None else store),
    ):
        registry.set_component(Component(name=name, kind=kind, flavor=flavor, configuration=configuration))
    registry.set_stack("byhand", {Kind.EXPERIMENT_TRACKER: "theirs", Kind.ARTIFACT_STORE: "bucket"})
    return registry


def test_values_and_references_to_secrets_are_read_alike() -> None:
    found = read_addresses(SERVER, a_registry(), stack="byhand")
    assert found.tracking == TrackingAddress(uri="http://mlflow.test", user="anna", password="hers")
    assert found.objects == ObjectStoreAddress(endpoint_url=None, access_key="access", secret_key="secret")


def test_a_secret_that_the_store_names_gives_both_keys_and_endpoint_and_region_come_along() -> None:
    store = {"authentication_secret": "s3", "client_kwargs": {"endpoint_url": "http://s3.test", "region_name": "eu"}}
    found = read_addresses(SERVER, a_registry(store=store), stack="byhand").objects
    assert found == ObjectStoreAddress(endpoint_url="http://s3.test", access_key="a", secret_key="", region="eu")


def test_a_missing_secret_leaves_the_keys_empty_and_options_in_another_form_are_refused() -> None:
    found = read_addresses(SERVER, a_registry(store={"authentication_secret": "unknown"}), stack="byhand").objects
    assert found == ObjectStoreAddress(endpoint_url=None, access_key="", secret_key="")
    with pytest.raises(ConfigError, match="`client_kwargs` is no mapping"):
        read_addresses(SERVER, a_registry(store={"client_kwargs": "text"}), stack="byhand")


def test_a_stack_that_is_not_there_is_an_error_that_names_the_command_that_makes_it() -> None:
    with pytest.raises(NotFoundError, match="no stack 'other'") as raised:
        read_addresses(SERVER, a_registry(), stack="other")
    assert "stack register" in (raised.value.hint or "")


def test_a_stack_without_a_tracker_or_with_another_flavor_is_refused() -> None:
    registry = a_registry()
    with pytest.raises(ConfigError, match="experiment tracker of flavor mlflow, and has none"):
        read_addresses(SERVER, registry, stack="default")
    local = Component(name="folder", kind=Kind.ARTIFACT_STORE, flavor="local", configuration={})
    registry.set_component(local)
    registry.set_stack("byhand", {Kind.EXPERIMENT_TRACKER: "theirs", Kind.ARTIFACT_STORE: "folder"})
    with pytest.raises(ConfigError, match="artifact store of flavor s3, and has folder of flavor local"):
        read_addresses(SERVER, registry, stack="byhand")


def test_a_tracker_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="theirs has no `tracking_uri`"):
        read_addresses(SERVER, a_registry(tracker={"tracking_uri": ""}), stack="byhand")


@pytest.mark.parametrize("reference", ["{{lost.key}}", "{{s3.lost}}"])
def test_a_reference_to_a_secret_that_is_lost_is_shown(reference: str) -> None:
    with pytest.raises(ConfigError, match="refers to"):
        read_addresses(SERVER, a_registry(store=STORE | {"secret": reference}), stack="byhand")
