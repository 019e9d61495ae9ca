"""Snapshots of MLflow and ZenML: every page of what they hold, and a hash that changes with anything that matters."""

import copy
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from cv_yolo.domain.promotion.audit import Action, Entry
from cv_yolo.domain.promotion.versions import Stage
from cv_yolo.domain.stack import TrackingAddress
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.http import Answer
from cv_yolo_stack.adapters.mlflow_snapshot import MlflowSnapshot
from cv_yolo_stack.adapters.zenml_probe import ZenmlSnapshot
from cv_yolo_stack.domain.snapshot import AUDIT
from tests.loopback import Asked, Reply, loopback

ADDRESS = TrackingAddress(uri="http://mlflow.test")
API = "/api/2.0/mlflow"
ENTRY = Entry(
    number=1,
    at=datetime(2026, 11, 26, tzinfo=UTC),
    actor="anna@desk",
    action=Action.PROMOTED,
    model="det",
    stage=Stage.STAGING,
    version="1",
    run_id="a",
    previous="",
)


def a_run(run_id: str, *metrics: str) -> dict[str, Any]:
    return {
        "info": {"run_id": run_id, "status": "FINISHED", "artifact_uri": f"file:///home/anna/{run_id}"},
        "data": {
            "metrics": [{"key": key, "value": 1, "timestamp": 5, "step": 1} for key in metrics],
            "params": [{"key": "epochs", "value": "3"}],
            "tags": [{"key": "stage", "value": "x"}],
        },
    }


class Mlflow:
    """A server with one item per page."""

    def __init__(self) -> None:
        self.experiments = [
            {"experiment_id": "1", "name": "demo"},
            {"experiment_id": "2", "name": "cv_yolo_probe_admin"},
        ]
        self.runs = [a_run("a", "map", "loss"), a_run("b", "map")]
        self.versions = [{"name": "det", "version": number, "source": "s", "tags": []} for number in ("1", "2")]
        self.models = [{"name": "det", "aliases": [{"alias": "staging", "version": "2"}]}]
        self.values = {("a", "map"): [0.1, 0.2], ("b", "map"): [0.3], ("a", "loss"): [float("inf")]}
        self.refuses = ""

    def ask(self, _: str, path: str, json: Any = None) -> Answer:
        where, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        if self.refuses and self.refuses in where:
            return Answer(status=500, body="no")
        if where.endswith("get-history-bulk"):
            (key,) = query["metric_key"]
            found = [(run, value) for run in query["run_id"] for value in self.values.get((run, key), ())]
            metrics = [
                {"run_id": run, "value": value, "timestamp": 5, "step": step} for step, (run, value) in enumerate(found)
            ]
            return Answer(status=200, body={"metrics": metrics})
        name, kept = {
            f"{API}/experiments/search": ("experiments", self.experiments),
            f"{API}/runs/search": ("runs", self.runs if json and json.get("experiment_ids") == ["1"] else []),
            f"{API}/registered-models/search": ("registered_models", self.models),
            f"{API}/model-versions/search": ("model_versions", self.versions),
        }[where]
        at = int((json or {}).get("page_token") or query.get("page_token", ["0"])[0])
        more = {"next_page_token": str(at + 1)} if at + 1 < len(kept) else {}
        return Answer(status=200, body={name: kept[at : at + 1]} | more)


def test_a_snapshot_contains_every_page_of_runs_and_versions_and_no_probe() -> None:
    reported = MlflowSnapshot(Mlflow(), ADDRESS).take()
    assert list(reported["MLflow runs"]) == ["a", "b"]
    assert list(reported["MLflow model versions"]) == ["det 1", "det 2"]


def test_a_server_without_experiments_has_no_runs() -> None:
    server = Mlflow()
    server.experiments = server.experiments[1:]
    assert MlflowSnapshot(server, ADDRESS).take()["MLflow runs"] == {}


@pytest.mark.parametrize("change", ["param", "tag", "value", "status", "alias", "source"])
def test_a_change_affects_only_its_own_hash(change: str) -> None:
    before = MlflowSnapshot(Mlflow(), ADDRESS).take()
    server = Mlflow()
    match change:
        case "param":
            server.runs[0]["data"]["params"][0]["value"] = "4"
        case "tag":
            server.runs[0]["data"]["tags"][0]["value"] = "y"
        case "value":
            server.values["a", "map"] = [0.15, 0.2]
        case "status":
            server.runs[0]["info"]["status"] = "FAILED"
        case "alias":
            server.models[0]["aliases"] = [{"alias": "production", "version": "2"}]
        case "source":
            server.versions[1]["source"] = "t"
    after = MlflowSnapshot(server, ADDRESS).take()
    changed = {name for kind in before for name in before[kind] if before[kind][name] != after[kind][name]}
    assert changed == ({"det 2"} if change in {"alias", "source"} else {"a"})


