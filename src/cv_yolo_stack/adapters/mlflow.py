"""MLflow's REST interface as its operator uses it: users, permissions, health; and the port `TrackingProbe`."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NoReturn
from urllib.parse import quote, urlsplit

from cv_yolo.domain.stack import ChangeKind, TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import Answer, ask
from cv_yolo_stack.adapters.clients import TrackingClient, installed, reach, sense
from cv_yolo_stack.ports.probes import Detour

API: Final = "/api/2.0/mlflow"
SCRATCH_EXPERIMENT: Final = "cv_yolo_probe"
SCRATCH_NOTE: Final = "`cv-yolo` uses the one run of this experiment to test this server."
SCRATCH_METRIC: Final = {"key": "probe", "value": 1.0, "timestamp": 1, "step": 0}  # logged again, it is the same one
HIDDEN_TAG: Final = "mlflow.experiment.isGateway"  # its pages list no such experiment
NOTE_TAG: Final = "mlflow.note.content"
NOT_FOUND: Final = 404


class MlflowServer:
    """One server, asked as the user of its address."""

    def __init__(self, address: TrackingAddress, *, timeout_s: float = 10.0) -> None:
        self._address, self._timeout_s = address, timeout_s

    def use(self) -> None:
        """Log a metric and a tag with our scratch run, read both back, and remove the tag.

        MLflow removes no metric, but takes the same one logged again for the same: nothing grows, however often a
        server is tried. The tag has another value each time, so that something was written.
        """
        _, run_id = self.scratch_run()
        name, value = f"probe-{secrets.token_hex(4)}", secrets.token_hex(8)
        kept = {"run_id": run_id, "metrics": [SCRATCH_METRIC], "tags": [{"key": name, "value": value}]}
        try:
            self._done("POST", "/runs/log-batch", kept)
            data = self._done("GET", f"/runs/get?run_id={run_id}")["run"]["data"]
        finally:
            self._forget(run_id, name)
        metrics = {each["key"]: each["value"] for each in data.get("metrics", ())}
        if metrics.get(SCRATCH_METRIC["key"]) != SCRATCH_METRIC["value"]:
            raise ServiceUnavailableError(f"{self}: a logged metric was returned with another value")
        if {"key": name, "value": value} not in data.get("tags", ()):
            raise ServiceUnavailableError(f"{self}: a tag was returned with another value")

    def read(self) -> None:
        """Make the server read its records: the cheapest use that leaves nothing behind."""
        self._done("POST", "/experiments/search", {"max_results": 1})

    def scratch_run(self) -> tuple[str, str]:
        """The ids of our scratch experiment and of its run: both are created once, and reused.

        MLflow's interface cannot remove either, only hide it. The run has ended, and the experiment is not listed.
        """
        experiment_id = self._scratch()
        asked = {"experiment_ids": [experiment_id], "max_results": 1, "order_by": ["attributes.start_time ASC"]}
        found = self._done("POST", "/runs/search", asked).get("runs")
        if found:
            return experiment_id, str(found[0]["info"]["run_id"])
        now = int(time.time() * 1000)
        made = self._done(
            "POST", "/runs/create", {"experiment_id": experiment_id, "run_name": "probe", "start_time": now}
        )
        run_id = str(made["run"]["info"]["run_id"])
        self._done("POST", "/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": now})
        return experiment_id, run_id

    def administers(self) -> bool:
        """Whether we may make users; False too on a server without users."""
        current = self.ask("GET", f"{API}/users/current")
        return current.ok and isinstance(current.body, dict) and bool(current.body.get("user", {}).get("is_admin"))

    def set_user(self, name: str, password: str) -> ChangeKind:
        """Make sure that there is an ordinary user of that name with that password."""
        made = self.ask("POST", f"{API}/users/create", {"username": name, "password": password})
        if made.ok:
            return ChangeKind.MADE
        self._done("PATCH", "/users/update-password", {"username": name, "password": password})
        return ChangeKind.CHANGED

    def ask(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """The server's answer, whatever it is; `path` begins behind the address."""
        login = (self._address.user or "", self._address.password or "") if self._address.user else None
        url, timeout_s = f"{self._address.uri.rstrip('/')}{path}", self._timeout_s
        return ask(
            method, url, name="MLflow", login=login, json=json, headers=headers, content=content, timeout_s=timeout_s
        )

    def __str__(self) -> str:
        return f"MLflow at {self._address.uri}"

    def _forget(self, run_id: str, tag: str) -> None:
        """Remove a tag of the run, if it was set at all."""
        answer = self.ask("POST", f"{API}/runs/delete-tag", {"run_id": run_id, "key": tag})
        if not answer.ok and answer.status != NOT_FOUND:
            self._refuse("/runs/delete-tag", answer)

    def _scratch(self) -> str:
        name = f"{SCRATCH_EXPERIMENT}_{self._address.user or 'anybody'}"  # what another user made is read-only
        found = self.ask("GET", f"{API}/experiments/get-by-name?experiment_name={quote(name)}")
        if not found.ok:
            tags = [{"key": HIDDEN_TAG, "value": "true"}, {"key": NOTE_TAG, "value": SCRATCH_NOTE}]
            return str(self._done("POST", "/experiments/create", {"name": name, "tags": tags})["experiment_id"])
        experiment = found.body["experiment"]
        experiment_id = str(experiment["experiment_id"])
        if experiment.get("lifecycle_stage") == "deleted":
            self._done("POST", "/experiments/restore", {"experiment_id": experiment_id})
        if all(each["key"] != HIDDEN_TAG for each in experiment.get("tags", ())):
            tag = {"experiment_id": experiment_id, "key": HIDDEN_TAG, "value": "true"}
            self._done("POST", "/experiments/set-experiment-tag", tag)
        return experiment_id

    def _done(self, method: str, path: str, json: Any = None) -> Any:
        answer = self.ask(method, f"{API}{path}", json)
        if answer.ok:
            return answer.body
        return self._refuse(path, answer)

    def _refuse(self, path: str, answer: Answer) -> NoReturn:
        said = answer.body.get("message", "") if isinstance(answer.body, dict) else str(answer.body)
        hint = "user or password is wrong" if answer.status in {401, 403} else "`cv-yolo doctor` shows more"
        raise ServiceUnavailableError(f"{self}: {path} returned {answer.status}: {said[:200]}", hint=hint)


