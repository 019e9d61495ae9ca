"""Servers that run for the duration of a block, as children of this process; none is left, however it ends."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Final

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.configuration.choice import LOOPBACK, Ports
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.configuration.local_stack import LocalStack
from cv_yolo_stack.servers.pages import free_port
from cv_yolo_stack.servers.service import Service
from cv_yolo_stack.supervision.listening import require_free
from cv_yolo_stack.supervision.log_file import last_lines
from cv_yolo_stack.supervision.state import ServiceState, read_state
from cv_yolo_stack.supervision.supervisor import Supervisor

PORTS: Final = ("zenml", "mlflow", "store", "console", "database")
POLL_S: Final = 0.1
READY_WITHIN_S: Final = 300.0
TAIL_LINES: Final = 8


def out_of_the_way(stack: LocalStack) -> LocalStack:
    """The same stack on unused local ports."""
    ports = Ports(**{name: free_port(0) for name in PORTS})
    return replace(stack, choice=replace(stack.choice, host=LOOPBACK, ports=ports))


@contextmanager
def running(services: Sequence[Service], folder: StackFolder) -> Iterator[None]:
    """Run these servers inside the block; raises `ServiceUnavailableError` if one does not come up.

    They are stopped at the end of the block, or by the orphan guard if this process is killed.
    """
    folder.make()
    folder.requests.mkdir(exist_ok=True)
    folder.log("supervisor").parent.mkdir(exist_ok=True)
    require_free(services, LOOPBACK)
    with folder.log("supervisor").open("a", encoding="utf-8") as log, redirect_stdout(log):
        supervisor = Supervisor(services, folder)
        thread = threading.Thread(target=supervisor.run, name="supervisor")
        thread.start()
        try:
            _wait_until_ready(folder)
            yield
        finally:
            supervisor.stop()
            thread.join()


def _wait_until_ready(folder: StackFolder) -> None:
    give_up = time.monotonic() + READY_WITHIN_S
    while True:
        state = read_state(folder.state)
        if state is not None and state.ready:
            return
        if state is not None and state.failed:
            raise _failure(state.failed[0], folder)
        if time.monotonic() > give_up:
            raise ServiceUnavailableError(f"the servers in {folder.root} did not come up within {READY_WITHIN_S:g} s")
        time.sleep(POLL_S)


def _failure(service: ServiceState, folder: StackFolder) -> ServiceUnavailableError:
    lines = last_lines(folder.log(service.name), TAIL_LINES).splitlines()
    return ServiceUnavailableError(
        f"{service.title} did not come up: {service.note}" + "".join(f"\n  | {line}" for line in lines)
    )
