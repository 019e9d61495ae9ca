"""The servers of `compose.yaml`, run as processes by the file's own commands, environments and health checks.

No Docker is needed; `tests/compose_processes.py` says what is translated. What this cannot show is what only an engine
does: building the images, users, capabilities, read-only roots, limits, and who may reach which network.
"""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.adapters.zenml.server import ZenmlServer, ZenmlStack
from cv_yolo.domain.stack import BUCKETS, DatabaseAddress, ObjectStoreAddress, PipelineServerAddress, StackAddresses
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.http import ask
from cv_yolo.settings import Settings
from cv_yolo.workflows.read_stack import read_addresses
from cv_yolo_stack.adapters.mlflow import MlflowServer
from cv_yolo_stack.adapters.sql.server import SqlDatabase
from cv_yolo_stack.domain.env_file import PLACEHOLDER, settings_of
from cv_yolo_stack.workflows.write_env import write_env
from tests.compose_file import ROOT
from tests.compose_processes import Processes, free_network, program

NEEDED = ("mariadbd", "mariadb-install-db", "mysql", "curl", "rclone")
MISSING = [name for name in NEEDED if program(name) is None]
pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a loopback address for each service: Linux only"),
    pytest.mark.skipif(bool(MISSING), reason=f"not on this machine: {', '.join(MISSING)}"),
]
PROFILES = {"minio": "minio", "rustfs": "rustfs", "seaweedfs": "weed"}

PIPELINE = """
from zenml import pipeline, step
from zenml.types import HTMLString
@step(enable_cache=False)
def answer() -> HTMLString:
    return HTMLString("<b>42</b>")
@pipeline
def question():
    answer()
output = question().steps["answer"].outputs["output"][0]
print(output.id, output.uri)
"""


