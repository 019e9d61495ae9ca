"""ZenML's server as `doctor` and `backup` see it: behind the port `PipelineProbe`, and a snapshot of its records."""

import base64
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import quote
from uuid import UUID

from cv_yolo.domain.promotion.audit import Entry, read_entry
from cv_yolo.domain.stack import PipelineServerAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.clients import PipelineClient, installed, reach, sense
from cv_yolo_stack.domain.snapshot import AUDIT, entry_name, hash_of, identity

NAME: Final = "ZenML"
GUARDED: Final = ("/current-user", "/stacks", "/secrets", "/users", "/service_accounts")
PROBE_PREFIX: Final = "cv_yolo_probe_"
STALE_AFTER: Final = timedelta(minutes=10)  # a doctor is done after one
KEY_PREFIX: Final = "ZENKEY_"


class ZenmlProbe:
    """Tries one server; `connect` makes a client for the user in the address."""

    def __init__(
        self,
        address: PipelineServerAddress,
        connect: Callable[[PipelineServerAddress], PipelineClient],
        *,
        timeout_s: float,
    ) -> None:
        self._address, self._connect, self._timeout_s = address, connect, timeout_s
        self._server = connect(address)

    @property
    def address(self) -> str:
        """Where the server answers."""
        return self._address.url

    def greet(self) -> None:
        """Reach the server, and see that it is ZenML's."""
        reach(self.address, timeout_s=self._timeout_s)
        with sense(NAME):
            self._server.info()["version"]

    def clock(self) -> datetime | None:
        """The server's time."""
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

    def ask_anonymously(self) -> Mapping[str, int]:
        """Ask for everything that reveals something, without any login."""
        return {path: self._server.ask("GET", path, authenticated=False).status for path in GUARDED}

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
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
            raise ServiceUnavailableError("a new secret is not in the database")
        return value.encode() in kept + _decoded(kept)

    def _remove_stale_secrets(self) -> None:
        """Remove the secrets of trials that were killed: those that are older than any running trial."""
        for each in self._server.done("GET", f"/secrets?name=startswith:{PROBE_PREFIX}&size=100").get("items", ()):
            made = datetime.fromisoformat(str(each["body"]["created"]))
            made = made if made.tzinfo else made.replace(tzinfo=UTC)  # ZenML returns UTC without a time zone
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
        parts = json.loads(base64.b64decode(key.removeprefix(KEY_PREFIX)))
        other = json.dumps({"id": parts["id"], "key": secret})
    except (ValueError, TypeError, KeyError):
        return f"{KEY_PREFIX}{secret}"
    return f"{KEY_PREFIX}{base64.b64encode(other.encode()).decode()}"


PAGE: Final = 100
LOG: Final = "audit_log_"

Hashes = dict[str, dict[str, str]]


class ZenmlReader(Protocol):
    """Sends requests to ZenML's server."""

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The body of the server's answer."""


class ZenmlSnapshot:
    """Takes a snapshot of one server; `steady` removes what differs between installations."""

    def __init__(self, server: ZenmlReader, *, steady: Callable[[str], str] = identity) -> None:
        self._server, self._steady = server, steady

    def take(self) -> Hashes:
        """A hash for each pipeline run, each version of an artifact and of a model, and each entry of an audit log."""
        runs = {each["id"]: self._hash(each) for each in self._all("/runs")}
        artifacts = {each["id"]: self._hash(each) for each in self._all("/artifact_versions")}
        versions: dict[str, str] = {}
        entries: dict[str, str] = {}
        for each in self._all("/model_versions"):
            model = each["body"]["model"]["name"]
            versions[f"{model} {each['name']}"] = self._hash(each)
            entry = _entry(each, model)
            if entry is not None:
                entries[entry_name(entry.model, entry.number)] = entry.sha256
        return {
            "ZenML pipeline runs": runs,
            "ZenML artifact versions": artifacts,
            "ZenML model versions": versions,
            AUDIT: entries,
        }

    def _hash(self, entry: dict[str, Any]) -> str:
        """Hash the entry itself, without what it refers to (`resources`), which has its own hash."""
        return hash_of([entry["id"], entry.get("name"), entry["body"], entry.get("metadata")], self._steady)

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        index, pages = 1, 1
        while index <= pages:
            page = self._server.done("GET", f"{path}?size={PAGE}&page={index}&hydrate=true&sort_by=asc:created")
            yield from page["items"]
            index, pages = index + 1, int(page["total_pages"])


def _entry(version: dict[str, Any], model: str) -> Entry | None:
    """The entry in a version of an audit log; None for other models, and for anything else."""
    if not model.startswith(LOG):
        return None
    try:
        return read_entry(str((version.get("metadata") or {}).get("description")))
    except ValueError:
        return None
