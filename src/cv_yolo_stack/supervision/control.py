"""A local stack's supervisor, seen from outside: start it, wait for it, ask it, stop it."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.servers.service import clean_environment
from cv_yolo_stack.supervision.log_file import last_lines
from cv_yolo_stack.supervision.processes import end, mark, process_of, processes_of
from cv_yolo_stack.supervision.state import ServiceState, StackState, Status, read_state

Report = Callable[[StackState], None]
SUPERVISE: Final = (sys.executable, "-m", "cv_yolo", "supervise")
SUPERVISOR: Final = "supervisor"
POLL_S: Final = 0.1
GRACE_S: Final = 10.0
DOWN_WITHIN_S: Final = 60.0
TAIL_LINES: Final = 12
LEAST_FREE_BYTES: Final = 200_000_000


class Control:
    """One folder's stack. `hide` takes secrets out of what is shown of a log; `report` shows the servers' state."""

    def __init__(
        self,
        folder: StackFolder,
        *,
        hide: Callable[[str], str],
        report: Report,
        command: Sequence[str] | None = None,
    ) -> None:
        self._folder, self._hide, self._report, self._command = folder, hide, report, command or SUPERVISE

    def running(self) -> StackState | None:
        """The servers' state, if their supervisor is alive."""
        state = read_state(self._folder.state)
        return state if state and process_of(self._folder.root, state.pid) else None

    def clear(self) -> None:
        """Stop what a dead supervisor has left behind, and check that there is space to write."""
        end(processes_of(self._folder.root), grace_s=GRACE_S)
        free = self._free_bytes()
        if free < LEAST_FREE_BYTES:
            raise ServiceUnavailableError(
                f"the disk of {self._folder.root} is full: {free / 1e6:.0f} MB are free",
                hint=f"the servers need {LEAST_FREE_BYTES / 1e6:.0f} MB to start",
            )

    def start(self, environment: Mapping[str, str], *, within_s: float) -> StackState:
        """Start a supervisor and wait until all its services are usable.

        Raises `ServiceUnavailableError` where one does not come up; nothing is left running then, nor after Ctrl-C.
        """
        self._folder.state.unlink(missing_ok=True)
        child = self._launch(environment)
        try:
            while self.running() is None and child.poll() is None:
                time.sleep(POLL_S)
            return self.wait_until_ready(within_s=within_s)
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self, *, within_s: float) -> StackState:
        """Wait until every service is usable; raises `ServiceUnavailableError` where one was given up."""
        give_up = time.monotonic() + within_s
        while (state := self.running()) is not None:
            self._report(state)
            if state.failed:
                raise self._failure(state.failed[0])
            if state.ready:
                return state
            if time.monotonic() > give_up:
                raise self._failure(next(each for each in state.services if each.status is not Status.READY))
            time.sleep(POLL_S)
        raise ServiceUnavailableError(
            f"the servers' supervisor has exited{self._tail(SUPERVISOR)}",
            hint=f"its log is {self._folder.log(SUPERVISOR)}",
        )

    def restart(self, name: str, *, within_s: float) -> StackState:
        """Restart one service, and wait until all are usable."""
        before = self.running()
        if before is None:
            raise ServiceUnavailableError("the servers are not running", hint="start them with `cv-yolo up`")
        if before.of(name) is None:
            raise NotFoundError(
                f"there is no service {name}", hint=f"services: {', '.join(each.name for each in before.services)}"
            )
        self.request_restart(name)
        return self.wait_until_ready(within_s=within_s)

    def request_restart(self, name: str) -> None:
        """Ask the supervisor to restart a service, and wait until it has begun."""
        former = self._starts(name)
        (self._folder.requests / name).touch()
        give_up = time.monotonic() + DOWN_WITHIN_S
        while self._starts(name) == former and time.monotonic() < give_up:
            time.sleep(POLL_S)

    def stop(self) -> bool:
        """Stop the servers, in order, and whatever is left of them; False if nothing was running."""
        state = self.running()
        supervisor = process_of(self._folder.root, state.pid) if state else None
        if state is not None and supervisor is not None:
            supervisor.terminate()
            give_up = time.monotonic() + DOWN_WITHIN_S
            while self.running() is not None and time.monotonic() < give_up:
                self._report_since(state)
                time.sleep(POLL_S)
            self._report_since(state)  # the final states: a quick stop falls between two polls
        left = processes_of(self._folder.root)
        end(left, grace_s=GRACE_S)
        return bool(state or left)

    def _report_since(self, state: StackState) -> None:
        now = read_state(self._folder.state)
        if now is not None and now != state:
            self._report(now)

    def _launch(self, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        log = self._folder.log(SUPERVISOR)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            return subprocess.Popen(
                self._command,
                env={**clean_environment(), **environment, **mark(self._folder.root)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self._folder.root,
                start_new_session=True,
            )

    def _starts(self, name: str) -> int | None:
        state = self.running()
        service = state.of(name) if state else None
        return service.starts if service else None

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._folder.root).free

    def _failure(self, service: ServiceState) -> ServiceUnavailableError:
        free = self._free_bytes()
        full = f" (the disk is full: {free / 1e6:.0f} MB are free)" if free < LEAST_FREE_BYTES else ""
        reason = self._hide(service.note) or f"still {service.status}"
        return ServiceUnavailableError(
            f"{service.title} did not come up: {reason}{full}{self._tail(service.name)}",
            hint=f"its log is {self._folder.log(service.name)}",
        )

    def _tail(self, name: str) -> str:
        lines = self._hide(last_lines(self._folder.log(name), TAIL_LINES)).splitlines()
        return "".join(f"\n  | {line}" for line in lines)
