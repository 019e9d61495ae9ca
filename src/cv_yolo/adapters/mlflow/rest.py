"""MLflow's REST interface behind the reading ports, without MLflow's client, which takes seconds to import.

What the server refuses, and an answer that is not as expected (a deleted experiment, another form), is left to MLflow's
client, which reports it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

from cv_yolo.adapters.mlflow.conventions import CONTEXT_TAG, input_of
from cv_yolo.adapters.mlflow.registry import ANCHOR_TAG, SHA256_TAG, MlflowRegistry, holders_of, version_of
from cv_yolo.adapters.mlflow.tracker import PAGE, SERVICE, run_of
from cv_yolo.domain.promotion.versions import ModelVersion
from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.domain.training.runs import DatasetInput, Run
from cv_yolo.http import ask
from cv_yolo.ports.records import RunReader

API: Final = "/api/2.0/mlflow"
MISSING: Final = "RESOURCE_DOES_NOT_EXIST"


class _UnexpectedAnswerError(Exception):
    """The answer is nothing that is read here."""


class RunsOnServer:
    """The runs of one experiment on the server at `address`; `otherwise` is asked where it refuses to list them."""

    def __init__(self, address: TrackingAddress, *, experiment: str, timeout_s: float, otherwise: RunReader) -> None:
        self._server, self._experiment, self._otherwise = _Server(address, timeout_s), experiment, otherwise

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first; none where it was not begun yet."""
        try:
            with _understood():
                return tuple(map(_run, self._found()))
        except _UnexpectedAnswerError:
            return self._otherwise.runs()

    def _found(self) -> Iterator[dict[str, Any]]:
        known = self._server.get("experiments/get-by-name", experiment_name=self._experiment)
        if known is None:
            return
        if known["experiment"]["lifecycle_stage"] != "active":
            raise _UnexpectedAnswerError
        asked = {"experiment_ids": [known["experiment"]["experiment_id"]], "max_results": PAGE}
        while True:
            page = self._server.post("runs/search", asked)
            yield from page.get("runs", ())
            if not page.get("next_page_token"):
                return
            asked["page_token"] = page["next_page_token"]


class VersionsOnServer:
    """The versions of one registered model on the server at `address`, and its anchor; `otherwise` as above."""

    def __init__(self, address: TrackingAddress, *, model: str, timeout_s: float, otherwise: MlflowRegistry) -> None:
        self._server, self._model, self._otherwise = _Server(address, timeout_s), model, otherwise

    def versions(self) -> tuple[ModelVersion, ...]:
        """All versions that our adapter made, oldest first."""
        try:
            with _understood():
                return tuple(sorted(self._found(), key=lambda each: int(each.version)))
        except _UnexpectedAnswerError:
            return self._otherwise.versions()

    def anchor(self) -> str | None:
        """The text that was kept last, if any."""
        try:
            with _understood():
                model = self._server.get("registered-models/get", name=self._model)
                return None if model is None else _pairs(model["registered_model"].get("tags", ())).get(ANCHOR_TAG)
        except _UnexpectedAnswerError:
            return self._otherwise.anchor()

    def _found(self) -> Iterator[ModelVersion]:
        known = self._server.get("registered-models/get", name=self._model)
        if known is None:
            return
        aliases = {each["alias"]: each["version"] for each in known["registered_model"].get("aliases", ())}
        for each in self._rows():
            tags = _pairs(each.get("tags", ()))
            if SHA256_TAG in tags:
                yield version_of(
                    model=self._model,
                    version=str(each["version"]),
                    run_id=each["run_id"],
                    tags=tags,
                    holders=holders_of(aliases),
                )

    def _rows(self) -> Iterator[dict[str, Any]]:
        asked = {"filter": f"name = '{self._model}'", "max_results": str(PAGE)}
        while True:
            page = self._server.get("model-versions/search", **asked) or {}
            yield from page.get("model_versions", ())
            if not page.get("next_page_token"):
                return
            asked["page_token"] = page["next_page_token"]


class _Server:
    """MLflow's server at an address, asked as the user of that address."""

    def __init__(self, address: TrackingAddress, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """The answer; None where what is asked for does not exist."""
        return self._answer("GET", f"{path}?{urlencode(query)}")

    def post(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer."""
        return self._answer("POST", path, asked) or {}

    def _answer(self, method: str, path: str, asked: dict[str, Any] | None = None) -> dict[str, Any] | None:
        login = (self._address.user, self._address.password or "") if self._address.user else None
        url = f"{self._address.uri}{API}/{path}"
        answer = ask(method, url, name=SERVICE, login=login, json=asked, timeout_s=self._timeout_s)
        if not isinstance(answer.body, dict):
            raise _UnexpectedAnswerError
        if answer.body.get("error_code") == MISSING:
            return None
        if not answer.ok:
            raise _UnexpectedAnswerError
        return answer.body


@contextmanager
def _understood() -> Iterator[None]:
    """An answer without what it should have is left to the client."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _UnexpectedAnswerError from error


def _run(found: dict[str, Any]) -> Run:
    info, data = found["info"], found.get("data", {})
    tags = _pairs(data.get("tags", ()))
    ended_ms = info.get("end_time")
    return run_of(
        run_id=info["run_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", ""),
        status=info["status"],
        started_ms=int(info["start_time"]),
        ended_ms=None if ended_ms is None else int(ended_ms),
        params=_pairs(data.get("params", ())),
        tags=tags,
        metrics={each["key"]: float(each.get("value", 0)) for each in data.get("metrics", ())},
        inputs=map(_input, found.get("inputs", {}).get("dataset_inputs", ())),
    )


def _input(found: dict[str, Any]) -> DatasetInput:
    data, tags = found["dataset"], _pairs(found.get("tags", ()))
    return input_of(
        name=data["name"],
        digest=data["digest"],
        context=tags.get(CONTEXT_TAG, ""),
        source=data.get("source"),
        profile=data.get("profile"),
    )


def _pairs(rows: Iterable[dict[str, str]]) -> dict[str, str]:
    """Names and values; the interface leaves empty values out."""
    return {each["key"]: each.get("value", "") for each in rows}
