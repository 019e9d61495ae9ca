"""`cv-yolo ui`, for real: both pages answer while it runs, and are gone when it is ended."""

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

from cv_yolo.bootstrap import Bootstrap
from cv_yolo.ports import NewRun
from cv_yolo.services import pages
from cv_yolo.settings import Settings

PATIENCE_S = 120
RUN = NewRun(name="e3_s320", params={"epochs": "3", "image_size_px": "320"}, tags={})
UI = (sys.executable, "-m", "cv_yolo", "ui", "--no-browser")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ui")
    Bootstrap(Settings(root=root)).tracker().start(RUN)
    return root


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def end_signal(request: pytest.FixtureRequest) -> signal.Signals:
    found: signal.Signals = request.param
    return found


@pytest.fixture
def ui(root: Path) -> Iterator["subprocess.Popen[str]"]:
    ports = ("--mlflow-port", str(pages.free_port(0)), "--zenml-port", str(pages.free_port(0)))
    environment = os.environ | {"CV_YOLO_ROOT": str(root), "PYTHONUNBUFFERED": "1"}
    with (root / "ui.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen([*UI, *ports], cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT, text=True)
    yield child
    if child.poll() is None:
        child.kill()
        child.wait()


def addresses(root: Path, child: "subprocess.Popen[str]") -> dict[str, str]:
    """The pages' addresses, once both are told."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up and child.poll() is None:
        text = (root / "ui.log").read_text(encoding="utf-8")
        if "Ctrl-C ends both." in text:
            return dict(re.findall(r"^(MLflow|ZenML): (\S+)$", text, re.MULTILINE))
        time.sleep(0.1)
    raise AssertionError((root / "ui.log").read_text(encoding="utf-8"))


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.status, answer.read().decode()


@pytest.mark.slow
def test_both_pages_answer_without_log_in_and_are_gone_at_the_end(
    root: Path, ui: "subprocess.Popen[str]", end_signal: signal.Signals
) -> None:
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
    ui.send_signal(end_signal)
    assert ui.wait(40) == 130
    for url in found.values():
        with pytest.raises(urllib.error.URLError):
            get(f"{url}/health")
