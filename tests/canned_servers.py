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
    loses_tags: bool = False
    deleted: str = ""
    experiment: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

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
        reported = asked.headers.get("authorization", "")
        if self.lets_anybody_in:
            return True
        user, _, password = base64.b64decode(reported.removeprefix("Basic ")).decode().partition(":")
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
        asks = self._run if "/mlflow/runs/" in path else self._experiment
        return asks(path.rpartition("/")[2], sent, asked.path) or json_reply({})

    def _experiment(self, action: str, sent: dict[str, Any], _: str) -> Reply | None:
        if action == "get-by-name":
            return json_reply({"experiment": self.experiment}) if self.experiment else Reply(status=404)
        if action == "get":
            return json_reply({"experiment": self.experiment})
        if action == "create":
            self.experiment = sent | {"experiment_id": "7", "lifecycle_stage": "active"}
            return json_reply({"experiment_id": "7"})
        if action == "search":
            found = [{"experiment_id": "4", "name": self.deleted}] if sent.get("view_type") and self.deleted else []
            return json_reply({"experiments": found})
        if action == "restore":
            self.experiment["lifecycle_stage"] = "active"
        if action == "set-experiment-tag":
            self.experiment.setdefault("tags", []).append({"key": sent["key"], "value": sent["value"]})
        return None

    def _run(self, action: str, sent: dict[str, Any], path: str) -> Reply | None:
        run = self.runs.get(sent.get("run_id", ""), {})
        if action == "search":
            return json_reply({"runs": [{"info": {"run_id": each}} for each in self.runs]})
        if action == "create":
            self.runs["abc"] = {"status": "RUNNING", "metrics": {}, "tags": {}}
            return json_reply({"run": {"info": {"run_id": "abc"}}})
        if action == "get":
            return json_reply({"run": {"data": self._data(parse_qs(urlsplit(path).query)["run_id"][0])}})
        if action == "update":
            run["status"] = sent["status"]
        if action == "log-batch":
            wrong = {"value": -1} if self.spoils_metrics else {}
            run["metrics"] |= {each["key"]: each | wrong for each in sent["metrics"]}
            run["tags"] |= {each["key"]: each["value"] for each in sent["tags"] if not self.loses_tags}
        if action == "delete-tag" and run["tags"].pop(sent["key"], None) is None:
            return Reply(status=404)
        return None

    def _data(self, run_id: str) -> dict[str, Any]:
        run = self.runs[run_id]
        tags = [{"key": key, "value": value} for key, value in run["tags"].items()]
        return {"metrics": list(run["metrics"].values()), "tags": tags}


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
    secrets: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> name, when it was made
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
        if path.startswith("/secrets"):
            return self._secret(asked, path)
        if path == "/stacks":
            wanted = parse_qs(urlsplit(asked.path).query).get("name", ["mlflow_stack"])[0]
            return json_reply({"items": [{"id": wanted}] if wanted in self.stacks else []})
        if path.startswith("/stacks/"):
            container = {kind: [{"name": name}] for kind, name in self.stacks[path.removeprefix("/stacks/")].items()}
            return json_reply({"metadata": {"components": container}})
        return json_reply({"name": USER})

    def _login(self, form: dict[str, str]) -> Reply:
        by_key = form.get("grant_type") == "zenml-api-key" and form["password"] == API_KEY
        by_name = form.get("username") == USER and form.get("password") == PASSWORD
        if by_key or by_name or self.takes_any_password:
            return json_reply({"access_token": "token"})
        return json_reply({"detail": ["CredentialsNotValid", "wrong"]}, status=401)

    def _secret(self, asked: Asked, path: str) -> Reply:
        if asked.method == "GET":
            items = [{"id": each, "name": name, "body": {"created": at}} for each, (name, at) in self.secrets.items()]
            return json_reply({"items": items})
        if asked.method == "DELETE":
            if self.secrets.pop(path.removeprefix("/secrets/"), None):
                return json_reply({})
            del self.database[path.removeprefix("/secrets/").replace("-", "")]
            return json_reply({})
        made = uuid4()
        values = json.dumps(json.loads(asked.body)["values"]).encode()
        self.database[made.hex] = b"\x93\x17sealed" if self.encrypts else base64.b64encode(values)
        return json_reply({"id": str(made)})
