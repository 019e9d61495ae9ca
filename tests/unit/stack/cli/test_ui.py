"""`cv-yolo ui`: both pages answer while it runs, and are gone when it is ended; with small pages, and once for real."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.ports.records import NewRun
from cv_yolo.settings import Settings
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.servers import pages
from cv_yolo_stack.servers.pages import Page

TIMEOUT_S = 120
RUN = NewRun(name="e3_s320", params={"epochs": "3", "image_size_px": "320"}, tags={})
UI = (sys.executable, "-m", "cv_yolo", "ui", "--no-browser")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ui")
    StackContainer(Settings(root=root)).detector.records.tracker().start(RUN)
    return root


@pytest.fixture
def ui(root: Path, signals_of_a_terminal: None) -> Iterator["subprocess.Popen[str]"]:
    ports = ("--mlflow-port", str(pages.free_port(0)), "--zenml-port", str(pages.free_port(0)))
    environment = os.environ | {"CV_YOLO_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
    with (root / "ui.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(
            [*UI, *ports], cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True
        )
    yield child
    if child.poll() is None:
        child.kill()
        child.wait()


def addresses(root: Path, child: "subprocess.Popen[str]") -> dict[str, str]:
    """The pages' addresses, once both are printed."""
    give_up = time.monotonic() + TIMEOUT_S
    while time.monotonic() < give_up and child.poll() is None:
        text = (root / "ui.log").read_text(encoding="utf-8")
        if "Press Ctrl-C to stop both." in text:
            found = dict(re.findall(r"^(MLflow|ZenML): (\S+)$", text, re.MULTILINE))
            assert re.search(r"/#/experiments/1/runs\?workflowType=machine_learning$", found["MLflow"])
            return {name: url.partition("/#/")[0] for name, url in found.items()}
        time.sleep(0.1)
    raise AssertionError((root / "ui.log").read_text(encoding="utf-8"))


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, answer.read().decode()


SMALL_SERVER = """
import http.server, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
if sys.argv[2] != "stays":
    threading.Timer(float(sys.argv[2]), lambda: server.shutdown()).start()
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
server.serve_forever(0.05)
"""


@pytest.fixture
def small_pages(zenml_container: Container, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Small servers where MLflow's and ZenML's would be, in a project with records; ZenML's may end by itself."""
    from cv_yolo.pipelines import runtime  # imports ZenML, under its one home

    def page(name: str, ends_after: str) -> Callable[[Settings, int], Page]:
        def make(settings: Settings, port: int) -> Page:
            command = (sys.executable, "-c", SMALL_SERVER, str(port), ends_after)
            return Page(name=name, port=port, command=command, environment=os.environ, log=project / f"{name}.log")

        return make

    def put(zenml_ends_after: str) -> None:
        monkeypatch.setattr(pages, "mlflow_page", page("MLflow", "stays"))
        monkeypatch.setattr(pages, "zenml_page", page("ZenML", zenml_ends_after))

    monkeypatch.setattr(runtime, "skip_survey", lambda: None)
    database = Settings().mlflow_database
    database.parent.mkdir(parents=True, exist_ok=True)
    database.touch()
    return put


@pytest.mark.usefixtures("signals_of_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_both_pages(
    small_pages: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    opened: list[str] = []

    def open_page(url: str) -> None:
        """A person who looks at both pages, then ends them."""
        opened.append(url)
        if len(opened) == 2:
            threading.Timer(0.3, os.kill, (os.getpid(), number)).start()

    small_pages("stays")
    monkeypatch.setattr("webbrowser.open", open_page)
    assert run(["ui", "--mlflow-port", "0", "--zenml-port", "0"]) == 130
    assert capsys.readouterr().out == f"MLflow: {opened[0]}\nZenML: {opened[1]}\n"
    assert opened[0].endswith("/#/experiments/1/runs?workflowType=machine_learning")
    for url in opened:
        with pytest.raises(urllib.error.URLError):
            get(f"{url.partition('#')[0].rstrip('/')}/health")


def test_for_a_deleted_experiment_mlflow_opens_on_its_first_page_and_the_fix_is_shown(
    small_pages: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tracking = MlflowClient(tracking_uri=Settings().tracking_uri)
    StackContainer().detector.records.tracker().connect()
    tracking.delete_experiment("1")
    small_pages("2")
    assert run(["ui", "--no-browser", "--mlflow-port", "0", "--zenml-port", "0"]) == 3
    captured = capsys.readouterr()
    assert re.search(r"^MLflow: http://127\.0\.0\.1:\d+$", captured.out, re.MULTILINE)
    assert "mlflow experiments restore --experiment-id 1" in captured.err


def test_when_one_page_stops_unexpectedly_the_other_is_stopped_and_the_error_reported(
    small_pages: Callable[[str], None], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_pages("0.5")
    assert run(["ui", "--no-browser", "--mlflow-port", "0", "--zenml-port", "0"]) == 3
    captured = capsys.readouterr()
    assert f"error: ZenML stopped unexpectedly\nhint: see {project / 'ZenML.log'}" in captured.err
    with pytest.raises(urllib.error.URLError):
        get(f"{captured.out.split()[1].partition('#')[0].rstrip('/')}/health")


@pytest.mark.slow
def test_both_pages_respond_without_login_and_stop_at_the_end(root: Path, ui: "subprocess.Popen[str]") -> None:
    found = addresses(root, ui)
    assert set(found) == {"MLflow", "ZenML"}
    for url in found.values():
        assert get(f"{url}/health")[0] == 200
        status, page = get(f"{url}/")
        assert status == 200
        assert "<html" in page.lower()
    info = json.loads(get(f"{found['ZenML']}/api/v1/info")[1])
    assert info["auth_scheme"] == "NO_AUTH"
    assert info["active"] is True
    assert get(f"{found['ZenML']}/api/v1/current-user")[0] == 200
    search = urllib.request.Request(
        f"{found['MLflow']}/api/2.0/mlflow/runs/search",
        data=json.dumps({"experiment_ids": ["1"]}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(search, timeout=30) as answer:
        assert [run["info"]["run_name"] for run in json.load(answer)["runs"]] == ["e3_s320"]
    ui.send_signal(signal.SIGINT)
    assert ui.wait(40) == 130
    for url in found.values():
        with pytest.raises(urllib.error.URLError):
            get(f"{url}/health")
