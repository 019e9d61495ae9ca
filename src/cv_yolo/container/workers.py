"""How the child processes of a command are started: forked by a server where the system can, else as new processes."""

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from cv_yolo.container import environment
from cv_yolo.settings import Settings

if TYPE_CHECKING:
    from cv_yolo.adapters.workers.starters import Starter

WORKER_SERVER: Final = "CV_YOLO_WORKER_SERVER"  # the address of a server that many commands share, as in the tests


def starter(settings: Settings) -> "Starter":
    """Starts the workers of a command."""
    from cv_yolo.adapters.workers.fork_server import WorkerServer, can_fork
    from cv_yolo.adapters.workers.starters import NewProcess

    command, of_children = (sys.executable, "-m", "cv_yolo", "worker"), environment.of_children(settings)
    if not can_fork():
        return NewProcess(command=command, environment=of_children)
    address = os.environ.get(WORKER_SERVER) or None
    return WorkerServer(command=(*command, "--server"), environment=of_children, address=address)


def serve_jobs(work: Callable[[Path], int], *, descriptor: int | None, address: Path | None) -> NoReturn:
    """Fork a worker for each job that comes on this descriptor, or to the server that listens at this address."""
    environment.forget_secrets()
    from cv_yolo.adapters.ultralytics.library import import_pytorch
    from cv_yolo.adapters.workers import fork_server

    import_pytorch()
    if address is not None:
        fork_server.listen(address, work)
    with socket.socket(fileno=descriptor) as connection:
        fork_server.serve_jobs(connection, work)