NAME: Final = "MLflow"
EXPERIMENTS: Final = "/mlflow/experiments/search?max_results=1"
SEARCH: Final = "/api/2.0/mlflow/experiments/search"
EXPERIMENT: Final = "/api/2.0/mlflow/experiments/get?experiment_id="
ARTIFACTS: Final = "/api/2.0/mlflow-artifacts/artifacts"
PRESIGNED: Final = "/api/2.0/mlflow-artifacts/presigned"
CAPABILITIES: Final = "/api/3.0/mlflow/server-info"
GUARDED: Final = (
    f"/api/2.0{EXPERIMENTS}",
    f"/ajax-api/2.0{EXPERIMENTS}",
    "/api/2.0/mlflow/registered-models/search",
    f"{ARTIFACTS}?path=",
)
FORBIDDEN: Final = 403
FOLLOW: Final = "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"


class MlflowProbe:
    """Tries one server; `connect` makes a client for a user."""

    def __init__(
        self, address: TrackingAddress, connect: Callable[[TrackingAddress], TrackingClient], *, timeout_s: float
    ) -> None:
        self._address, self._connect, self._timeout_s = address, connect, timeout_s
        self._server = connect(address)
        self._anonymous = connect(TrackingAddress(uri=address.uri))

    @property
    def address(self) -> str:
        """Where the server answers."""
        return self._address.uri

    def greet(self) -> None:
        """Reach the server."""
        reach(self.address, timeout_s=self._timeout_s)
        self._anonymous.ask("GET", "/health")

    def clock(self) -> datetime | None:
        """The server's time."""
        return self._anonymous.ask("GET", "/health").at

    def refused_host(self) -> str | None:
        """The name in our address, where the server refuses to be called so; `/health` hides that."""
        answer = self._anonymous.ask("GET", GUARDED[0])
        refused = answer.status == FORBIDDEN and "host" in str(answer.body).lower()
        return urlsplit(self.address).netloc if refused else None

    def ask_anonymously(self) -> Mapping[str, int]:
        """Ask for experiments, for models and for artifacts without any login."""
        return {path.partition("?")[0]: self._anonymous.ask("GET", path).status for path in GUARDED}

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
        """Ask with our name and a wrong password."""
        wrong = replace(self._address, user=self._address.user or "admin", password=secrets.token_urlsafe(18))
        return {"wrong password": self._connect(wrong).ask("GET", GUARDED[0]).status}

    def log_in(self) -> str:
        """Ask for an experiment as our user."""
        answer = self._server.ask("GET", GUARDED[0])
        with sense(NAME):
            self._require(answer, "searching for experiments")
            answer.body.get("experiments")
        return self._address.user or "anonymous"

    def version(self) -> str:
        """The server's version."""
        answer = self._server.ask("GET", "/version")
        self._require(answer, "/version")
        return str(answer.body).strip()

    def client_version(self) -> str:
        """The version of MLflow here."""
        return installed("mlflow")

    def log_metric(self) -> None:
        """Log a metric and read it back."""
        with sense(NAME):
            self._server.use()

    def exchange_artifact(self) -> None:
        """Put an artifact of a scratch run, get it and delete it."""
        content = f"cv-yolo {secrets.token_hex(16)}"
        with self._artifact() as path:
            self._require(self._server.ask("PUT", path, content=content.encode()), "storing an artifact")
            got = self._server.ask("GET", path)
        self._require(got, "getting an artifact")
        if got.body != content:
            raise ServiceUnavailableError("an artifact was returned with other content")

    def deleted_experiment(self, name: str) -> str | None:
        """The id of the experiment of that name if it was deleted."""
        asked = {"max_results": 1, "view_type": "DELETED_ONLY", "filter": f"name = '{name}'"}
        answer = self._server.ask("POST", SEARCH, asked)
        with sense(NAME):
            self._require(answer, "searching for deleted experiments")
            found = answer.body.get("experiments", ())
            return str(found[0]["experiment_id"]) if found else None

    def kept_for_trials(self) -> str:
        """The experiment in which we try the server."""
        with sense(NAME):
            experiment_id, _ = self._server.scratch_run()
            answer = self._server.ask("GET", f"{EXPERIMENT}{experiment_id}")
            self._require(answer, "an experiment")
            return f"experiment {answer.body['experiment']['name']}, with one run"

    def detour(self) -> Detour | None:
        """Where clients are sent for the content of an artifact."""
        info = self._server.ask("GET", CAPABILITIES)
        if not (info.ok and isinstance(info.body, dict) and info.body.get("multipart_downloads_enabled")):
            return None
        content = f"cv-yolo {secrets.token_hex(16)}"
        with self._artifact() as path:
            self._require(self._server.ask("PUT", path, content=content.encode()), "an artifact")
            sent = self._server.ask("GET", path.replace(ARTIFACTS, PRESIGNED, 1))
            self._require(sent, "requesting the address of an artifact")
            return self._follow(str(sent.body["url"]), content)

    def takes_detours(self) -> bool:
        """Whether clients in our environment go where the server sends them."""
        return os.environ.get(FOLLOW, "").lower() not in {"false", "0"}

    @contextmanager
    def _artifact(self) -> Iterator[str]:
        """The path of an artifact of the scratch run, the same each time; the artifact is deleted at the end."""
        with sense(NAME):
            experiment_id, run_id = self._server.scratch_run()
            path = f"{ARTIFACTS}/{experiment_id}/{run_id}/artifacts/probe.txt"
            try:
                yield path
            finally:
                gone = self._server.ask("DELETE", path)
            self._require(gone, "deleting an artifact")

    def _follow(self, url: str, content: str) -> Detour:
        server = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        try:
            reach(url, timeout_s=self._timeout_s)
            got = ask("GET", url, name="the store", timeout_s=self._timeout_s)
        except ServiceUnavailableError as error:
            return Detour(server=server, trouble=error.message)
        if got.body != content:
            return Detour(server=server, trouble=f"it returns something else ({got.status})")
        return Detour(server=server)

    def _require(self, answer: Answer, what: str) -> None:
        if not answer.ok:
            said = " ".join(str(answer.body).split())[:120]
            raise ServiceUnavailableError(f"{what} returned {answer.status}: {said}")
