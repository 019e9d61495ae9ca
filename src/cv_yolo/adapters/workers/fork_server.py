"""Child processes that start at once: a server that has imported PyTorch forks one for each job.

Importing PyTorch and torchvision takes seconds, and each cell of a grid needs several child processes. The server
imports them once. It knows no secret, creates no CUDA context and runs no parallel region: its only other threads are
OpenBLAS's, idle, which OpenBLAS stops for a fork. So its forks are as good as new processes. It exits when its
connection closes.

A job is one message on a Unix socket: a JSON object with `folder`, `directory` (the working directory) and
`environment`, and two descriptors: the job's log, and its lifeline, which becomes the child's standard input. On the
lifeline the server answers `pid N` when the child has started, and `exit CODE` when it has exited.
"""

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NoReturn

MESSAGE_BYTES: Final = 1 << 20
SERVER_IS_GONE: Final = -int(signal.SIGKILL)
Work = Callable[[Path], int]


def can_fork() -> bool:
    """Whether this system forks safely after PyTorch is imported."""
    return sys.platform.startswith("linux")


class WorkerServer:
    """Starts children through a server, which is started with the first of them.

    `command` starts the server; the number of the descriptor of its connection is appended. With `address`, the
    server is one that listens there.
    """

    def __init__(self, *, command: Sequence[str], environment: Mapping[str, str], address: str | None = None) -> None:
        self._command, self._environment, self._address = tuple(command), dict(environment), address
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, folder: Path, log: IO[bytes]) -> "ForkedChild":
        """Start the child that does what `folder` asks for; what it prints goes to `log`."""
        job = {"folder": str(folder), "directory": str(Path.cwd()), "environment": self._environment}
        lifeline, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._connection is None or is_closed(self._connection):
                self._connection = self._connect(log)
            with suppress(OSError):  # the server has just exited: then so has its child, as `poll` finds
                socket.send_fds(self._connection, [json.dumps(job).encode()], [log.fileno(), theirs.fileno()])
            return ForkedChild(lifeline, server=self._connection)

    def _connect(self, log: IO[bytes]) -> socket.socket:
        if self._address is not None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.connect(self._address)
            return connection
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return ours


class ForkedChild:
    """A child of the server, with the methods of `subprocess.Popen` that its supervisor needs."""

    def __init__(self, lifeline: socket.socket, *, server: socket.socket) -> None:
        self._lifeline, self._server = lifeline, server
        self._answers = b""
        self.pid: int | None = None
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs."""
        return self._look(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the child has exited; raises `subprocess.TimeoutExpired`."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0.0)
        return code

    def terminate(self) -> None:
        """Ask the child to exit; one that has not started yet exits when it starts."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the child."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        """Close the lifeline."""
        self._lifeline.close()

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is not None:
            return
        if self.pid is None:
            with suppress(OSError):
                self._lifeline.shutdown(socket.SHUT_WR)
        else:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _look(self, timeout_s: float | None) -> int | None:
        """Read what the server answers until the child has exited, or the time is over."""
        while self.returncode is None:
            ready, _, _ = select.select([self._lifeline, self._server], [], [], timeout_s)
            if self._lifeline in ready:
                self._read()
            elif self._server in ready:  # it sends nothing there: the connection is closed
                self._give_up()
            else:
                return None
        return self.returncode

    def _read(self) -> None:
        try:
            received = self._lifeline.recv(4096)
        except OSError:
            received = b""
        if not received:
            self._give_up()
            return
        self._answers += received
        *lines, self._answers = self._answers.split(b"\n")
        for line in lines:
            word, number = line.split()
            if word == b"pid":
                self.pid = int(number)
            else:
                self.returncode = int(number)

    def _give_up(self) -> None:
        """The server is gone: with it whoever could report how the child exits."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.returncode = SERVER_IS_GONE


def is_closed(connection: socket.socket) -> bool:
    """Whether the other end is gone; it never sends anything."""
    ready, _, _ = select.select([connection], [], [], 0)
    return bool(ready)


def serve_jobs(connection: socket.socket, work: Work) -> NoReturn:
    """Fork a child for each job until the connection closes; then this process exits. `work` is what the child does.

    The children exit by themselves when their lifelines close.
    """
    warnings.filterwarnings("ignore", r"This process .* is multi-threaded", DeprecationWarning)  # see above
    gc.collect()
    gc.freeze()  # the children share these pages for as long as no collection writes to them
    signals, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    signals.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup.fileno())
    lifelines: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([connection, signals], [], [])
        if signals in ready:
            signals.recv(4096)
            _report_exits(lifelines)
        if connection in ready:
            message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 2)
            if not message:
                os._exit(0)  # what the libraries clean up is not worth the time
            log, lifeline = descriptors[0], socket.socket(fileno=descriptors[1])
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for other in (connection, signals, wakeup, *lifelines.values()):
                    other.close()
                _become_child(json.loads(message), log, lifeline, work)
            os.close(log)
            lifelines[pid] = lifeline
            _answer(lifeline, f"pid {pid}")


def listen(address: Path, work: Work) -> NoReturn:
    """Serve connections at that address, each by a fork of its own, until this process is stopped."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(address))
        listener.listen()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            connection, _ = listener.accept()
            with connection:
                if os.fork() == 0:
                    listener.close()
                    serve_jobs(connection, work)


def _report_exits(lifelines: dict[int, socket.socket]) -> None:
    while lifelines:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with lifelines.pop(pid) as lifeline:
            _answer(lifeline, f"exit {os.waitstatus_to_exitcode(status)}")


def _answer(lifeline: socket.socket, line: str) -> None:
    with suppress(OSError):  # a supervisor that is gone needs no answer
        lifeline.sendall(f"{line}\n".encode())


def _become_child(job: Mapping[str, Any], log: int, lifeline: socket.socket, work: Work) -> NoReturn:
    """Do the job in this process, as if it had been started for it."""
    code = 1
    try:
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        os.umask(0o077)  # it writes in the home only
        for source, target in ((lifeline.fileno(), 0), (log, 1), (log, 2)):
            os.dup2(source, target)
        lifeline.close()
        os.close(log)
        os.chdir(job["directory"])
        os.environ.clear()
        os.environ.update(job["environment"])
        code = work(Path(job["folder"]))
    except BaseException:  # noqa: BLE001 - printed to the job's log, and the exit code is 1, as an interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
