"""`cv-yolo ui` for real: the pages of MLflow and ZenML respond without login while it runs, and stop with it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.ports.records import NewRun
from cv_yolo.settings import Settings
from cv_yolo_stack.container import StackContainer
from cv_yolo_stack.servers.pages import free_port

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
    ports = ("--mlflow-port", str(free_port(0)), "--zenml-port", str(free_port(0)))
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
