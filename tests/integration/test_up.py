"""`cv-yolo up` and its kin with the real servers: usable, closed to strangers, restarted, and never left behind."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from cv_yolo.domain.stack import DATASETS_BUCKET, DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings
from cv_yolo_stack.adapters.sql.server import SqlDatabase
from cv_yolo_stack.configuration.choice import DatabaseKind, StoreKind
from cv_yolo_stack.configuration.credentials import NAMES
from cv_yolo_stack.configuration.local_stack import DATABASES, LocalStack, read_stack
from cv_yolo_stack.configuration.programs import find_mariadb, find_minio
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.servers.database import database
from cv_yolo_stack.servers.object_store import object_store
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.supervision.processes import is_alive, processes_of
from cv_yolo_stack.supervision.state import StackState, read_state
from tests.servers import CLI, cv_yolo, environment_of, free_ports

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="`cv-yolo up` needs Linux or macOS")
TIMEOUT_S = 90
BUILT = Path(__file__).resolve().parents[2] / ".cv-yolo" / "bin"  # where `make minio` puts it
MINIO = os.environ.get("CV_YOLO_MINIO") or find_minio(BUILT)
UNKNOWN_ID = "00000000-0000-0000-0000-000000000000"
OPEN = {"/health", "/ready", "/api/v1/version", "/api/v1/info", "/api/v1/logout"}  # public


class Started:
    """A project whose servers two `cv-yolo up` started at once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        command = [*CLI, "up", *free_ports()]
        self.first = subprocess.Popen(
            command, cwd=root, env=environment_of(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for((root / ".cv-yolo/services/state.json").exists, "the first `up` to begin")
        self.second = cv_yolo(root, "up", "--json")
        self.output, self.progress = self.first.communicate(timeout=TIMEOUT_S)
        assert self.first.returncode == 0, self.progress
        self.container = StackContainer(Settings(root=root))

    @property
    def stack(self) -> LocalStack:
        found = read_stack(self.container.settings)
        assert found is not None
        return found

    @property
    def state(self) -> StackState:
        found = read_state(self.stack.folder.state)
        assert found is not None
        return found

    @property
    def secrets(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self.stack.credentials).items() if name not in NAMES}

    def pids(self) -> dict[str, int | None]:
        return {service.name: service.pid for service in self.state.services}

    def health(self, name: str) -> str:
        found = self.state.of(name)
        assert found is not None
        return found.health

    def status(self, *, code: int | None = 0) -> dict[str, dict[str, Any]]:
        services = json.loads(cv_yolo(self.root, "status", "--json", code=code).stdout)["services"]
        return {each["name"]: each for each in services}

    def has_started(self, name: str) -> bool:
        state = read_state(self.stack.folder.state)
        return state is not None and any(each.pid for each in state.services if each.name == name)

    def use_all(self) -> None:
        stack = self.stack
        self.container.servers.object_store(stack.objects).use(DATASETS_BUCKET)
        self.container.servers.pipeline_server(stack.pipelines).use()
        self.container.tracking_server(stack.tracking).use()
        for name in DATABASES:
            address = stack.database(name)
            if address:
                self.container.sql_database(address).use()


def wait_for(condition: Callable[[], bool], what: str, *, within_s: float = TIMEOUT_S) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up, f"waited {within_s} s for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    root = tmp_path_factory.mktemp("up")
    try:
        yield Started(root)
    finally:
        cv_yolo(root, "down", code=None)
        assert processes_of(Settings(root=root).services) == []


def test_the_first_start_prints_addresses_and_the_first_password_once(up: Started) -> None:
    stack = up.stack
    for url in (stack.objects.endpoint_url, stack.pipelines.url, stack.tracking.uri, str(stack.folder.credentials)):
        assert str(url) in up.output
    assert f"{stack.tracking.uri}/#/experiments?workflowType=machine_learning" in up.output
    assert up.progress.count(stack.credentials.zenml_password) == 1
    assert stack.credentials.zenml_password not in up.output + up.second.stdout + up.second.stderr
    assert "cv-yolo stack register" in up.progress


def test_of_two_at_once_the_second_waits_and_finds_what_the_first_has_started(up: Started) -> None:
    assert "Another `cv-yolo up` is running here" in up.second.stderr
    assert "already running" in up.second.stderr
    assert {each["name"]: each["pid"] for each in json.loads(up.second.stdout)["services"]} == up.pids()


def test_every_server_is_usable_when_up_returns(up: Started) -> None:
    up.use_all()
    assert {each["status"] for each in up.status().values()} == {"ready"}
    assert ("database" in up.pids()) == (find_mariadb() is not None), "MariaDB where it is installed"


def test_another_up_does_nothing(up: Started) -> None:
    before = up.state
    assert "already running" in cv_yolo(up.root, "up").stderr
    assert up.state == before


def test_the_credentials_are_their_owners_alone_and_in_no_process_list(up: Started) -> None:
    folder = up.stack.folder
    assert stat.S_IMODE(folder.credentials.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700
    words = [word for process in processes_of(folder.root) for word in process.cmdline()]
    assert any("mlflow" in word for word in words)
    for name, secret in up.secrets.items():
        assert not any(secret in word for word in words), name


def test_all_servers_listen_on_this_machine_only(up: Started) -> None:
    ours = {process.pid for process in processes_of(up.stack.folder.root)}
    listening = [each for each in psutil.net_connections("inet") if each.pid in ours and each.status == "LISTEN"]
    assert len(listening) >= 3
    assert {each.laddr[0] for each in listening} == {"127.0.0.1"}


def test_a_wrong_password_is_refused_by_every_server(up: Started) -> None:
    stack, container = up.stack, up.container
    wrong = "wrong-wrong-wrong"
    tried: list[Callable[[], object]] = [
        lambda: container.servers.object_store(replace(stack.objects, secret_key=wrong)).buckets(),
        lambda: container.servers.object_store(replace(stack.objects, access_key=wrong)).buckets(),
        lambda: container.servers.pipeline_server(replace(stack.pipelines, password=wrong)).use(),
        lambda: container.tracking_server(replace(stack.tracking, password=wrong)).use(),
    ]
    records = stack.database("zenml")
    if records:
        logins = [("root", ""), ("", ""), ("mysql", ""), (records.user, ""), (records.user, wrong)]
        tried += [container.sql_database(as_user(records, *each)).use for each in logins]
    for use in tried:
        with pytest.raises(ServiceUnavailableError):
            use()


def as_user(address: DatabaseAddress, user: str, password: str) -> DatabaseAddress:
    return replace(address, user=user, password=password, database="")


def test_no_server_returns_data_without_a_login(up: Started) -> None:
    store = up.stack.objects.endpoint_url
    for path in ("/", "/mlflow?list-type=2", "/mlflow/0/a"):
        for method in ("GET", "PUT", "DELETE"):
            assert requests.request(method, f"{store}{path}", timeout=10).status_code in {400, 401, 403}, path
    tracking = up.stack.tracking.uri
    for path in ("/", "/metrics", "/docs", "/graphql", "/get-artifact?run_id=a&path=b", "/v1/traces", "/gateway/x"):
        for method in ("GET", "POST"):
            assert requests.request(method, f"{tracking}{path}", timeout=10).status_code in {401, 404, 405}, path
    for path in ("experiments/search", "runs/search", "registered-models/search", "users/list"):
        for api in ("api", "ajax-api"):
            assert requests.get(f"{tracking}/{api}/2.0/mlflow/{path}?max_results=1", timeout=10).status_code == 401, (
                path
            )
    assert requests.get(f"{tracking}/api/2.0/mlflow-artifacts/artifacts", timeout=10).status_code == 401


def test_all_data_routes_of_zenml_require_a_login(up: Started) -> None:
    url = up.stack.pipelines.url
    paths = requests.get(f"{url}/openapi.json", timeout=120).json()["paths"]
    answers = {
        (method, path): requests.request(method, url + re.sub(r"\{[^}]*\}", UNKNOWN_ID, path), timeout=120).status_code
        for path, methods in paths.items()
        for method in methods
    }
    assert len(answers) > 200
    assert {path for (_, path), status in answers.items() if status < 400} == OPEN


def test_mlflow_answers_to_no_other_sites_name(up: Started) -> None:
    url, login = up.stack.tracking.uri, (up.stack.credentials.mlflow_user, up.stack.credentials.mlflow_password)
    assert requests.get(url, auth=login, timeout=10).status_code == 200
    assert requests.get(url, auth=login, timeout=10, headers={"Host": "evil.example"}).status_code == 403


def test_one_server_is_restarted_on_request(up: Started) -> None:
    before = up.status()
    cv_yolo(up.root, "restart", "store")
    after = up.status()
    assert after["store"]["pid"] != before["store"]["pid"]
    assert after["store"]["restarts"] == before["store"]["restarts"], "it did not crash"
    assert after["mlflow"]["pid"] == before["mlflow"]["pid"]
    unknown = cv_yolo(up.root, "restart", "stoer", code=2)
    assert "services: store" in unknown.stderr


def test_killed_servers_are_restarted_and_it_is_reported(up: Started) -> None:
    before = up.pids()
    killed = {name: pid for name, pid in before.items() if name != "zenml"}  # it lives through its database's death
    for pid in killed.values():
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: sum(each.restarts for each in up.state.services) == len(killed), "every restart to be reported")
    wait_for(lambda: up.state.ready, "all to be usable again")
    up.use_all()
    assert {name for name, pid in up.pids().items() if pid == before[name]} == {"zenml"}
    log = cv_yolo(up.root, "logs", "supervisor").stdout
    for name in killed:
        assert f"{name} restarting: killed by SIGKILL; restarts in 0.5 s" in log


def test_temporary_tables_are_where_no_other_server_removes_them(up: Started) -> None:
    address = up.stack.database("zenml")
    if address is None:
        pytest.skip("no mariadbd: SQLite has no temporary tables of other servers beside it")
    with SqlDatabase(address).cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        (reported,) = cursor.fetchone()
    assert Path(reported).is_relative_to(up.stack.folder.root)


def test_a_hung_server_is_reported_and_fixed_by_the_reported_command(up: Started) -> None:
    hung = up.pids()["store"]
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    reported = cv_yolo(up.root, "status", code=3)
    assert "ready (does not answer)" in reported.stdout
    assert "`cv-yolo restart store`" in reported.stderr
    cv_yolo(up.root, "restart", "store")
    cv_yolo(up.root, "status")
    up.use_all()
    assert up.pids()["store"] != hung


def test_a_server_that_stays_hung_is_found_shown_and_restarted_by_itself(up: Started) -> None:
    before = up.pids()
    hung = before["store"]
    assert hung is not None
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    wait_for(lambda: up.health("store") == "hung", "the hung store to be found")
    assert time.monotonic() - began < 60, "30 s, and as long again where the machine has other work"
    output = json.loads(cv_yolo(up.root, "status", "--json", code=None).stdout)
    assert {each["name"] for each in output["services"]} == set(before)
    wait_for(lambda: up.pids()["store"] not in {None, hung}, "its restart")
    wait_for(lambda: up.state.ready and up.health("store") == "healthy", "all to be usable again")
    up.use_all()
    assert {name for name, pid in up.pids().items() if pid != before[name]} == {"store"}
    assert "store ready (hung)" in cv_yolo(up.root, "logs", "supervisor").stdout


def test_another_store_or_database_is_refused_once_there_are_data(up: Started) -> None:
    refused = cv_yolo(up.root, "up", "--store", "minio", code=2)
    assert "keeps its objects with rclone; minio would not find them" in refused.stderr
    assert "stop them first" in cv_yolo(up.root, "up", "--mlflow-port", str(free_port(0)), code=2).stderr


def test_a_port_in_use_is_named_with_its_holder(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        failed = cv_yolo(tmp_path, "up", *free_ports(), "--zenml-port", str(port), code=3)
    assert f"port {port} for ZenML is in use by process {os.getpid()} (" in failed.stderr
    assert f"cv-yolo up --zenml-port {port + 1}" in failed.stderr
    assert not Settings(root=tmp_path).services.joinpath("credentials.json").exists(), "nothing is chosen yet"


def test_an_external_store_and_database_are_used_as_they_are(up: Started, tmp_path: Path) -> None:
    ours = up.stack
    choice = replace(
        ours.choice,
        store=StoreKind.EXTERNAL,
        store_url=ours.objects.endpoint_url,
        database=DatabaseKind.EXTERNAL if ours.database("zenml") else DatabaseKind.SQLITE,
        database_url="mysql://{}:{}".format(*ours.choice.database_place),
    )
    stack = LocalStack(folder=replace(ours.folder, root=tmp_path), choice=choice, credentials=ours.credentials)
    services = [object_store(stack, up.container), database(stack, up.container)]
    for service in filter(None, services):
        assert service.command == ()
        service.use()


def test_nothing_is_left_when_the_supervisor_is_killed_and_the_next_up_has_all_data(up: Started) -> None:
    stack = up.stack
    up.container.servers.object_store(stack.objects).put(DATASETS_BUCKET, "kept", b"kept")
    servers = processes_of(stack.folder.root)
    os.kill(up.state.pid, signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, servers)), "the servers to end with their supervisor", within_s=15)
    assert processes_of(stack.folder.root) == []
    assert "not running" in cv_yolo(up.root, "status", code=3).stdout
    began = time.monotonic()
    again = cv_yolo(up.root, "restart")
    assert time.monotonic() - began < TIMEOUT_S
    assert stack.credentials.zenml_password not in again.stdout + again.stderr, "shown at the first start only"
    up.use_all()
    assert up.container.servers.object_store(stack.objects).get(DATASETS_BUCKET, "kept") == b"kept"


