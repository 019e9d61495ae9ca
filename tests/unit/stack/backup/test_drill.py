"""The scratch project of a drill: exclusive, and removed afterwards, however it is interrupted."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.backup.drill import Scratch, scratch_project
from cv_yolo_stack.backup.running import running
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.supervision.processes import mark, processes_of
from tests.unit.stack.small import CRASH, SERVE, a_service, answers_at

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_scratch_project_is_private_and_the_environment_has_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HOME", "/somewhere"), ("SERVER_URL", "http://zenml.test"), ("SERVER_API_KEY", "key")):
        monkeypatch.setenv(f"CV_YOLO_{name}", value)
    with scratch_project(tmp_path) as scratch:
        settings = scratch.settings
        assert scratch.folder.stat().st_mode & 0o777 == 0o700
        assert settings.home == tmp_path / "drill" / "project" / ".cv-yolo"
        assert settings.connection is None
    assert not scratch.folder.exists()


def test_leftovers_of_a_killed_drill_are_removed_first(tmp_path: Path) -> None:
    services = tmp_path / "drill" / "project" / ".cv-yolo" / "services"
    services.mkdir(parents=True)
    left = subprocess.Popen(SLEEPER, env=os.environ | mark(services))
    with scratch_project(tmp_path) as scratch:
        assert left.wait(10) == -signal.SIGTERM
        assert list(scratch.folder.iterdir()) == []


def interrupted_in(scratch: Scratch) -> None:
    (scratch.folder / "x").write_text("x", encoding="utf-8")
    raise KeyboardInterrupt


@pytest.mark.usefixtures("signals_of_a_terminal")
def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_project(tmp_path) as scratch:
        interrupted_in(scratch)
    assert not scratch.folder.exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_two_drills_at_once_are_kept_apart(tmp_path: Path) -> None:
    with scratch_project(tmp_path), pytest.raises(ServiceUnavailableError, match="another drill"):
        scratch_project(tmp_path).__enter__()
    with scratch_project(tmp_path):
        pass


def test_servers_run_as_long_as_the_block_and_say_nothing_on_our_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, port = StackFolder(root=tmp_path / "services"), free_port(0)
    server = a_service(SERVE, str(port), use=answers_at(port), ports={"small": port})
    with running([server], folder):
        assert processes_of(folder.root)
        answers_at(port)()
    assert processes_of(folder.root) == []
    assert capsys.readouterr().out == ""
    assert "ready" in folder.log("supervisor").read_text(encoding="utf-8")


def test_a_server_that_does_not_come_up_is_reported_with_its_last_output(tmp_path: Path) -> None:
    folder = StackFolder(root=tmp_path / "services")
    crashing = a_service(CRASH, use=answers_at(free_port(0)))
    with pytest.raises(ServiceUnavailableError, match=r"did not come up: .*code 3\n  \| no luck"):  # noqa: SIM117
        with running([crashing], folder):
            raise AssertionError("it never runs")
    assert processes_of(folder.root) == []


def test_servers_stop_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from cv_yolo_stack.backup.running import running\n"
        "from cv_yolo_stack.configuration.folder import StackFolder\n"
        "from tests.unit.stack.small import a_service\n"
        "with running([a_service()], StackFolder(root=Path(sys.argv[1]))):\n"
        "    print('up', file=sys.stderr, flush=True)\n"
        "    time.sleep(600)\n"
    )
    root = tmp_path / "services"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(root)], stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[4]
    )
    assert child.stderr is not None
    assert child.stderr.readline() == "up\n"
    left = processes_of(root)
    assert left
    child.kill()
    child.wait()
    _, alive = psutil.wait_procs(left, timeout=20)
    assert alive == []
