"""`cv-yolo ui` with small pages: both respond while it runs, and stop with it."""

import os
import re
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cv_yolo.cli.main import run
from cv_yolo.container import Container
from cv_yolo.settings import Settings
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.servers import pages
from cv_yolo_stack.servers.pages import Page


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
