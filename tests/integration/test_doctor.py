"""`cv-yolo doctor` on the real servers: healthy ones pass, broken ones are found, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.adapters.zenml.server import ZenmlServer
from cv_yolo.domain.stack import BUCKETS, PipelineServerAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.mlflow import MlflowServer
from cv_yolo_stack.adapters.sql.server import SqlDatabase
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.domain.health import CheckResult
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.workflows.doctor.database import database_checkup
from cv_yolo_stack.workflows.doctor.examine import examine
from cv_yolo_stack.workflows.doctor.pipelines import pipeline_checkup
from cv_yolo_stack.workflows.doctor.tracking import tracking_checkup
from tests.loopback import Asked, Reply, in_front_of, twenty_minutes_ahead
from tests.servers import CLI, TIMEOUT_S, RunningStack, cv_yolo


def doctor(stack: RunningStack, *arguments: str, code: int, **more: str) -> dict[str, Any]:
    reported: dict[str, Any] = json.loads(
        cv_yolo(stack.settings.root, "doctor", "--json", *arguments, code=code, **more).stdout
    )
    return reported


def by_name(findings: tuple[CheckResult, ...]) -> dict[str, CheckResult]:
    return {each.name: each for each in findings}


def tracking(stack: RunningStack, uri: str, *, takes_detours: bool = False) -> dict[str, CheckResult]:
    """What is found at that address, by a client of ours or by one that goes where the server sends it."""
    probe = StackContainer(stack.settings).probes(timeout_s=10).tracking(replace(stack.addresses.tracking, uri=uri))
    os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD"] = "true" if takes_detours else "false"
    return by_name(examine([tracking_checkup(probe)]))


def pipelines(stack: RunningStack, url: str) -> dict[str, CheckResult]:
    probe = StackContainer(stack.settings).probes(timeout_s=10).pipelines(replace(stack.addresses.pipelines, url=url))
    return by_name(examine([pipeline_checkup(probe, stack="mlflow_stack", stored=None)]))


def failed(found: dict[str, CheckResult]) -> dict[str, str]:
    return {name: each.found for name, each in found.items() if each.passed is False}


def test_the_servers_of_up_pass_but_for_the_stack_until_it_is_registered(local_stack: RunningStack) -> None:
    reported = doctor(local_stack, code=0 if has_stack(local_stack) else 3)
    wrong = {(each["service"], each["name"]) for each in reported["findings"] if each["passed"] is False}
    assert wrong == (set() if has_stack(local_stack) else {("zenml", "stack")})
    untried = {(each["service"], each["name"]) for each in reported["findings"] if each["passed"] is None}
    assert untried == {("store", "conditional put"), ("dvc", "project")} | (
        {("database", "address")} if local_stack.database is None else set()
    )


def test_nothing_is_left_behind(local_stack: RunningStack) -> None:
    before, files = traces(local_stack), machine_files(local_stack)
    doctor(local_stack, code=0 if has_stack(local_stack) else 3)
    assert traces(local_stack) == before
    assert machine_files(local_stack) == files


@pytest.mark.parametrize("after_s", [1.5, 3.0])
def test_a_doctor_that_is_stopped_leaves_nothing_that_the_next_one_does_not_use_or_remove(
    local_stack: RunningStack, after_s: float
) -> None:
    before = traces(local_stack)
    child = subprocess.Popen([*CLI, "doctor"], cwd=local_stack.settings.root, env=local_stack.environment)
    time.sleep(after_s)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) in {0, 3, 130, -signal.SIGINT}  # the last one: it was still importing
    doctor(local_stack, code=0 if has_stack(local_stack) else 3)
    assert traces(local_stack) == before


def test_a_deleted_experiment_is_reported_with_the_restore_command(local_stack: RunningStack) -> None:
    server = MlflowServer(local_stack.addresses.tracking)
    made = server.ask("POST", "/api/2.0/mlflow/experiments/create", {"name": "cv_yolo_tiny"}).body
    if "experiment_id" not in made:
        pytest.skip("another test has records in the experiment")
    id = {"experiment_id": made["experiment_id"]}
    server.ask("POST", "/api/2.0/mlflow/experiments/delete", id)
    try:
        found = tracking(local_stack, local_stack.addresses.tracking.uri)
        assert list(failed(found)) == ["experiment"]
        assert f"--experiment-id {id['experiment_id']}" in str(found["experiment"].remedy)
    finally:
        server.ask("POST", "/api/2.0/mlflow/experiments/restore", id)
        renamed = server.ask(
            "POST", "/api/2.0/mlflow/experiments/update", {**id, "new_name": f"restored_{made['experiment_id']}"}
        )
        assert renamed.ok, "others could not write to an experiment of the administrator's"


def test_no_secret_is_shown(local_stack: RunningStack) -> None:
    reported = cv_yolo(local_stack.settings.root, "doctor", "--timeout", "10", code=None)
    addresses = local_stack.addresses
    for secret in (addresses.objects.secret_key, addresses.tracking.password, addresses.pipelines.password):
        assert secret
        assert secret not in reported.stdout + reported.stderr


def test_each_wrong_password_is_reported_with_the_command_that_renews_it(local_stack: RunningStack) -> None:
    probes, addresses = StackContainer(local_stack.settings).probes(timeout_s=10), local_stack.addresses
    checkups = [
        tracking_checkup(probes.tracking(replace(addresses.tracking, password="wrong"))),
        pipeline_checkup(probes.pipelines(replace(addresses.pipelines, password="wrong")), stack="s", stored=None),
    ]
    if local_stack.database is not None:
        checkups.append(database_checkup(probes.database(replace(local_stack.database, password="wrong"))))
    found = [each for each in examine(checkups) if each.passed is False]
    assert [each.name for each in found] == ["our credentials"] * len(checkups)
    assert all(each.remedy for each in found)


def test_an_mlflow_that_is_called_by_another_name_is_found_out(local_stack: RunningStack) -> None:
    """The real guard: in front stands a server whose address MLflow does not know."""
    with in_front_of(local_stack.addresses.tracking.uri, lambda _, reply: reply) as front:
        found = tracking(local_stack, front)
    assert failed(found) == {"host name": f"the server refuses the host name {front.removeprefix('http://')}"}
    assert "--allowed-hosts" in str(found["host name"].remedy)


def test_clocks_that_are_off_are_found_out(local_stack: RunningStack) -> None:
    with in_front_of(local_stack.addresses.pipelines.url, twenty_minutes_ahead) as front:
        assert pipelines(local_stack, front)["clock"].found == "20 min ahead of ours"


def test_a_zenml_that_accepts_wrong_credentials_is_found(local_stack: RunningStack) -> None:
    def welcoming(asked: Asked, reply: Reply) -> Reply:
        return replace(reply, status=200, body=b"{}") if reply.status == 401 else reply

    with in_front_of(local_stack.addresses.pipelines.url, welcoming) as front:
        found = pipelines(local_stack, front)
    assert {"no credentials", "wrong credentials"} <= failed(found).keys()


def test_a_presigned_address_that_leads_nowhere_is_found_out(local_stack: RunningStack) -> None:
    """The store as the server knows it, `minio:9000`, which only the server resolves."""
    inside = str(local_stack.addresses.objects.endpoint_url).encode()
    address = local_stack.addresses.tracking
    host = address.uri.removeprefix("http://")

    def as_inside(_: Asked, reply: Reply) -> Reply:
        return replace(reply, body=reply.body.replace(inside, b"http://minio.invalid:9000"))

    with in_front_of(address.uri, as_inside, host=host) as front:
        ours = tracking(local_stack, front)["presigned download"]
        theirs = tracking(local_stack, front, takes_detours=True)["presigned download"]
    assert (ours.passed, theirs.passed) == (None, False)
    for found in (ours, theirs):
        assert "the name 'minio.invalid' does not resolve on this machine" in found.found
    assert "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD=false" in str(theirs.remedy)


def test_a_real_database_passes(local_stack: RunningStack) -> None:
    if local_stack.database is None:
        pytest.skip("no mariadbd on this machine: the stack keeps its records in SQLite files")
    probe = StackContainer(local_stack.settings).probes(timeout_s=10).database(local_stack.database)
    found = by_name(examine([database_checkup(probe)]))
    assert failed(found) == {}
    assert found["wrong credentials"].found == "refused (1045)"


def test_a_database_accepts_our_password_and_returns_error_numbers(local_stack: RunningStack) -> None:
    if local_stack.database is None:
        pytest.skip("no mariadbd on this machine: the stack keeps its records in SQLite files")
    database = SqlDatabase(local_stack.database)
    assert database.answer_to(local_stack.database.password) == 0
    assert abs(database.clock() - datetime.now(UTC)) < timedelta(seconds=5)
    with pytest.raises(ServiceUnavailableError, match="error in your SQL"), database.cursor() as cursor:
        cursor.execute("SELEC 1")


def test_secrets_in_plain_base64_are_found_out_on_a_real_server(tmp_path: Path) -> None:
    with zenml_without_a_key(tmp_path) as (address, records):
        probes = StackContainer(Settings(root=tmp_path)).probes(timeout_s=10)
        stored = probes.stored_in_file(records)
        found = by_name(examine([pipeline_checkup(probes.pipelines(address), stack="s", stored=stored)]))
        left = ZenmlServer(address).done("GET", "/secrets")["items"]
    assert failed(found).keys() == {"secrets", "stack"}
    assert "ZENML_SECRETS_STORE_ENCRYPTION_KEY" in str(found["secrets"].remedy)
    assert left == []


def machine_files(stack: RunningStack) -> list[str]:
    """The files of the project, but for logs, databases at work and what libraries keep for themselves."""
    root = stack.settings.root
    skipped = ("logs/", "-journal", "-wal", "-shm", "matplotlib", "/run/", "state.json", "database/")
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    return [path for path in found if not any(each in path for each in skipped)]


def has_stack(stack: RunningStack) -> bool:
    """Whether another test has registered it by now."""
    return bool(ZenmlServer(stack.addresses.pipelines).done("GET", "/stacks?name=mlflow_stack")["items"])


def traces(stack: RunningStack) -> dict[str, Any]:
    """All that could be left: objects, secrets, accounts, experiments, runs and models, deleted ones too."""
    objects, zenml = S3Store(stack.addresses.objects), ZenmlServer(stack.addresses.pipelines)
    reported: dict[str, Any] = {
        bucket: [(each.key, each.size_bytes) for each in objects.objects(bucket)] for bucket in BUCKETS
    }
    for kind in ("secrets", "service_accounts", "users", "stacks", "components", "devices"):
        reported[kind] = sorted(each["name"] or each["id"] for each in zenml.done("GET", f"/{kind}?size=100")["items"])
    server = MlflowServer(stack.addresses.tracking)
    asked = {"max_results": 100, "view_type": "ALL"}
    experiments = server.ask("POST", "/api/2.0/mlflow/experiments/search", asked).body["experiments"]
    reported["experiments"] = experiments
    asked = {
        "experiment_ids": [each["experiment_id"] for each in experiments],
        "max_results": 1000,
        "run_view_type": "ALL",
    }
    reported["runs"] = server.ask("POST", "/api/2.0/mlflow/runs/search", asked).body.get("runs", [])
    reported["models"] = server.ask("GET", "/api/2.0/mlflow/registered-models/search").body
    reported["histories"] = {
        each["info"]["run_id"]: server.ask(
            "GET", f"/api/2.0/mlflow/metrics/get-history?run_id={each['info']['run_id']}&metric_key=probe"
        ).body.get("metrics")
        for each in reported["runs"]
    }
    return reported


@contextmanager
def zenml_without_a_key(folder: Path) -> Iterator[tuple[PipelineServerAddress, Path]]:
    """A ZenML server as its own documentation starts it: without encryption."""
    port, records = free_port(0), folder / "zenml.db"
    address = PipelineServerAddress(url=f"http://127.0.0.1:{port}", user="admin", password="admin-password")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZENML_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    environment = kept | {
        "ZENML_SERVER": "true",
        "ZENML_CONFIG_PATH": str(folder / "config"),
        "ZENML_STORE_URL": f"sqlite:///{records}",
        "ZENML_SERVER_DEPLOYMENT_TYPE": "other",
        "ZENML_SERVER_AUTO_ACTIVATE": "1",
        "ZENML_DEFAULT_USER_PASSWORD": str(address.password),
        "ZENML_DEFAULT_USER_NAME": "admin",
        "ZENML_SERVER_JWT_SECRET_KEY": "k" * 40,
        "ZENML_SECRETS_STORE_TYPE": "sql",
        "ZENML_ANALYTICS_OPT_IN": "false",
    }
    command = [sys.executable, "-m", "uvicorn", "zenml.zen_server.zen_server_api:app", "--port", str(port)]
    log = folder / "log.txt"
    with (
        log.open("w", encoding="utf-8") as out,
        subprocess.Popen([*command, "--host", "127.0.0.1"], env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            until_usable(ZenmlServer(address), process, log)
            yield address, records
        finally:
            process.terminate()


def until_usable(server: ZenmlServer, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            server.use()
            return
        except ServiceUnavailableError:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end, log.read_text(encoding="utf-8")
            time.sleep(0.2)  # it is starting, and does not report when it is done
