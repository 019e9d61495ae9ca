"""One service, kept running: started, waited for until it is usable, started again when it crashed."""

import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cv_yolo.errors import CvYoloError, one_line
from cv_yolo.services.processes import end, group
from cv_yolo.services.service import Service
from cv_yolo.services.stack_state import Board, Status

POLL_S: Final = 0.2
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0
CRASHES: Final = 5


class Keeper(threading.Thread):
    """Keeps one service running until it is told to stop.

    A service that was not yet usable, since somebody asked for it, is given up at its first failure, so that they hear
    of it; one that was, after five crashes in a row, each within a minute. `start_anew` tries again.
    """

    def __init__(
        self, service: Service, *, board: Board, log: Path, mark: Mapping[str, str], needs: Sequence["Keeper"] = ()
    ) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service, self.usable = service, threading.Event()
        self._board, self._log, self._mark, self._needs = board, log, mark, needs
        self._called, self._stop_asked, self._was_usable = threading.Event(), False, False

    def stop(self) -> None:
        """End the service, and this thread."""
        self._stop_asked = True
        self._called.set()

    def start_anew(self) -> None:
        """End the service and start it again; one that was given up is tried once more."""
        self._called.set()

    def run(self) -> None:
        """Keep the service running; what goes wrong is on the board."""
        try:
            self._keep()
        except Exception as error:
            self._tell(Status.FAILED, note=f"our own fault: {one_line(error)}", pid=None)
            raise  # the traceback is for the supervisor's log

    def _keep(self) -> None:
        self._wait_for_needs()
        crashes = 0
        while not self._stop_asked:
            self._called.clear()
            began = time.monotonic()
            reason = self._serve()
            if reason is None:
                crashes, self._was_usable = 0, False
                continue
            crashes = 1 if time.monotonic() - began > STABLE_AFTER_S else crashes + 1
            if self._was_usable and crashes <= CRASHES:
                self._pause(reason, crashes)
            else:
                self._tell(Status.FAILED, note=reason, pid=None)
                while not self._asked():
                    self._called.wait(POLL_S)
                crashes = 0
        self._tell(Status.STOPPED, note="", pid=None)

    def _wait_for_needs(self) -> None:
        for each in self._needs:
            while not each.usable.wait(POLL_S) and not self._stop_asked:
                continue

    def _pause(self, reason: str, crashes: int) -> None:
        delay = min(FIRST_DELAY_S * 2 ** (crashes - 1), LONGEST_DELAY_S)
        restarts = self._board.of(self.service.name).restarts + 1
        note = f"{reason}; starts again in {delay:g} s"
        self._tell(Status.RESTARTING, note=note, restarts=restarts, pid=None)
        self._called.wait(delay)

    def _serve(self) -> str | None:
        """Run the service once; how it ended by itself, or None where it was asked to."""
        began, starts = time.monotonic(), self._board.of(self.service.name).starts + 1
        self._tell(Status.STARTING, note="", starts=starts, ready_after_s=None)
        try:
            self.service.prepare()
            process = self._start() if self.service.command else None
        except (CvYoloError, OSError, subprocess.SubprocessError) as error:
            return one_line(error)
        try:
            late = self._wait_until_usable(process, began + self.service.ready_within_s)
            if late is None and not self._ended(process) and not self._asked():
                self._was_usable = True
                self.usable.set()
                self._tell(Status.READY, ready_after_s=round(time.monotonic() - began, 1))
            while late is None and not self._ended(process) and not self._asked():
                self._called.wait(POLL_S)
        finally:
            code = self._end(process)
        return None if self._asked() else late or _how_it_ended(code)

    def _start(self) -> "subprocess.Popen[bytes]":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self.service.command,
                env={**self.service.environment, **self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._log.parent,
                start_new_session=True,
            )
        self._tell(Status.STARTING, pid=process.pid)
        return process

    def _wait_until_usable(self, process: "subprocess.Popen[bytes] | None", give_up: float) -> str | None:
        """None once it is usable, or has ended, or somebody called; why not, where the time is over."""
        while not self._ended(process) and not self._asked():
            try:
                self.service.use()
                return None
            except CvYoloError as error:
                reason = error.message
            if time.monotonic() > give_up:
                return f"not usable within {self.service.ready_within_s:g} s: {reason}"
            self._called.wait(POLL_S)
        return None

    def _asked(self) -> bool:
        return self._stop_asked or self._called.is_set()

    def _ended(self, process: "subprocess.Popen[bytes] | None") -> bool:
        return process is not None and process.poll() is not None

    def _end(self, process: "subprocess.Popen[bytes] | None") -> int | None:
        """End the whole group: the workers of a server that was killed would keep its port."""
        if process is None:
            return None
        if process.poll() is None:
            if self._asked():
                self._tell(Status.STOPPING)
            process.terminate()
            try:
                process.wait(self.service.grace_s)
            except subprocess.TimeoutExpired:
                process.kill()
        code = process.wait()
        end(group(process.pid), grace_s=1.0)
        return code

    def _tell(self, status: Status, **changes: object) -> None:
        self._board.tell(self.service.name, status=status, **changes)


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended by itself with exit code {code}"
