"""MLflow's server as a server: its REST interface, for what no client library is needed."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cv_yolo.domain.addresses import TrackingAddress
from cv_yolo.domain.stack import Deed
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
        with self.scratch_run() as (_, run_id):
            value = secrets.randbelow(1000) / 1000
            metric = {"run_id": run_id, "key": "probe", "value": value, "timestamp": int(time.time() * 1000), "step": 0}
            self._done("POST", "/runs/log-metric", metric)
            kept = self._done("GET", f"/metrics/get-history?run_id={run_id}&metric_key=probe")["metrics"]
            if [each["value"] for each in kept] != [value]:
                raise ServiceUnavailableError(f"{self}: a metric came back other than it was logged")

    @contextmanager
    def scratch_run(self) -> Iterator[tuple[str, str]]:
        """The ids of a scratch experiment of ours and of a run in it, which is deleted at the end."""
        experiment_id = self._scratch()
        made = self._done("POST", "/runs/create", {"experiment_id": experiment_id, "run_name": "probe"})
        run_id = str(made["run"]["info"]["run_id"])
        try:
            yield experiment_id, run_id
        finally:
            self._done("POST", "/runs/delete", {"run_id": run_id})

    def administers(self) -> bool:
        """Whether we may make users; False too on a server without users."""
        current = self.ask("GET", f"{API}/users/current")
        return current.ok and isinstance(current.body, dict) and bool(current.body.get("user", {}).get("is_admin"))

    def set_user(self, name: str, password: str) -> Deed:
        """Have a user of that name with that password, an ordinary one."""
        made = self.ask("POST", f"{API}/users/create", {"username": name, "password": password})
        if made.ok:
            return Deed.MADE
        self._done("PATCH", "/users/update-password", {"username": name, "password": password})
        return Deed.CHANGED

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
        url, patience_s = f"{self._address.uri.rstrip('/')}{path}", self._patience_s
        return ask(
            method, url, name="MLflow", login=login, json=json, headers=headers, content=content, patience_s=patience_s
        )

    def __str__(self) -> str:
        return f"MLflow at {self._address.uri}"

    def _scratch(self) -> str:
        name = f"{SCRATCH_EXPERIMENT}_{self._address.user or 'anybody'}"  # what another user made is read-only
        found = self.ask("GET", f"{API}/experiments/get-by-name?experiment_name={name}")
        if found.ok:
            return str(found.body["experiment"]["experiment_id"])
        return str(self._done("POST", "/experiments/create", {"name": name})["experiment_id"])

    def _done(self, method: str, path: str, json: Any = None) -> Any:
        answer = self.ask(method, f"{API}{path}", json)
        if answer.ok:
            return answer.body
        said = answer.body.get("message", "") if isinstance(answer.body, dict) else str(answer.body)
        hint = "user or password is wrong" if answer.status in {401, 403} else "`cv-yolo doctor` tells more"
        raise ServiceUnavailableError(f"{self}: {path} was answered {answer.status}: {said[:200]}", hint=hint)
