"""The whole job on the real servers, small: what is where afterwards, and what is nowhere. In order."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.adapters.zenml.server import ZenmlServer
from cv_yolo.container import Container
from cv_yolo.domain.stack import BUCKETS
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.mlflow import MlflowServer
from cv_yolo_stack.configuration.credentials import read_credentials
from cv_yolo_stack.configuration.folder import folder_of
from tests.e2e.project import SMALL, Project, make_project
from tests.servers import RunningStack, cv_yolo, stack_in

pytestmark = pytest.mark.slow
GRID = ("grid", "--config", "configs/demo.yaml", "--epochs", "1,2", *SMALL)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Servers without other writers: what is counted on them is this grid's."""
    with stack_in(tmp_path_factory.mktemp("servers") / "project") as stack:
        yield stack


@pytest.fixture(scope="module")
def project(servers: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A clone on another machine, connected with a key of its own."""
    made = make_project(tmp_path_factory.mktemp("server") / "project")
    home = servers.settings.root
    cv_yolo(home, "stack", "register")
    key = cv_yolo(home, "stack", "key", "grid-test").stdout.strip()
    cv_yolo(made.root, "connect", servers.addresses.pipelines.url, CV_YOLO_SERVER_API_KEY=key)
    return made


def test_a_grid_promotes_its_best_run_to_staging_on_the_server(project: Project) -> None:
    done = cv_yolo(project.root, *GRID, "--json")
    output = json.loads(done.stdout)
    assert (output["verdict"], output["promoted"], output["provisional"]) == ("promote", True, True)
    (version,) = json.loads(cv_yolo(project.root, "models", "--json").stdout)
    assert version["stage"] == "staging"
    assert not (project.root / ".cv-yolo" / "mlflow").exists(), "nothing is kept in the embedded stores"
    assert not list((project.root / ".cv-yolo" / "audit").glob("*.jsonl"))


def test_runs_are_in_mlflow_with_their_files_and_lead_to_zenmls_run(project: Project, servers: RunningStack) -> None:
    mlflow, zenml = servers.addresses.tracking, servers.addresses.pipelines
    runs = json.loads(cv_yolo(project.root, "runs", "--json").stdout)
    assert {run["status"] for run in runs} == {"finished"}
    for run in runs:
        record = MlflowServer(mlflow).ask("GET", f"/api/2.0/mlflow/runs/get?run_id={run['run_id']}").body["run"]
        assert record["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
        assert f"{zenml.url}/projects/default/runs/" in run["tags"]["zenml_run"]
    assert _keys(servers, "mlflow", "/artifacts/weights/best.pt") == len(runs)


def test_zenmls_run_is_complete_and_its_steps_lead_to_mlflows_runs(project: Project, servers: RunningStack) -> None:
    zenml = ZenmlServer(servers.addresses.pipelines)
    (pipeline_run,) = zenml.done("GET", "/runs?hydrate=true&pipeline=yolo_training_pipeline")["items"]
    assert pipeline_run["body"]["status"] == "completed"
    steps = zenml.done("GET", f"/steps?pipeline_run_id={pipeline_run['id']}&size=50&hydrate=true")["items"]
    links = {
        step["name"]: step["metadata"]["run_metadata"]["mlflow_run"]
        for step in steps
        if step["name"].startswith("train_yolo_tiny")
    }
    runs = {run["run_id"]: run for run in json.loads(cv_yolo(project.root, "runs", "--json").stdout)}
    assert len(links) == len(runs) == 2
    for link in links.values():
        page = urlsplit(link)
        assert f"{page.scheme}://{page.netloc}" == servers.addresses.tracking.uri
        assert urlsplit(page.fragment).path.rpartition("/runs/")[2] in runs


def test_artifacts_the_audit_log_and_the_data_are_in_the_object_store(project: Project, servers: RunningStack) -> None:
    assert _keys(servers, "zenml-artifacts", "weights.pt") == 2
    assert _keys(servers, "zenml-artifacts", "audit_log/") >= 1
    assert "chain intact" in cv_yolo(project.root, "history", "--verify").stdout
    cv_yolo(project.root, "data", "push", "data/demo")
    assert _keys(servers, "dvc", "") >= 1


def test_another_machine_sees_the_same_and_can_fetch_the_detector(
    project: Project, servers: RunningStack, tmp_path: Path
) -> None:
    key = cv_yolo(servers.settings.root, "stack", "key", "reader").stdout.strip()
    other = make_project(tmp_path / "other")
    variables = {"CV_YOLO_SERVER_URL": servers.addresses.pipelines.url, "CV_YOLO_SERVER_API_KEY": key}
    history = cv_yolo(other.root, "history", "--json", **variables).stdout
    assert json.loads(history) == json.loads(cv_yolo(project.root, "history", "--json").stdout)
    scored = cv_yolo(other.root, "evaluate", "staging", "--data", "data/demo", "--split", "test", "--json", **variables)
    assert json.loads(scored.stdout)["subject"]["split"] == "test"


def test_the_same_grid_once_more_trains_nothing(project: Project) -> None:
    output = json.loads(cv_yolo(project.root, *GRID, "--json", code=None).stdout)
    assert output["status"] == "completed"
    assert len(json.loads(cv_yolo(project.root, "runs", "--json").stdout)) == 2


def test_no_secret_is_in_any_store_log_parameter_or_metadata(project: Project, servers: RunningStack) -> None:
    secrets = _secrets(servers, project)
    assert len(secrets) == 9
    found = [
        f"{place} holds a secret ({name})"
        for place, content in _everything(project, servers)
        for name, secret in secrets.items()
        if secret.encode() in content
    ]
    assert found == []


def _keys(stack: RunningStack, bucket: str, part: str) -> int:
    return sum(part in each.key for each in S3Store(stack.addresses.objects).objects(bucket))


def _secrets(stack: RunningStack, project: Project) -> dict[str, str]:
    """Every password and key of the servers and of this machine."""
    credentials = read_credentials(folder_of(stack.settings).credentials)
    assert credentials is not None
    fields = {name: getattr(credentials, name) for name in credentials.__dataclass_fields__}
    secrets = {name: str(value) for name, value in fields.items() if not name.endswith(("user", "access_key"))}
    addresses = Container(Settings(root=project.root)).servers.stack_addresses
    return secrets | {
        "api_key": str(addresses.pipelines.api_key),
        "password of MLflow's user": str(addresses.tracking.password),
    }


def _everything(project: Project, stack: RunningStack) -> Iterator[tuple[str, bytes]]:
    """All objects, all that the servers hold of runs, and every file that commands and servers wrote as a log."""
    store = S3Store(stack.addresses.objects)
    for bucket in BUCKETS:
        for each in store.objects(bucket):
            yield f"s3://{bucket}/{each.key}", store.get(bucket, each.key)
    yield "MLflow's runs", cv_yolo(project.root, "runs", "--json").stdout.encode()
    zenml = ZenmlServer(stack.addresses.pipelines)
    for path in ("/runs", "/steps", "/artifact_versions", "/model_versions", "/components", "/stacks", "/pipelines"):
        yield f"ZenML's {path}", json.dumps(zenml.done("GET", f"{path}?hydrate=true&size=200")).encode()
    for folder in (project.root / ".cv-yolo" / "runs", project.root / "reports", folder_of(stack.settings).logs):
        for file in folder.rglob("*"):
            if file.is_file():
                yield str(file), file.read_bytes()