def settings(folder: Path, **changes: str) -> dict[str, str]:
    """The settings that `cv-yolo init-env` writes, with changes as a person makes them."""
    shutil.copy(ROOT / ".env.example", folder)
    path = write_env(folder, new_secret=lambda: secrets.token_hex(20))
    return settings_of(path.read_text(encoding="utf-8")) | changes


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Everything up, with MinIO where it is installed."""
    folder, network = tmp_path_factory.mktemp("compose"), free_network()
    variables = settings(folder, MLFLOW_ALLOWED_HOSTS=f"{network}.*")
    processes = Processes(folder=folder, variables=variables, network=network)
    try:
        processes.up()
        yield processes
    finally:
        processes.down()


@pytest.fixture(scope="module")
def addresses(stack: Processes) -> StackAddresses:
    """What a client with the server's URL and a key gets: the `stack` job's own key, from its volume."""
    home = stack.path("stack", "/home/cv-yolo")
    connection = Settings(home_override=home).connection
    assert connection is not None
    return read_addresses(connection, ZenmlStack(ZenmlServer(connection)))


@pytest.fixture(scope="module")
def objects(stack: Processes) -> S3Store:
    """The object store, as its own administrator."""
    return S3Store(
        ObjectStoreAddress(
            endpoint_url=f"http://{stack.address('minio')}:9000",
            access_key=stack.variables["CV_YOLO_S3_ACCESS_KEY"],
            secret_key=stack.variables["CV_YOLO_S3_SECRET_KEY"],
        )
    )


def database(stack: Processes, name: str, user: str, variable: str) -> SqlDatabase:
    host = stack.address("mysql")
    password = stack.variables[variable]
    return SqlDatabase(DatabaseAddress(host=host, port=3306, database=name, user=user, password=password))


def zenml_admin(stack: Processes) -> ZenmlServer:
    url = f"http://{stack.address('zenml-server')}:8080"
    user, password = stack.variables["CV_YOLO_ZENML_USER"], stack.variables["CV_YOLO_ZENML_PASSWORD"]
    return ZenmlServer(PipelineServerAddress(url=url, user=user, password=password))


def mlflow_url(stack: Processes) -> str:
    return f"http://{stack.address('mlflow')}:5000"


def mlflow_answers(stack: Processes, *, host: str | None = None, login: bool = True) -> int:
    """The status of a question to MLflow, asked under a name, with or without logging in."""
    user = (stack.variables["CV_YOLO_MLFLOW_USER"], stack.variables["CV_YOLO_MLFLOW_PASSWORD"])
    url = f"{mlflow_url(stack)}/api/2.0/mlflow/experiments/search?max_results=1"
    headers = {"Host": host} if host else {}
    return ask("GET", url, name="MLflow", login=user if login else None, headers=headers).status


# Everything is there


def test_the_object_store_is_minio_itself(stack: Processes) -> None:
    if program("minio") is None:
        pytest.skip("minio is not installed here (`make minio` builds it): rclone stood for it")
    assert ask("GET", f"http://{stack.address('minio')}:9000/", name="MinIO").headers["Server"] == "MinIO"


def test_every_bucket_takes_an_object(objects: S3Store) -> None:
    assert set(BUCKETS) <= set(objects.buckets())
    for bucket in BUCKETS:
        objects.use(bucket)


def test_each_server_has_a_database_and_a_user_that_sees_no_other(stack: Processes) -> None:
    users = {"zenml": "ZENML_DATABASE_PASSWORD", "mlflow": "MLFLOW_DATABASE_PASSWORD"}
    for user, other in (("zenml", "mlflow"), ("mlflow", "zenml")):
        database(stack, user, user, users[user]).use()
        with pytest.raises(ServiceUnavailableError, match=f"Access denied for user '{user}'"):
            database(stack, other, user, users[user]).use()
        with database(stack, user, user, users[user]).cursor() as cursor:
            cursor.execute("SELECT @@character_set_database, COUNT(*) FROM information_schema.tables "
                           "WHERE table_schema = DATABASE() AND table_collation NOT LIKE 'utf8mb4%'")  # fmt: skip
            assert cursor.fetchone() == ("utf8mb4", 0)


def test_a_client_with_url_and_key_gets_all_addresses_and_all_work(addresses: StackAddresses) -> None:
    ZenmlServer(addresses.pipelines).use()
    MlflowServer(addresses.tracking).use()
    S3Store(addresses.objects).use("zenml-artifacts")
    assert addresses.tracking.user == "cv-yolo"


# MLflow


def test_a_run_keeps_its_metrics_and_its_files_in_the_object_store(
    stack: Processes, addresses: StackAddresses, objects: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", addresses.tracking.user or "")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", addresses.tracking.password or "")
    client = MlflowClient(tracking_uri=addresses.tracking.uri)
    run = client.create_run(client.create_experiment("compose"))
    client.log_metric(run.info.run_id, "map_50", 0.5)
    content = os.urandom(100_000)
    (tmp_path / "best.pt").write_bytes(content)
    client.log_artifact(run.info.run_id, str(tmp_path / "best.pt"))
    client.set_terminated(run.info.run_id)
    assert client.get_run(run.info.run_id).data.metrics == {"map_50": 0.5}
    kept = {each.key: each.size_bytes for each in objects.objects("mlflow")}
    assert kept[f"{run.info.experiment_id}/{run.info.run_id}/artifacts/best.pt"] == len(content)
    (tmp_path / "back").mkdir()
    got = client.download_artifacts(run.info.run_id, "best.pt", str(tmp_path / "back"))
    assert Path(got).read_bytes() == content, "by a link of the object store, which leads there from here too"


@pytest.mark.parametrize(
    ("host", "status"),
    [("mlflow:5000", 200), ("localhost:5000", 200), ("127.0.0.1:5000", 200), ("evil.example", 403)],
)
def test_mlflow_answers_to_its_own_names_only(stack: Processes, host: str, status: int) -> None:
    assert mlflow_answers(stack, host=host) == status


def test_mlflow_requires_a_login(stack: Processes) -> None:
    assert mlflow_answers(stack, login=False) == 401


def test_mlflow_verifies_a_password_once_a_minute_and_not_at_each_request(stack: Processes) -> None:
    assert mlflow_answers(stack) == 200
    durations = []
    for _ in range(10):
        started = time.perf_counter()
        assert mlflow_answers(stack) == 200
        durations.append(time.perf_counter() - started)
    assert min(durations) < 0.2


# ZenML


def test_a_pipeline_runs_and_the_server_shows_what_it_made_from_the_object_store(
    stack: Processes, addresses: StackAddresses, objects: S3Store, tmp_path: Path
) -> None:
    script = tmp_path / "question.py"
    script.write_text(PIPELINE, encoding="utf-8")
    environment = Settings(root=tmp_path).isolation() | {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "ZENML_STORE_URL": addresses.pipelines.url,
        "ZENML_STORE_API_KEY": addresses.pipelines.api_key or "",
        "ZENML_ACTIVE_STACK_ID": str(zenml_admin(stack).done("GET", "/stacks?name=mlflow_stack")["items"][0]["id"]),
    }
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,  # asserted below, with what it wrote
    )
    assert done.returncode == 0, done.stderr
    artifact, uri = done.stdout.splitlines()[-1].split()
    prefix = uri.removeprefix("s3://zenml-artifacts/")
    assert prefix != uri
    assert [each.key for each in objects.objects("zenml-artifacts", prefix)] == [f"{prefix}/output.html"]
    shown = zenml_admin(stack).done("GET", f"/artifact_versions/{artifact}/visualize")
    assert shown["value"] == "<b>42</b>", "the server reads it at the address that the client got"


def test_zenmls_secrets_are_encrypted_in_its_database(stack: Processes, addresses: StackAddresses) -> None:
    with database(stack, "zenml", "zenml", "ZENML_DATABASE_PASSWORD").cursor() as cursor:
        cursor.execute("SELECT name, `values` FROM secret")
        kept = {name: bytes(values) if not isinstance(values, str) else values.encode() for name, values in cursor}
    assert {"minio_zenml_secret", "mlflow_zenml_secret"} <= set(kept)
    for values in kept.values():
        plain = values + base64.b64decode(values + b"==")
        for secret in (addresses.objects.secret_key, addresses.tracking.password or ""):
            assert secret.encode() not in plain
            assert base64.b64encode(secret.encode())[:20] not in plain


@pytest.mark.parametrize("path", ["/current-user", "/secrets", "/stacks", "/pipelines", "/users"])
def test_zenml_requires_a_login(stack: Processes, path: str) -> None:
    assert zenml_admin(stack).ask("GET", path, authenticated=False).status == 401


# Secrets


def test_no_secret_is_in_a_process_list_or_in_a_log(stack: Processes) -> None:
    example = settings_of((ROOT / ".env.example").read_text(encoding="utf-8"))
    hidden = [stack.variables[name] for name, value in example.items() if value == PLACEHOLDER]
    listed = b""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            listed += entry.read_bytes()
        except OSError:
            continue  # it has just ended
    logs = {path.name: path.read_bytes() for path in stack.folder.glob("*.log")}
    assert len(logs) > len(stack.services)
    for secret in hidden:
        assert secret.encode() not in listed
        assert [name for name, text in logs.items() if secret.encode() in text] == []


@pytest.mark.parametrize("name", ["mysql", "minio", "mlflow", "zenml-server"])
def test_a_health_check_fails_where_the_credentials_are_refused(
    stack: Processes, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a use of the service, and no look at whether something listens."""
    assert stack.is_healthy(name)
    declared = stack.services[name].declared["environment"]
    wrong = {key: "wrong-password" for key, value in declared.items() if value in set(hidden_values(stack))}
    monkeypatch.setitem(stack.services[name].declared, "environment", declared | wrong)
    assert wrong
    assert not stack.is_healthy(name)


