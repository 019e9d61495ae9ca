"""MLflow's server behind the port `TrackingProbe`."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cv_yolo.adapters.probes.clients import TrackingClient
from cv_yolo.adapters.probes.packages import installed
from cv_yolo.adapters.probes.reach import reach, sense
from cv_yolo.domain.addresses import TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import Answer, ask
from cv_yolo.ports import Detour

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
        self, address: TrackingAddress, connect: Callable[[TrackingAddress], TrackingClient], *, patience_s: float
    ) -> None:
        self._address, self._connect, self._patience_s = address, connect, patience_s
        self._server = connect(address)
        self._nobody = connect(TrackingAddress(uri=address.uri))

    @property
    def address(self) -> str:
        """Where the server answers."""
        return self._address.uri

    def greet(self) -> None:
        """Reach the server."""
        reach(self.address, patience_s=self._patience_s)
        self._nobody.ask("GET", "/health")

    def clock(self) -> datetime | None:
        """What the server's clock says."""
        return self._nobody.ask("GET", "/health").at

    def refused_host(self) -> str | None:
        """The name in our address, where the server refuses to be called so; `/health` hides that."""
        answer = self._nobody.ask("GET", GUARDED[0])
        refused = answer.status == FORBIDDEN and "host" in str(answer.body).lower()
        return urlsplit(self.address).netloc if refused else None

    def ask_as_nobody(self) -> Mapping[str, int]:
        """Ask for experiments, for models and for artifacts without any login."""
        return {path.partition("?")[0]: self._nobody.ask("GET", path).status for path in GUARDED}

    def ask_as_impostor(self) -> Mapping[str, int]:
        """Ask with our name and a wrong password."""
        impostor = replace(self._address, user=self._address.user or "admin", password=secrets.token_urlsafe(18))
        return {"wrong password": self._connect(impostor).ask("GET", GUARDED[0]).status}

    def log_in(self) -> str:
        """Ask for an experiment as our user."""
        answer = self._server.ask("GET", GUARDED[0])
        with sense(NAME):
            self._require(answer, "a search for experiments")
            answer.body.get("experiments")
        return self._address.user or "nobody in particular"

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
            self._require(self._server.ask("PUT", path, content=content.encode()), "an artifact that was put")
            got = self._server.ask("GET", path)
        self._require(got, "an artifact that was asked for")
        if got.body != content:
            raise ServiceUnavailableError("an artifact came back other than it was kept")

    def deleted_experiment(self, name: str) -> str | None:
        """The id of the experiment of that name, where somebody deleted it."""
        asked = {"max_results": 1, "view_type": "DELETED_ONLY", "filter": f"name = '{name}'"}
        answer = self._server.ask("POST", SEARCH, asked)
        with sense(NAME):
            self._require(answer, "a search for deleted experiments")
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
        told = self._server.ask("GET", CAPABILITIES)
        if not (told.ok and isinstance(told.body, dict) and told.body.get("multipart_downloads_enabled")):
            return None
        content = f"cv-yolo {secrets.token_hex(16)}"
        with self._artifact() as path:
            self._require(self._server.ask("PUT", path, content=content.encode()), "an artifact")
            sent = self._server.ask("GET", path.replace(ARTIFACTS, PRESIGNED, 1))
            self._require(sent, "the address of an artifact")
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
            self._require(gone, "an artifact to be deleted")

    def _follow(self, url: str, content: str) -> Detour:
        server = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
        try:
            reach(url, patience_s=self._patience_s)
            got = ask("GET", url, name="the store", patience_s=self._patience_s)
        except ServiceUnavailableError as error:
            return Detour(server=server, trouble=error.message)
        if got.body != content:
            return Detour(server=server, trouble=f"it hands out something else ({got.status})")
        return Detour(server=server)

    def _require(self, answer: Answer, what: str) -> None:
        if not answer.ok:
            said = " ".join(str(answer.body).split())[:120]
            raise ServiceUnavailableError(f"{what} was answered {answer.status}: {said}")
