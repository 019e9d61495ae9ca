"""Read from ZenML's stack where everything is.

The server's stack is the one place that knows addresses and credentials: a client needs its URL and a key, no more.
"""

import re
from typing import Final

from cv_yolo.domain.stack import (
    OBJECTS_SECRET,
    STACK,
    Component,
    Kind,
    ObjectStoreAddress,
    PipelineServerAddress,
    StackAddresses,
    TrackingAddress,
)
from cv_yolo.errors import ConfigError, NotFoundError
from cv_yolo.ports.servers import StackRegistry

REFERENCE: Final = re.compile(r"\{\{\s*([\w-]+)\.([\w-]+)\s*\}\}")
DEFAULT_REGION: Final = "us-east-1"


def read_addresses(server: PipelineServerAddress, registry: StackRegistry, *, stack: str = STACK) -> StackAddresses:
    """The addresses and credentials that a registered stack holds.

    Raises `NotFoundError` where there is no such stack, `ConfigError` where it lacks what we need.
    """
    parts = registry.stack(stack)
    if parts is None:
        raise NotFoundError(
            f"ZenML at {server.url} has no stack {stack!r}",
            hint="`cv-yolo stack register` makes it, on the server's side",
        )
    tracker = _part(registry, parts, Kind.EXPERIMENT_TRACKER, flavor="mlflow", stack=stack)
    store = _part(registry, parts, Kind.ARTIFACT_STORE, flavor="s3", stack=stack)
    return StackAddresses(pipelines=server, tracking=_tracking(tracker, registry), objects=_objects(store, registry))


def _part(registry: StackRegistry, parts: dict[Kind, str], kind: Kind, *, flavor: str, stack: str) -> Component:
    name = parts.get(kind)
    found = None if name is None else registry.component(kind, name)
    word = kind.value.replace("_", " ")
    if found is None or found.flavor != flavor:
        has = "has none" if found is None else f"has {found.name} of flavor {found.flavor}"
        raise ConfigError(
            f"stack {stack!r} needs an {word} of flavor {flavor}, and {has}",
            hint="`cv-yolo stack register` makes one, or choose another stack with CV_YOLO_STACK",
        )
    return found


def _tracking(tracker: Component, registry: StackRegistry) -> TrackingAddress:
    values = {key: _resolved(str(value), registry) for key, value in tracker.configuration.items() if value}
    if "tracking_uri" not in values:
        raise ConfigError(f"{tracker.name} has no `tracking_uri`", hint="`cv-yolo stack register` sets it")
    return TrackingAddress(
        uri=values["tracking_uri"], user=values.get("tracking_username"), password=values.get("tracking_password")
    )


def _objects(store: Component, registry: StackRegistry) -> ObjectStoreAddress:
    configuration = store.configuration
    secret = registry.secret(str(configuration.get("authentication_secret") or OBJECTS_SECRET))
    kept = {} if secret is None else secret.values
    access, hidden = configuration.get("key"), configuration.get("secret")
    options = configuration.get("client_kwargs") or {}
    if not isinstance(options, dict):
        raise ConfigError(f"{store.name}: `client_kwargs` is no mapping", hint="`cv-yolo stack register` sets it again")
    return ObjectStoreAddress(
        endpoint_url=options.get("endpoint_url"),
        access_key=_resolved(str(access), registry) if access else kept.get("aws_access_key_id", ""),
        secret_key=_resolved(str(hidden), registry) if hidden else kept.get("aws_secret_access_key", ""),
        region=str(options.get("region_name") or DEFAULT_REGION),
    )


def _resolved(text: str, registry: StackRegistry) -> str:
    """The text with its references to secrets (`{{name.key}}`) replaced; raises `ConfigError` for one that is lost."""

    def value(reference: re.Match[str]) -> str:
        secret = registry.secret(reference[1])
        if secret is None or reference[2] not in secret.values:
            raise ConfigError(
                f"the stack refers to {reference[0]}, which is no secret of the server",
                hint="`cv-yolo stack register` creates it again",
            )
        return secret.values[reference[2]]

    return REFERENCE.sub(value, text)
