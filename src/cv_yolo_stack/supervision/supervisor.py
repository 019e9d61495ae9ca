"""The process behind `cv-yolo up`: keeps all services running until it is asked to stop them, in order."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from filelock import FileLock

from cv_yolo.errors import one_line
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.servers.service import Service, clean_environment
from cv_yolo_stack.supervision.log_file import limit
from cv_yolo_stack.supervision.processes import mark
from cv_yolo_stack.supervision.service_runner import ServiceRunner
from cv_yolo_stack.supervision.state import Board, log_line

TICK_S: Final = 0.2


class Supervisor:
    """Keeps the services of one folder."""

    def __init__(self, services: Sequence[Service], folder: StackFolder) -> None:
        self._folder, self._stop = folder, threading.Event()
        self._board = Board(folder.state, services, pid=os.getpid())
        self._runners: list[ServiceRunner] = []
        for service in services:
            needs = [each for each in self._runners if each.service.name in service.needs]
            log = folder.log(service.name)
            runner = ServiceRunner(service, board=self._board, log=log, mark=mark(folder.root), needs=needs)
            self._runners.append(runner)
        self._orphan_guard = self._start_orphan_guard()

    def run(self) -> None:
        """Keep the services running until `stop` is called."""
        for runner in self._runners:
            runner.start()
        while not self._stop.wait(TICK_S):
            self._answer_requests()
            self._limit_logs()
            if self._orphan_guard.poll() is not None:
                log_line("the orphan guard has exited; starting another one")
                self._orphan_guard = self._start_orphan_guard()
        self._end_all()

    def stop(self) -> None:
        """Stop everything; `run` returns when that is done."""
        self._stop.set()

    def _end_all(self) -> None:
        """Those that need others first."""
        needed = {name for runner in self._runners for name in runner.service.needs}
        last = [runner for runner in self._runners if runner.service.name in needed]
        for tier in ([runner for runner in self._runners if runner not in last], last):
            for runner in tier:
                runner.stop()
            for runner in tier:
                runner.join()
        self._orphan_guard.terminate()  # nothing is left for it to do
        self._orphan_guard.wait()

    def _answer_requests(self) -> None:
        for runner in self._runners:
            request = self._folder.requests / runner.service.name
            if request.exists():
                request.unlink()
                runner.request_restart()

    def _limit_logs(self) -> None:
        for runner in self._runners:
            log = self._folder.log(runner.service.name)
            try:
                limit(log)
            except OSError as error:  # a full disk must not stop the servers that still run
                log_line(f"{log}: {one_line(error)}")

    def _start_orphan_guard(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            (sys.executable, "-m", "cv_yolo_stack.supervision.orphan_guard"),
            env=clean_environment() | mark(self._folder.root),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )


def supervise(services: Sequence[Service], folder: StackFolder) -> None:
    """Keep the services of this folder running until a termination signal; a second supervisor is refused."""
    os.umask(0o077)
    folder.make()
    Path(folder.requests).mkdir(exist_ok=True)
    with FileLock(folder.supervisor_lock, blocking=False):
        supervisor = Supervisor(services, folder)
        for number in (signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGTERM)):
            signal.signal(number, lambda _number, _frame: supervisor.stop())
        supervisor.run()
