"""ZenML's stacks, components and secrets behind the port `StackRegistry`, by the server's REST interface.

ZenML's own client takes seconds to import and makes a configuration of its own; reading an address should cost neither.
"""

from typing import Any, Protocol
from urllib.parse import quote

from cv_yolo.domain.stack import Component, Deed, Kind, Secret


class Server(Protocol):
    """ZenML's REST interface, logged in; raises `ServiceUnavailableError` where the server refuses."""

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The body of the server's answer."""


class ZenmlStack:
    """Stacks on one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def secret(self, name: str) -> Secret | None:
        """The secret of that name with its values."""
        found = self._find("secrets", name)
        if found is None:
            return None
        values = self._server.done("GET", f"/secrets/{found['id']}")["body"]["values"]
        return Secret(name=name, values=dict(values))

    def set_secret(self, secret: Secret) -> Deed:
        """Keep the secret with exactly these values."""
        known = self.secret(secret.name)
        if known == secret:
            return Deed.UNCHANGED
        if known is None:
            self._server.done("POST", "/secrets", {"name": secret.name, "values": secret.values})
            return Deed.MADE
        found = self._find("secrets", secret.name)
        gone = dict.fromkeys(known.values.keys() - secret.values.keys())
        self._server.done("PUT", f"/secrets/{found['id']}", {"values": secret.values | gone})
        return Deed.CHANGED

    def component(self, kind: Kind, name: str) -> Component | None:
        """The component of that kind and name."""
        found = self._component(kind, name)
        return None if found is None else _component(found)

    def set_component(self, component: Component) -> Deed:
        """Keep the component with this configuration; other keys of a known one are left as they are."""
        found = self._component(component.kind, component.name)
        if found is None:
            asked = {"name": component.name, "type": component.kind.value, "flavor": component.flavor}
            self._server.done("POST", "/components", asked | {"configuration": component.configuration})
            return Deed.MADE
        known = _component(found)
        wanted = known.configuration | component.configuration
        if wanted == known.configuration:
            return Deed.UNCHANGED
        self._server.done("PUT", f"/components/{found['id']}", {"configuration": wanted})
        return Deed.CHANGED

    def stack(self, name: str) -> dict[Kind, str] | None:
        """The names of the components of a stack, of the kinds that we use."""
        found = self._find("stacks", name)
        if found is None:
            return None
        parts = self._server.done("GET", f"/stacks/{found['id']}")["metadata"]["components"]
        return {kind: parts[kind.value][0]["name"] for kind in Kind if parts.get(kind.value)}

    def set_stack(self, name: str, components: dict[Kind, str]) -> Deed:
        """Keep the stack with exactly these components."""
        known = self.stack(name)
        if known == components:
            return Deed.UNCHANGED
        ids = {kind.value: [self._component(kind, each)["id"]] for kind, each in components.items()}
        if known is None:
            self._server.done("POST", "/stacks", {"name": name, "components": ids})
            return Deed.MADE
        self._server.done("PUT", f"/stacks/{self._find('stacks', name)['id']}", {"components": ids})
        return Deed.CHANGED

    def _component(self, kind: Kind, name: str) -> Any:
        found = self._find("components", name, f"&type={kind.value}")
        return None if found is None else self._server.done("GET", f"/components/{found['id']}")

    def _find(self, what: str, name: str, more: str = "") -> Any:
        items = self._server.done("GET", f"/{what}?name={quote(name, safe='')}{more}")["items"]
        return items[0] if items else None


def _component(found: Any) -> Component:
    return Component(
        name=found["name"],
        kind=Kind(found["body"]["type"]),
        flavor=found["body"]["flavor_name"],
        configuration=dict(found["metadata"]["configuration"]),
    )
