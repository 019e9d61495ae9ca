"""A DVC command that hangs is ended: when the person stops the work, and when its remote is silent for too long."""

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from cv_yolo.adapters.dvc import command
from cv_yolo.adapters.dvc.command import Attended
from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.errors import DatasetError, ServiceUnavailableError, StoppedError
from tests.e2e.project import wait_for

HANGS = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep({seconds})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project whose recorded data are not here."""
    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    (root / "data" / "mine.dvc").write_text("outs:\n- md5: 0123.dir\n  path: mine\n", encoding="utf-8")
    return root


def a_store(root: Path, attended: Attended, *, seconds: float = 600) -> DvcStore:
    """DVC, which takes so long for every command and ignores SIGTERM."""
    fake = root.parent / "fake" / "dvc"
    fake.mkdir(parents=True)
    (fake / "__main__.py").touch()
    (fake / "__init__.py").write_text(HANGS.format(seconds=seconds), encoding="utf-8")
    return DvcStore(root=root, environment=os.environ | {"PYTHONPATH": str(fake.parent)}, attended=attended)


def require_gone(root: Path) -> None:
    pid = int((root / "pid").read_text(encoding="utf-8"))
    wait_for(lambda: not psutil.pid_exists(pid), what="the end of DVC's process")


def test_a_stop_terminates_the_command_and_its_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "GRACE_S", 0.2)
    stop = threading.Event()
    threading.Thread(target=lambda: (wait_for((root / "pid").exists, what="DVC"), stop.set())).start()
    with pytest.raises(StoppedError, match="dvc pull"):
        a_store(root, Attended(stop=stop)).pull(root / "data" / "mine")
    require_gone(root)


def test_a_remote_that_does_not_respond_for_too_long_is_an_outage(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "GRACE_S", 0.2)
    began = time.monotonic()

    def answers() -> bool:
        wait_for((root / "pid").exists, what="DVC")
        return False

    with pytest.raises(ServiceUnavailableError, match="the remote does not answer") as raised:
        a_store(root, Attended(answers=answers, silence_s=0.5)).pull(root / "data" / "mine")
    assert raised.value.exit_code == 3
    assert time.monotonic() - began < 30
    require_gone(root)


def test_a_remote_that_answers_is_waited_for(root: Path) -> None:
    asked: list[bool] = []

    def answers() -> bool:
        asked.append(True)
        return True

    with pytest.raises(DatasetError, match="No module named"):  # the fake ends, and is no DVC
        a_store(root, Attended(answers=answers, silence_s=0.3), seconds=1).pull(root / "data" / "mine")
    assert asked