def test_what_differs_between_installations_can_be_removed() -> None:
    server = Mlflow()
    server.runs[0]["info"]["artifact_uri"] = "file:///home/bert/a"
    steady = MlflowSnapshot(server, ADDRESS, steady=lambda text: text.replace("bert", "anna")).take()
    assert steady == MlflowSnapshot(Mlflow(), ADDRESS).take()


def test_a_malformed_response_is_an_error() -> None:
    server = Mlflow()
    server.refuses = "model-versions"
    with pytest.raises(ServiceUnavailableError, match=r"model-versions/search returned 500"):
        MlflowSnapshot(server, ADDRESS).take()


def test_files_are_served_in_chunks_after_a_login() -> None:
    def answer(asked: Asked) -> Reply:
        if "gone" in asked.path:
            return Reply(status=404)
        if "down" in asked.path:
            return Reply(status=503)
        return Reply(body=f"{asked.path} {'authorization' in map(str.lower, asked.headers)}".encode())

    with loopback(answer) as url:
        snapshot = MlflowSnapshot(Mlflow(), TrackingAddress(uri=url, user="anna", password="secret"))
        got = b"".join(snapshot.artifact("1/ä b"))
        assert got == b"/api/2.0/mlflow-artifacts/artifacts/1/%C3%A4%20b True"
        assert b"path=notes%2Fx" in b"".join(snapshot.run_artifact("a", "notes/x"))
        with pytest.raises(NotFoundError, match="no file"):
            list(snapshot.artifact("gone"))
        with pytest.raises(ServiceUnavailableError, match="HTTPError"):
            list(snapshot.artifact("down"))
        assert b"False" in b"".join(MlflowSnapshot(Mlflow(), TrackingAddress(uri=url)).artifact("x"))


class Zenml:
    """A server with one item per page."""

    def __init__(self) -> None:
        self.kept: dict[str, list[dict[str, Any]]] = {
            "/runs": [self._thing("r1", status="completed"), self._thing("r2", status="failed")],
            "/artifact_versions": [self._thing("x", uri="s3://zenml-artifacts/x")],
            "/model_versions": [
                self._version("det", "v1", "about it"),
                self._version("audit_log_det", "entry_1", ENTRY.canonical),
                self._version("audit_log_det", "note", "no entry"),
            ],
        }

    def done(self, _: str, path: str, json: Any = None) -> Any:
        assert json is None
        where, query = urlsplit(path).path, parse_qs(urlsplit(path).query)
        kept, index = self.kept[where], int(query["page"][0])
        return {"items": copy.deepcopy(kept[index - 1 : index]), "total_pages": len(kept)}

    def _thing(self, id: str, **body: str) -> dict[str, Any]:
        return {"id": id, "body": body, "metadata": {}, "resources": {"user": {"updated": "now"}}}

    def _version(self, model: str, name: str, description: str) -> dict[str, Any]:
        body = {"model": {"name": model}}
        return {"id": f"{model}/{name}", "name": name, "body": body, "metadata": {"description": description}}


def test_a_snapshot_contains_every_page_of_zenml_and_a_hash_of_each_entry() -> None:
    reported = ZenmlSnapshot(Zenml()).take()
    assert list(reported["ZenML pipeline runs"]) == ["r1", "r2"]
    assert list(reported["ZenML artifact versions"]) == ["x"]
    assert list(reported["ZenML model versions"]) == ["det v1", "audit_log_det entry_1", "audit_log_det note"]
    assert reported[AUDIT] == {"det 1": ENTRY.sha256}


def test_a_hash_does_not_cover_referenced_entities() -> None:
    server = Zenml()
    server.kept["/runs"][0]["resources"]["user"]["updated"] = "later"
    assert ZenmlSnapshot(server).take() == ZenmlSnapshot(Zenml()).take()
    server.kept["/runs"][0]["body"]["status"] = "failed"
    assert ZenmlSnapshot(server).take() != ZenmlSnapshot(Zenml()).take()
