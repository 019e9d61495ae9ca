"""One service, kept running: started, waited for until it is usable, started again when it crashed."""

import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cv_yolo.errors import CvYoloError, one_line
from cv_yolo_stack.domain.liveness import Health
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.supervision.health_watch import Watch
from cv_yolo_stack.supervision.processes import end, group
from cv_yolo_stack.supervision.state import Board, Status

POLL_S: Final = 0.2
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0
CRASHES: Final = 5
RESTART_AFTER_S: Final = 15.0  # after it was found hung
AGAIN_AFTER_S: Final = 600.0  # after it failed


class ServiceRunner(threading.Thread):
    """Keeps one service running until it is stopped.

    A service that was requested and not yet usable fails at its first error, so that the caller sees it; one that was
    usable fails after five crashes in a row, each within a minute, and is tried again after ten minutes, or on
    `request_restart`. One that stays hung is stopped, and counts as crashed.
    """

    def __init__(
        self,
        service: Service,
        *,
        board: Board,
        log: Path,
        mark: Mapping[str, str],
        needs: Sequence["ServiceRunner"] = (),
    ) -> None:
        super().__init__(name=service.name, daemon=True)
        self.service, self.usable = service, threading.Event()
        self._board, self._log, self._mark, self._needs = board, log, mark, needs
        self._called, self._stop_asked, self._was_usable = threading.Event(), False, False
        self.health: Health | None = None
        self._well_until_s = math.inf

    def stop(self) -> None:
        """Stop the service, and this thread."""
        self._stop_asked = True
        self._called.set()

    def request_restart(self) -> None:
        """Restart the service; one that has failed is tried once more."""
        self._called.set()

    def run(self) -> None:
        """Keep the service running; problems are shown on the board."""
        try:
            self._keep()
        except Exception as error:
            self._update(Status.FAILED, note=f"internal error: {one_line(error)}", pid=None)
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
            crashes = 1 if self._well_until_s - began > STABLE_AFTER_S else crashes + 1
            if self._was_usable and crashes <= CRASHES:
                self._pause(reason, crashes)
            else:
                crashes = CRASHES if self._give_up(reason) else 0
        self._update(Status.STOPPED, note="", pid=None)

    def _wait_for_needs(self) -> None:
        for each in self._needs:
            while not each.usable.wait(POLL_S) and not self._stop_asked:
                continue

    def _give_up(self, reason: str) -> bool:
        """Wait for a request or the next attempt; whether it is an automatic attempt."""
        at, attempt_s = "", math.inf
        if self._was_usable:
            at, attempt_s = _iso(datetime.now(UTC) + timedelta(seconds=AGAIN_AFTER_S)), time.monotonic() + AGAIN_AFTER_S
        self._update(Status.FAILED, note=reason, pid=None, next_attempt_at=at)
        while not self._asked() and time.monotonic() < attempt_s:
            self._called.wait(POLL_S)
        return not self._asked()

    def _pause(self, reason: str, crashes: int) -> None:
        delay = min(FIRST_DELAY_S * 2 ** (crashes - 1), LONGEST_DELAY_S)
        restarts = self._board.of(self.service.name).restarts + 1
        note = f"{reason}; restarts in {delay:g} s"
        self._update(Status.RESTARTING, note=note, restarts=restarts, pid=None)
        self._called.wait(delay)

    def _serve(self) -> str | None:
        """Run the service once; why it stopped by itself, or None if it was asked to."""
        began, starts = time.monotonic(), self._board.of(self.service.name).starts + 1
        self._update(Status.STARTING, note="", starts=starts, ready_after_s=None, next_attempt_at="")
        self._well_until_s, hung = math.inf, None
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
                self._update(Status.READY, ready_after_s=round(time.monotonic() - began, 1))
                hung = self._attend(process)
        finally:
            self._well_until_s = min(self._well_until_s, time.monotonic())
            code = self._end(process)
        return None if self._asked() else late or hung or _how_it_ended(code)

    def _attend(self, process: "subprocess.Popen[bytes] | None") -> str | None:
        """Watch it until it exits, a request arrives, or it was hung for too long, which is then the reason."""
        watch = Watch(self.service, process.pid if process else None, needs_missing=self._needs_missing)
        self._show(Health.HEALTHY, "")
        hung_at_s = math.inf
        while not self._ended(process) and not self._asked():
            health = watch.look()
            if (health, watch.note) != (self.health, self._board.of(self.service.name).note):
                self._show(health, watch.note)
            hung_at_s = min(hung_at_s, time.monotonic()) if health is Health.HUNG else math.inf
            if process is not None and time.monotonic() - hung_at_s >= RESTART_AFTER_S:
                self._well_until_s = watch.healthy_at_s
                return f"hung for {time.monotonic() - watch.healthy_at_s:.0f} s"
            self._called.wait(POLL_S)
        return None

    def _needs_missing(self) -> bool:
        return any(each.health is not Health.HEALTHY for each in self._needs)

    def _show(self, health: Health, note: str) -> None:
        since = _iso(datetime.now(UTC)) if health is not self.health else self._board.of(self.service.name).health_since
        self.health = health
        self._update(Status.READY, health=str(health), health_since=since, note=note)

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
        self._update(Status.STARTING, pid=process.pid)
        return process

    def _wait_until_usable(self, process: "subprocess.Popen[bytes] | None", give_up: float) -> str | None:
        """None once it is usable, has exited, or a request arrived; the reason if it timed out."""
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
        """Stop the whole group: the workers of a killed server would keep its port."""
        if process is None:
            return None
        if process.poll() is None:
            if self._asked():
                self._update(Status.STOPPING)
            process.terminate()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGCONT)  # a suspended process must receive the signal
            try:
                process.wait(self.service.grace_s)
            except subprocess.TimeoutExpired:
                process.kill()
        code = process.wait()
        end(group(process.pid), grace_s=1.0)
        return code

    def _update(self, status: Status, **changes: object) -> None:
        if status is not Status.READY:
            self.health = None
            changes |= {"health": "", "health_since": ""}
        self._board.update(self.service.name, status=status, **changes)


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exited with code {code}"
