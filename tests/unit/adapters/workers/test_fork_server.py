"""The server that forks workers: what its children are given, and what happens when it, or its client, is gone."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cv_yolo.adapters.workers.fork_server import SERVER_IS_GONE, ForkedChild, WorkerServer, can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system starts new processes")
TIMEOUT_S = 20
SERVER = """
import os, signal, socket, sys, threading, time
from pathlib import Path
from cv_yolo.adapters.workers.fork_server import listen, serve_jobs

def work(folder):
    (folder / "pid").write_text(f"{os.getpid()} {os.getppid()}")
    if "HANGS" in os.environ:
        sys.stdin.read()
        return 113
    print(os.getcwd(), os.environ.get("WHOSE"), oct(os.umask(0)), sorted(os.listdir("/proc/self/fd")), flush=True)
    if "FAILS" in os.environ:
        raise ValueError("no such work")
    return int(os.environ.get("CODE", "0"))

if sys.argv[1] == "--server":
    serve_jobs(socket.socket(fileno=int(sys.argv[2])), work)
else:
    listen(Path(sys.argv[2]), work)
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / "server.py"
    path.write_text(textwrap.dedent(SERVER), encoding="utf-8")
    return path


@pytest.fixture
def start(script: Path, tmp_path: Path) -> Callable[..., ForkedChild]:
    """Starts a child of one server; the keywords are its environment, from the first child on."""
    servers: list[WorkerServer] = []

    def make(folder: str = "work", **environment: str) -> ForkedChild:
        if not servers:
            command = (sys.executable, str(script), "--server")
            servers.append(WorkerServer(command=command, environment=os.environ | environment))
        (tmp_path / folder).mkdir(exist_ok=True)
        with (tmp_path / folder / "log").open("ab") as log:
            return servers[0].start(tmp_path / folder, log)

    return make


@pytest.fixture
def listening(script: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a server that many clients share."""
    address = tmp_path / "socket"
    with subprocess.Popen([sys.executable, str(script), "--listen", str(address)]) as server:
        wait_for(address.exists)
        yield str(address)
        server.kill()


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def pids(folder: Path) -> tuple[int, int]:
    """The process ids of the child and of its server, once the child is at work."""
    wait_for(lambda: (folder / "pid").is_file() and (folder / "pid").read_text(encoding="utf-8"))
    child, server = (folder / "pid").read_text(encoding="utf-8").split()
    return int(child), int(server)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_has_the_directory_the_environment_and_no_descriptor_but_its_own(
    start: Callable[..., ForkedChild], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = start("first", WHOSE="anna")
    assert start("second").wait(TIMEOUT_S) == 0
    printed = (tmp_path / "second" / "log").read_text(encoding="utf-8")
    directory, whose, umask, *descriptors = printed.split(maxsplit=3)
    assert (directory, whose, umask) == (str(tmp_path), "anna", "0o77")
    assert descriptors == ["['0', '1', '2', '3']\n"], "3 is that of the list itself"
    assert first.wait(TIMEOUT_S) == 0


def test_the_exit_code_and_a_traceback_are_those_of_an_interpreter(
    start: Callable[..., ForkedChild], tmp_path: Path
) -> None:
    assert start(FAILS="yes").wait(TIMEOUT_S) == 1
    assert "ValueError: no such work" in (tmp_path / "work" / "log").read_text(encoding="utf-8")


def test_another_exit_code_is_reported_as_it_is(start: Callable[..., ForkedChild]) -> None:
    child = start(CODE="7")
    assert child.wait(TIMEOUT_S) == 7
    child.terminate()
    child.kill()
    assert child.poll() == 7


def test_one_server_forks_all_children_and_a_killed_one_is_replaced(
    start: Callable[..., ForkedChild], tmp_path: Path
) -> None:
    assert start("first").wait(TIMEOUT_S) == start("second").wait(TIMEOUT_S) == 0
    _, server = pids(tmp_path / "first")
    assert pids(tmp_path / "second")[1] == server
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: is_gone(server))
    assert start("third").wait(TIMEOUT_S) == 0
    assert pids(tmp_path / "third")[1] != server


def test_a_child_of_a_killed_server_is_killed_and_counts_as_killed(
    start: Callable[..., ForkedChild], tmp_path: Path
) -> None:
    running = start(HANGS="yes")
    child, server = pids(tmp_path / "work")
    assert running.poll() is None
    os.kill(server, signal.SIGKILL)
    assert running.wait(TIMEOUT_S) == SERVER_IS_GONE
    wait_for(lambda: is_gone(child))


def test_a_child_that_is_stopped_before_it_has_started_exits_when_it_starts(start: Callable[..., ForkedChild]) -> None:
    child = start(HANGS="yes")
    child.terminate()
    assert child.wait(TIMEOUT_S) in {113, -signal.SIGTERM}


def test_a_child_that_goes_on_is_not_waited_for_longer_than_asked(start: Callable[..., ForkedChild]) -> None:
    child = start(HANGS="yes")
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.2)
    child.close()


def test_a_server_that_cannot_start_is_a_child_that_was_killed_and_the_log_has_its_reason(tmp_path: Path) -> None:
    server = WorkerServer(command=(sys.executable, "-c", "raise SystemExit('no room')"), environment=os.environ)
    with (tmp_path / "log").open("wb") as log:
        child = server.start(tmp_path, log)
    assert child.wait(TIMEOUT_S) == SERVER_IS_GONE
    assert "no room" in (tmp_path / "log").read_text(encoding="utf-8")


def test_server_and_children_exit_with_their_client(script: Path, tmp_path: Path) -> None:
    client = f"""
import os, sys, time
from pathlib import Path
from cv_yolo.adapters.workers.fork_server import WorkerServer
server = WorkerServer(command=({sys.executable!r}, {str(script)!r}, "--server"), environment=os.environ)
folder = Path({str(tmp_path)!r})
child = server.start(folder, (folder / "log").open("wb"))
child.wait()
"""
    process = subprocess.Popen([sys.executable, "-c", client], env=os.environ | {"HANGS": "yes"})
    child, server = pids(tmp_path)
    process.kill()
    process.wait()
    wait_for(lambda: is_gone(child) and is_gone(server))


def test_clients_of_a_listening_server_have_a_server_each_and_their_own_environment(
    listening: str, tmp_path: Path
) -> None:
    clients = {
        name: WorkerServer(command=(), environment={"WHOSE": name}, address=listening) for name in ("anna", "bo")
    }
    servers = set()
    for name, client in clients.items():
        (tmp_path / name).mkdir()
        with (tmp_path / name / "log").open("wb") as log:
            assert client.start(tmp_path / name, log).wait(TIMEOUT_S) == 0
        assert f" {name} " in (tmp_path / name / "log").read_text(encoding="utf-8")
        servers.add(pids(tmp_path / name)[1])
    assert len(servers) == 2
