"""MLflow's server as a server: its REST interface, for what no client library is needed."""

import secrets
import time
from typing import Any, Final

from cv_yolo.domain.addresses import TrackingAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import Answer, ask

API: Final = "/api/2.0/mlflow"
SCRATCH_EXPERIMENT: Final = "cv_yolo_probe"


class MlflowServer:
    """One server, asked as the user of its address."""

    def __init__(self, address: TrackingAddress, *, patience_s: float = 10.0) -> None:
        self._address, self._patience_s = address, patience_s

    def use(self) -> None:
        """Log a metric into a scratch experiment, read it back, and delete its run."""
        run_id = self._done("POST", "/runs/create", {"experiment_id": self._scratch(), "run_name": "probe"})["run"][
            "info"
        ]["run_id"]
        try:
            value = secrets.randbelow(1000) / 1000
            metric = {"run_id": run_id, "key": "probe", "value": value, "timestamp": int(time.time() * 1000), "step": 0}
            self._done("POST", "/runs/log-metric", metric)
            kept = self._done("GET", f"/metrics/get-history?run_id={run_id}&metric_key=probe")["metrics"]
            if [each["value"] for each in kept] != [value]:
                raise ServiceUnavailableError(f"{self}: a metric came back other than it was logged")
        finally:
            self._done("POST", "/runs/delete", {"run_id": run_id})

    def ask(self, method: str, path: str, json: Any = None, *, headers: dict[str, str] | None = None) -> Answer:
        """The server's answer, whatever it is; `path` begins behind the address."""
        login = (self._address.user or "", self._address.password or "") if self._address.user else None
        url = f"{self._address.uri.rstrip('/')}{path}"
        return ask(method, url, name="MLflow", login=login, json=json, headers=headers, patience_s=self._patience_s)

    def __str__(self) -> str:
        return f"MLflow at {self._address.uri}"

    def _scratch(self) -> str:
        found = self.ask("GET", f"{API}/experiments/get-by-name?experiment_name={SCRATCH_EXPERIMENT}")
        if found.ok:
            return str(found.body["experiment"]["experiment_id"])
        return str(self._done("POST", "/experiments/create", {"name": SCRATCH_EXPERIMENT})["experiment_id"])

    def _done(self, method: str, path: str, json: Any = None) -> Any:
        answer = self.ask(method, f"{API}{path}", json)
        if answer.ok:
            return answer.body
        said = answer.body.get("message", "") if isinstance(answer.body, dict) else str(answer.body)
        hint = "user or password is wrong" if answer.status in {401, 403} else "`cv-yolo doctor` tells more"
        raise ServiceUnavailableError(f"{self}: {path} was answered {answer.status}: {said[:200]}", hint=hint)
