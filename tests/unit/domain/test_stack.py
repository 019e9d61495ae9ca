"""What a stack consists of: references to secrets, and never a secret itself."""

from dataclasses import replace

from cv_yolo.domain.stack import components_of, secrets_of
from tests.fake_servers import OBJECTS, TRACKING, some_addresses


def test_components_refer_to_secrets_and_hold_none() -> None:
    text = repr(components_of(some_addresses()))
    assert "{{mlflow_zenml_secret.tracking_password}}" in text
    assert OBJECTS.secret_key not in text
    assert TRACKING.password is not None
    assert TRACKING.password not in text


def test_a_secret_does_not_show_its_values() -> None:
    addresses = some_addresses()
    shown = repr((secrets_of(addresses), addresses))
    assert not any(
        value in shown
        for secret in secrets_of(addresses)
        for value in secret.values.values()
        if value not in {"admin", "access"}
    )


def test_amazons_own_store_has_no_endpoint() -> None:
    amazon = replace(OBJECTS, endpoint_url=None)
    _, store = components_of(some_addresses(objects=amazon))
    assert store.configuration["client_kwargs"] == {"region_name": "us-east-1"}
    _, minio = components_of(some_addresses())
    assert minio.configuration["client_kwargs"] == {"region_name": "us-east-1", "endpoint_url": OBJECTS.endpoint_url}
