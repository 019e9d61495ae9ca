"""ZenML's REST interface: requests about stacks, secrets, service accounts and API keys; the port `StackRegistry`.

ZenML's own client takes seconds to import and makes a configuration of its own; reading an address should cost neither.
"""

from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote

from cv_yolo.domain.stack import ChangeKind, Component, Kind, PipelineServerAddress, Secret
from cv_yolo.errors import AccessRefusedError, ServiceUnavailableError
from cv_yolo.http import Answer, ask

API: Final = "/api/v1"
NEW_KEY: Final = (
    "the key is wrong, revoked or expired: `cv-yolo stack key NAME` on the servers' machine makes a new one, "
    "`cv-yolo connect URL` takes it"
)


class ZenmlServer:
    """One server, asked as the service account or the person of its address."""

    def __init__(self, address: PipelineServerAddress, *, timeout_s: float = 10.0) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._token: str | None = None

    def use(self) -> None:
        """Log in, and ask who we are."""
        self.done("GET", "/current-user")

    def skip_survey(self) -> None:
        """Let the dashboard show its pages at once to the person we are, instead of asking for name and address."""
        answers = {"email_opted_in": False, "user_metadata": {"finished_onboarding_survey": True}}
        self.done("PUT", "/current-user", answers)

    def info(self) -> dict[str, Any]:
        """What the server reports without a login: version, deployment, whether it is active."""
        answer = self.ask("GET", "/info", authenticated=False)
        if not answer.ok or not isinstance(answer.body, dict):
            raise ServiceUnavailableError(f"{self}: this is no ZenML server (/info was answered {answer.status})")
        return answer.body

    def make_api_key(self, account: str, key: str) -> str:
        """A new key for a service account, which is made where there is none; a key of that name is replaced.

        The key is shown by the server only now.
        """
        accounts = self.done("GET", f"/service_accounts?name={account}")["items"]
        made = accounts[0] if accounts else self.done("POST", "/service_accounts", {"name": account, "active": True})
        keys = f"/service_accounts/{made['id']}/api_keys"
        for former in self.done("GET", f"{keys}?name={key}")["items"]:
            self.done("DELETE", f"{keys}/{former['id']}")
        return str(self.done("POST", keys, {"name": key, "description": "made by cv-yolo"})["body"]["key"])

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The body of the server's answer; raises `ServiceUnavailableError` where it refused."""
        answer = self.ask(method, path, json)
        if answer.ok:
            return answer.body
        raise self._refused(path, answer)

    def ask(self, method: str, path: str, json: Any = None, *, authenticated: bool = True) -> Answer:
        """The server's answer, whatever it is; `path` begins behind `/api/v1`."""
        headers = {"Authorization": f"Bearer {self._login()}"} if authenticated else {}
        return ask(method, self._url(path), name="ZenML", headers=headers, json=json, timeout_s=self._timeout_s)

    def ask_login(self) -> Answer:
        """The server's answer to our credentials, whatever it is."""
        address = self._address
        form = {"username": address.user or "", "password": address.password or ""}
        if address.api_key:
            form = {"grant_type": "zenml-api-key", "password": address.api_key}
        return ask("POST", self._url("/login"), name="ZenML", form=form, timeout_s=self._timeout_s)

    def __str__(self) -> str:
        return f"ZenML at {self._address.url}"

    def _login(self) -> str:
        if self._token is None:
            answer = self.ask_login()
            if not answer.ok:
                raise self._refused("/login", answer)
            self._token = str(answer.body["access_token"])
        return self._token

    def _url(self, path: str) -> str:
        return f"{self._address.url.rstrip('/')}{API}{path}"

    def _refused(self, path: str, answer: Answer) -> ServiceUnavailableError:
        said = answer.body.get("detail", answer.body) if isinstance(answer.body, dict) else answer.body
        said = said[-1] if isinstance(said, list) and said else said
        message = f"{self}: {path} was answered {answer.status}: {str(said)[:200]}"
        if answer.status in {401, 403}:
            return AccessRefusedError(message, hint=NEW_KEY if self._address.api_key else "is the password right?")
        failed = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return ServiceUnavailableError(message, hint="is its database up? see `cv-yolo status`" if failed else None)


class ZenmlApi(Protocol):
    """ZenML's REST interface, logged in; raises `ServiceUnavailableError` where the server refuses."""

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The body of the server's answer."""


class ZenmlStack:
    """Stacks on one server."""

    def __init__(self, server: ZenmlApi) -> None:
        self._server = server

    def secret(self, name: str) -> Secret | None:
        """The secret of that name with its values."""
        found = self._find("secrets", name)
        if found is None:
            return None
        values = self._server.done("GET", f"/secrets/{found['id']}")["body"]["values"]
        return Secret(name=name, values=dict(values))

    def set_secret(self, secret: Secret) -> ChangeKind:
        """Keep the secret with exactly these values."""
        known = self.secret(secret.name)
        if known == secret:
            return ChangeKind.UNCHANGED
        if known is None:
            self._server.done("POST", "/secrets", {"name": secret.name, "values": secret.values})
            return ChangeKind.MADE
        found = self._find("secrets", secret.name)
        gone = dict.fromkeys(known.values.keys() - secret.values.keys())
        self._server.done("PUT", f"/secrets/{found['id']}", {"values": secret.values | gone})
        return ChangeKind.CHANGED

    def component(self, kind: Kind, name: str) -> Component | None:
        """The component of that kind and name."""
        found = self._component(kind, name)
        return None if found is None else _component(found)

    def set_component(self, component: Component) -> ChangeKind:
        """Keep the component with this configuration; other keys of a known one are left as they are."""
        found = self._component(component.kind, component.name)
        if found is None:
            asked = {"name": component.name, "type": component.kind.value, "flavor": component.flavor}
            self._server.done("POST", "/components", asked | {"configuration": component.configuration})
            return ChangeKind.MADE
        known = _component(found)
        wanted = known.configuration | component.configuration
        if wanted == known.configuration:
            return ChangeKind.UNCHANGED
        self._server.done("PUT", f"/components/{found['id']}", {"configuration": wanted})
        return ChangeKind.CHANGED

    def stack(self, name: str) -> dict[Kind, str] | None:
        """The names of the components of a stack, of the kinds that we use."""
        found = self._find("stacks", name)
        if found is None:
            return None
        parts = self._server.done("GET", f"/stacks/{found['id']}")["metadata"]["components"]
        return {kind: parts[kind.value][0]["name"] for kind in Kind if parts.get(kind.value)}

    def set_stack(self, name: str, components: dict[Kind, str]) -> ChangeKind:
        """Keep the stack with exactly these components."""
        known = self.stack(name)
        if known == components:
            return ChangeKind.UNCHANGED
        ids = {kind.value: [self._component(kind, each)["id"]] for kind, each in components.items()}
        if known is None:
            self._server.done("POST", "/stacks", {"name": name, "components": ids})
            return ChangeKind.MADE
        self._server.done("PUT", f"/stacks/{self._find('stacks', name)['id']}", {"components": ids})
        return ChangeKind.CHANGED

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