def hidden_values(stack: Processes) -> list[str]:
    return [value for name, value in stack.variables.items() if name.endswith(("_PASSWORD", "_KEY"))]


# Again, and when something breaks


def test_every_job_may_run_again_and_changes_nothing(stack: Processes, objects: S3Store) -> None:
    for name in ("check-env", "databases", "buckets", "stack"):
        assert stack.run(name) == 0
    reported = stack.log("stack").read_text(encoding="utf-8").split("Connected to")[-2]
    changes = [line for line in reported.splitlines() if ": " in line]
    assert len(changes) > 8
    assert [line for line in changes if not line.startswith("= ")] == []


def test_records_survive_a_restart_of_database_and_object_store(
    stack: Processes, addresses: StackAddresses, objects: S3Store
) -> None:
    objects.put("dvc", "kept", b"kept")
    for name in ("mysql", "minio"):
        stack.stop(name)
        assert not stack.is_healthy(name)
    stack.up()
    assert objects.get("dvc", "kept") == b"kept"
    assert "minio_zenml_secret" in str(zenml_admin(stack).done("GET", "/secrets"))
    MlflowServer(addresses.tracking).use()


def test_a_killed_forwarder_works_again_after_its_restart(stack: Processes, addresses: StackAddresses) -> None:
    os.killpg(stack.running["zenml-door"].pid, signal.SIGKILL)
    stack.running["zenml-door"].wait()
    with pytest.raises(ServiceUnavailableError):
        MlflowServer(addresses.tracking).use()
    stack.stop("zenml-door")
    stack.up()
    MlflowServer(addresses.tracking).use()


# Before anything starts


def test_the_servers_do_not_start_with_the_examples_values(tmp_path: Path) -> None:
    variables = settings_of((ROOT / ".env.example").read_text(encoding="utf-8"))
    processes = Processes(folder=tmp_path, variables=variables)
    with pytest.raises(AssertionError, match="check-env ended with exit code 2") as caught:
        processes.up()
    assert "MYSQL_ROOT_PASSWORD has the example's value" in str(caught.value)
    assert set(processes.running) == {"check-env"}


@pytest.mark.parametrize("profile", ["rustfs", "seaweedfs"])
def test_another_object_store_does_the_same(tmp_path: Path, profile: str) -> None:
    if program(PROFILES[profile]) is None:
        pytest.skip(f"{PROFILES[profile]} is not installed here")
    processes = Processes(folder=tmp_path, variables=settings(tmp_path, COMPOSE_PROFILES=profile))
    for name in set(processes.services) - {"check-env", "buckets", profile, f"{profile}-door"}:
        del processes.services[name]
    try:
        processes.up()
        assert "bucket mlflow: created" in processes.log("buckets").read_text(encoding="utf-8")
    finally:
        processes.down()
