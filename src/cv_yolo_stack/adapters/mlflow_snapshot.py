"""A snapshot of the runs and model versions on MLflow's server, and the files that it serves."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.http import Answer, session_for
from cv_yolo_stack.domain.snapshot import hash_of, identity

API: Final = "/api/2.0/mlflow"
HISTORIES: Final = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
PROBE: Final = "cv_yolo_probe"  # scratch experiments: a probe's runs come and go
PAGE: Final = 200
RUNS_A_HISTORY: Final = 100
VALUES: Final = 25_000
CHUNK_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 60.0
NOT_FOUND: Final = 404

Hashes = dict[str, dict[str, str]]


class MlflowApi(Protocol):
    """Sends requests to MLflow's server."""

    def ask(self, method: str, path: str, json: Any = None) -> Answer:
        """The server's answer, whatever it is."""


class MlflowSnapshot:
    """Takes a snapshot of one server; `steady` removes what differs between installations."""

    def __init__(self, server: MlflowApi, address: TrackingAddress, *, steady: Callable[[str], str] = identity) -> None:
        self._server, self._address, self._steady = server, address, steady

    def take(self) -> Hashes:
        """A hash for each run, with all values of its metrics, and for each version of a model, with its aliases."""
        runs = list(self._runs())
        histories = self._histories(runs)
        hashes = {}
        for run in runs:
            run_id, data = run["info"]["run_id"], run.get("data", {})
            params, tags = _by_key(data.get("params", ())), _by_key(data.get("tags", ()))
            hashes[run_id] = hash_of([run["info"], params, tags, sorted(histories.get(run_id, ()))], self._steady)
        return {"MLflow runs": hashes, "MLflow model versions": dict(self._versions())}

    def artifact(self, path: str) -> Iterator[bytes]:
        """A file by its path in the store behind the server."""
        return self._download(f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}")

    def run_artifact(self, run_id: str, path: str) -> Iterator[bytes]:
        """A file of a run by its path there, wherever the run keeps it."""
        return self._download(f"/get-artifact?{urlencode({'run_uuid': run_id, 'path': path})}")

    def _runs(self) -> Iterator[dict[str, Any]]:
        asked = {"max_results": PAGE, "view_type": "ALL"}
        experiments = list(self._pages("POST", "/experiments/search", "experiments", asked))
        ids = [each["experiment_id"] for each in experiments if not each["name"].startswith(PROBE)]
        if ids:
            asked = {"experiment_ids": ids, "max_results": PAGE, "run_view_type": "ALL"}
            yield from self._pages("POST", "/runs/search", "runs", asked)

    def _histories(self, runs: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
        """All values of all metrics: (key, step, time, value), by run."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        keys = {run["info"]["run_id"]: [each["key"] for each in run["data"].get("metrics", ())] for run in runs}
        for key in sorted({key for those in keys.values() for key in those}):
            having = [run_id for run_id, those in keys.items() if key in those]
            for first in range(0, len(having), RUNS_A_HISTORY):
                some = [("run_id", run_id) for run_id in having[first : first + RUNS_A_HISTORY]]
                query = urlencode([*some, ("metric_key", key), ("max_results", VALUES)])
                for each in self._done("GET", f"{HISTORIES}?{query}").get("metrics", ()):
                    value = (key, int(each.get("step", 0)), int(each["timestamp"]), str(each["value"]))
                    found.setdefault(each["run_id"], []).append(value)
        return found

    def _versions(self) -> Iterator[tuple[str, str]]:
        models = {each["name"]: each for each in self._pages("GET", "/registered-models/search", "registered_models")}
        for each in self._pages("GET", "/model-versions/search", "model_versions"):
            model = models.get(each["name"], {})
            aliases = sorted(
                one["alias"] for one in model.get("aliases", ()) if str(one["version"]) == str(each["version"])
            )
            version = {**each, "tags": _by_key(each.get("tags", ())), "aliases": aliases}
            yield f"{each['name']} {each['version']}", hash_of(version, self._steady)

    def _pages(self, method: str, path: str, what: str, asked: dict[str, Any] | None = None) -> Iterator[Any]:
        token = ""
        while True:
            if method == "GET":
                query = {"max_results": PAGE} | ({"page_token": token} if token else {})
                page = self._done(method, f"{API}{path}?{urlencode(query)}")
            else:
                page = self._done(method, f"{API}{path}", {**(asked or {}), **({"page_token": token} if token else {})})
            yield from page.get(what, ())
            token = page.get("next_page_token", "")
            if not token:
                return

    def _done(self, method: str, path: str, json: Any = None) -> dict[str, Any]:
        answer = self._server.ask(method, path, json)
        if not answer.ok or not isinstance(answer.body, dict):
            place = path.partition("?")[0]
            raise ServiceUnavailableError(f"{self._server}: {place} returned {answer.status}")
        return answer.body

    def _download(self, path: str) -> Iterator[bytes]:
        import requests

        login = (self._address.user, self._address.password or "") if self._address.user else None
        url = f"{self._address.uri.rstrip('/')}{path}"
        try:
            with (
                session_for(url) as session,
                session.get(url, auth=login, timeout=TIMEOUT_S, stream=True) as answer,
            ):
                if answer.status_code == NOT_FOUND:
                    raise NotFoundError(f"{self._server}: no file {path}")
                answer.raise_for_status()
                yield from answer.iter_content(CHUNK_BYTES)
        except requests.RequestException as error:
            raise ServiceUnavailableError(f"{self._server}: {path}: {type(error).__name__}") from error


def _by_key(pairs: Any) -> dict[str, str]:
    return {each["key"]: each["value"] for each in pairs}
