"""The servers of MLflow and ZenML as far as they are tried, each with the ways in which it can go wrong."""

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from tests.loopback import Asked, Reply, json_reply

USER, PASSWORD = "anna", "anna-password"
API_KEY = "ZENKEY_" + base64.b64encode(json.dumps({"id": str(uuid4()), "key": "right"}).encode()).decode()
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
UNKNOWN_HOST = b"Invalid Host header - possible DNS rebinding attack detected"


@dataclass(kw_only=True)
class CannedMlflow:
    """One user, one experiment. `detour` is the store to which clients are sent; this server where it is empty."""

    version: str = "3.17.2"
    lets_anybody_in: bool = False
    takes_any_password: bool = False
    refuses_host: bool = False
    ahead: timedelta = timedelta()
    sends_away: bool = False
    detour: str = ""
    spoils_artifacts: bool = False
    spoils_metrics: bool = False
    talks_nonsense: bool = False
    artifacts: dict[str, bytes] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)

    def __call__(self, asked: Asked) -> Reply:
        reply = self._answer(asked)
        return Reply(status=reply.status, body=reply.body, headers=reply.headers, ahead=self.ahead)

    def _answer(self, asked: Asked) -> Reply:
        if asked.path == "/health":
            return Reply(body=b"OK")
        if self.refuses_host:
            return Reply(status=403, body=UNKNOWN_HOST)
        if not self._knows(asked):
            return Reply(status=401, body=b"You are not authenticated.")
        return json_reply(["hello"]) if self.talks_nonsense else self._content(asked, urlsplit(asked.path).path)

    def _content(self, asked: Asked, path: str) -> Reply:
        if path == "/version":
            return Reply(body=self.version.encode())
        if path.startswith(f"{ARTIFACTS}/"):
            return self._artifact(asked, path.removeprefix(f"{ARTIFACTS}/"))
        if path == "/api/3.0/mlflow/server-info":
            return json_reply({"multipart_downloads_enabled": self.sends_away})
        if "/presigned/" in path:
            store = self.detour or f"http://{asked.headers['host']}"
            return json_reply({"url": f"{store}{ARTIFACTS}/{path.partition('/presigned/')[2]}?signature=secret"})
        return self._record(asked, path)

    def _knows(self, asked: Asked) -> bool:
        told = asked.headers.get("authorization", "")
        if self.lets_anybody_in:
            return True
        user, _, password = base64.b64decode(told.removeprefix("Basic ")).decode().partition(":")
        return user == USER and (self.takes_any_password or password == PASSWORD)

    def _artifact(self, asked: Asked, name: str) -> Reply:
        if asked.method == "PUT":
            self.artifacts[name] = asked.body[:-1] if self.spoils_artifacts else asked.body
        elif asked.method == "DELETE":
            self.artifacts.pop(name)
        elif name not in self.artifacts:
            return Reply(status=404)
        else:
            return Reply(body=self.artifacts[name])
        return json_reply({})

    def _record(self, asked: Asked, path: str) -> Reply:
        sent: dict[str, Any] = json.loads(asked.body or b"{}")
        match path.removeprefix("/api/2.0/mlflow"):
            case "/experiments/get-by-name":
                return Reply(status=404)
            case "/experiments/create":
                return json_reply({"experiment_id": "7"})
            case "/runs/create":
                self.runs.add("abc")
                return json_reply({"run": {"info": {"run_id": "abc"}}})
            case "/runs/delete":
                self.runs.remove(sent["run_id"])
            case "/runs/log-metric":
                self.metrics.append(sent | ({"value": -1} if self.spoils_metrics else {}))
            case "/metrics/get-history":
                return json_reply({"metrics": self.metrics[-1:]})
        return json_reply({})


@dataclass(kw_only=True)
class CannedZenml:
    """One person and one service account; `database` is what it keeps of secrets, by id."""

    version: str = "0.98.0"
    active: bool = True
    lets_anybody_in: bool = False
    takes_any_password: bool = False
    encrypts: bool = True
    ahead: timedelta = timedelta()
    stacks: dict[str, dict[str, str]] = field(default_factory=dict)
    database: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(f"{asked.method} {asked.path}")
        reply = self._answer(asked, urlsplit(asked.path).path.removeprefix("/api/v1"))
        return Reply(status=reply.status, body=reply.body, headers=reply.headers, ahead=self.ahead)

    def _answer(self, asked: Asked, path: str) -> Reply:
        if path == "/info":
            return json_reply({"version": self.version, "active": self.active, "secrets_store_type": "sql"})
        if path == "/login":
            return self._login({name: values[0] for name, values in parse_qs(asked.body.decode()).items()})
        if not self.lets_anybody_in and asked.headers.get("authorization") != "Bearer token":
            return json_reply({"detail": ["CredentialsNotValid", "no token"]}, status=401)
        return self._content(asked, path)

    def _content(self, asked: Asked, path: str) -> Reply:
        if path.startswith("/secrets") and asked.method != "GET":
            return self._secret(asked, path)
        if path == "/stacks":
            wanted = parse_qs(urlsplit(asked.path).query).get("name", ["mlflow_stack"])[0]
            return json_reply({"items": [{"id": wanted}] if wanted in self.stacks else []})
        if path.startswith("/stacks/"):
            parts = {kind: [{"name": name}] for kind, name in self.stacks[path.removeprefix("/stacks/")].items()}
            return json_reply({"metadata": {"components": parts}})
        return json_reply({"name": USER})

    def _login(self, form: dict[str, str]) -> Reply:
        by_key = form.get("grant_type") == "zenml-api-key" and form["password"] == API_KEY
        by_name = form.get("username") == USER and form.get("password") == PASSWORD
        if by_key or by_name or self.takes_any_password:
            return json_reply({"access_token": "token"})
        return json_reply({"detail": ["CredentialsNotValid", "wrong"]}, status=401)

    def _secret(self, asked: Asked, path: str) -> Reply:
        if asked.method == "DELETE":
            del self.database[path.removeprefix("/secrets/").replace("-", "")]
            return json_reply({})
        made = uuid4()
        values = json.dumps(json.loads(asked.body)["values"]).encode()
        self.database[made.hex] = b"\x93\x17sealed" if self.encrypts else base64.b64encode(values)
        return json_reply({"id": str(made)})