def test_no_log_contains_or_shows_a_secret(up: Started) -> None:
    folder = up.stack.folder
    logs = {path.stem: path.read_text(encoding="utf-8", errors="replace") for path in (folder.root / "logs").iterdir()}
    assert set(logs) == {"supervisor", *up.pids()}
    for name, secret in up.secrets.items():
        assert [log for log, text in logs.items() if secret in text] == [], name
    with folder.log("store").open("a", encoding="utf-8") as log:
        log.write(f"a careless line {up.stack.credentials.store_secret_key}\n")
    assert cv_yolo(up.root, "logs", "store", "-n", "1").stdout == "a careless line •••\n"


def test_down_stops_everything_and_can_be_repeated(up: Started) -> None:
    root = up.stack.folder.root
    before = processes_of(root)
    assert cv_yolo(up.root, "down").stdout == "The servers are stopped.\n"
    assert not any(map(is_alive, before))
    assert processes_of(root) == []
    assert cv_yolo(up.root, "down").stdout == "No server is running.\n"
    assert up.status(code=3) == {}
    order = [line.split()[2] for line in (root / "logs/supervisor.log").read_text().splitlines() if "stopped" in line]
    assert set(order[-len(up.pids()) :][:2]) == {"mlflow", "zenml"}, "those that need others end first"


