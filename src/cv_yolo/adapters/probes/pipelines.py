"""ZenML's server behind the port `PipelineProbe`."""

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote
from uuid import UUID

from cv_yolo.adapters.probes.clients import PipelineClient
from cv_yolo.adapters.probes.packages import installed
from cv_yolo.adapters.probes.reach import reach, sense
from cv_yolo.domain.addresses import PipelineServerAddress
from cv_yolo.errors import ServiceUnavailableError

NAME: Final = "ZenML"
GUARDED: Final = ("/current-user", "/stacks", "/secrets", "/users", "/service_accounts")
PROBE_PREFIX: Final = "cv_yolo_probe_"
STALE_AFTER: Final = timedelta(minutes=10)  # a doctor is done after one
KEY_PREFIX: Final = "ZENKEY_"


class ZenmlProbe:
    """Tries one server; `connect` makes a client for whoever is in the address."""

    def __init__(
        self,
        address: PipelineServerAddress,
        connect: Callable[[PipelineServerAddress], PipelineClient],
        *,
        patience_s: float,
    ) -> None:
        self._address, self._connect, self._patience_s = address, connect, patience_s
        self._server = connect(address)

    @property
    def address(self) -> str:
        """Where the server answers."""
        return self._address.url

    def greet(self) -> None:
        """Reach the server, and see that it is ZenML's."""
        reach(self.address, patience_s=self._patience_s)
        with sense(NAME):
            self._server.info()["version"]

    def clock(self) -> datetime | None:
        """What the server's clock says."""
        return self._server.ask("GET", "/info", authenticated=False).at

    def version(self) -> str:
        """The server's version."""
        with sense(NAME):
            return str(self._server.info()["version"])

    def client_version(self) -> str:
        """The version of ZenML here."""
        return installed("zenml")

    def is_active(self) -> bool:
        """Whether an administrator was made."""
        with sense(NAME):
            return bool(self._server.info()["active"])

    def ask_as_nobody(self) -> Mapping[str, int]:
        """Ask for everything that tells something, without any login."""
        return {path: self._server.ask("GET", path, authenticated=False).status for path in GUARDED}

    def ask_as_impostor(self) -> Mapping[str, int]:
        """Log in with a wrong key, or with our name and a wrong password."""
        wrong = secrets.token_urlsafe(18)
        if self._address.api_key:
            key = {"wrong key": _other_key(self._address.api_key, wrong), "no key at all": wrong}
            liars = {what: replace(self._address, api_key=each) for what, each in key.items()}
        else:
            liars = {"wrong password": replace(self._address, password=wrong)}
        return {what: self._connect(liar).ask_login().status for what, liar in liars.items()}

    def log_in(self) -> str:
        """Ask who we are."""
        with sense(NAME):
            return str(self._server.done("GET", "/current-user")["name"])

    def secrets_store(self) -> str:
        """The kind of the store of secrets."""
        with sense(NAME):
            return str(self._server.info()["secrets_store_type"])

    def secret_is_readable(self, stored: Callable[[str], bytes]) -> bool:
        """Make a secret, look for its value in what is stored, and delete it."""
        value = secrets.token_hex(16)
        asked = {"name": f"{PROBE_PREFIX}{secrets.token_hex(4)}", "values": {"probe": value}}
        with sense(NAME):
            self._remove_stale_secrets()
            made = UUID(str(self._server.done("POST", "/secrets", asked)["id"]))
            try:
                kept = stored(made.hex)
            finally:
                self._server.done("DELETE", f"/secrets/{made}")
        if not kept:
            raise ServiceUnavailableError("a secret that was made is not in the database")
        return value.encode() in kept + _decoded(kept)

    def _remove_stale_secrets(self) -> None:
        """Remove the secrets of trials that were killed: those that are older than any trial at work."""
        for each in self._server.done("GET", f"/secrets?name=startswith:{PROBE_PREFIX}&size=100").get("items", ()):
            made = datetime.fromisoformat(str(each["body"]["created"]))
            made = made if made.tzinfo else made.replace(tzinfo=UTC)  # ZenML tells UTC, and does not say so
            if str(each["name"]).startswith(PROBE_PREFIX) and datetime.now(UTC) - made > STALE_AFTER:
                self._server.done("DELETE", f"/secrets/{each['id']}")

    def components(self, stack: str) -> tuple[str, ...] | None:
        """The names of a stack's components."""
        with sense(NAME):
            found = self._server.done("GET", f"/stacks?name={quote(stack, safe='')}")["items"]
            if not found:
                return None
            parts = self._server.done("GET", f"/stacks/{found[0]['id']}")["metadata"]["components"]
            return tuple(str(each["name"]) for kind in parts.values() for each in kind)


def _decoded(kept: bytes) -> bytes:
    try:
        return base64.b64decode(kept)
    except ValueError:  # no base64: nothing that is only disguised
        return b""


def _other_key(key: str, secret: str) -> str:
    """A key of the same account with another secret; for a key of unknown shape, anything."""
    try:
        told = json.loads(base64.b64decode(key.removeprefix(KEY_PREFIX)))
        other = json.dumps({"id": told["id"], "key": secret})
    except (ValueError, TypeError, KeyError):
        return f"{KEY_PREFIX}{secret}"
    return f"{KEY_PREFIX}{base64.b64encode(other.encode()).decode()}"