def test_an_interrupted_up_stops_its_starting_servers(up: Started) -> None:
    child = subprocess.Popen([*CLI, "up"], cwd=up.root, env=environment_of(up.root), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: up.has_started("zenml"), "ZenML to start")
    child.terminate()  # as Ctrl-C, which a test in the background ignores
    _, reported = child.communicate(timeout=TIMEOUT_S)
    assert child.returncode == 130, reported
    assert processes_of(up.stack.folder.root) == []


def test_a_server_that_does_not_come_up_is_reported_with_the_end_of_its_log_and_nothing_is_left(up: Started) -> None:
    folder = up.stack.folder
    name, file, reported = ("mlflow", folder.data("mlflow") / "users.db", "file is not a database")
    if up.stack.database("zenml"):
        name, file, reported = ("database", folder.data("database") / "ibdata1", "InnoDB")
    kept = file.read_bytes()
    file.write_bytes(b"no database" * 1000)
    failed = cv_yolo(up.root, "up", code=3)
    assert re.search(r"(MLflow|MariaDB\)) did not come up: exited with code 1\n  \| ", failed.stderr)
    assert reported in failed.stderr
    assert str(folder.log(name)) in failed.stderr
    assert processes_of(folder.root) == []
    file.write_bytes(kept)


@pytest.mark.skipif(MINIO is None, reason="no minio: `make minio` builds it, or CV_YOLO_MINIO names it")
def test_minio_and_sqlite_serve_as_well(tmp_path: Path) -> None:
    try:
        cv_yolo(tmp_path, "up", "--store", "minio", "--minio", str(MINIO), "--database", "sqlite", *free_ports())
        stack = read_stack(Settings(root=tmp_path))
        assert stack is not None
        StackContainer(Settings(root=tmp_path)).servers.object_store(stack.objects).use(DATASETS_BUCKET)
        services = json.loads(cv_yolo(tmp_path, "status", "--json").stdout)["services"]
        assert [each["name"] for each in services] == ["store", "zenml", "mlflow"]
        processes = processes_of(stack.folder.root)
        words = [word for process in processes for word in process.cmdline()]
        logs = "".join(path.read_text(encoding="utf-8") for path in (stack.folder.root / "logs").iterdir())
        for name, secret in asdict(stack.credentials).items():
            assert name in NAMES or secret not in logs + " ".join(words), name
    finally:
        cv_yolo(tmp_path, "down", code=None)
    assert processes_of(Settings(root=tmp_path).services) == []
