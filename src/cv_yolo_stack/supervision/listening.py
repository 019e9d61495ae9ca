"""Ports of this machine: whether they are free, and who holds them."""

import errno
import os
import socket
from collections.abc import Sequence
from typing import Final

import psutil

from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.servers.service import Service

SHOWN: Final = 80  # characters of a command


def require_free(services: Sequence[Service], host: str) -> None:
    """Raise `ServiceUnavailableError` for the first port that another process holds, and name the process."""
    for service in services:
        for name, port in service.ports.items():
            reason = _reason_not_to_listen(host, port)
            if reason is not None:
                raise ServiceUnavailableError(
                    f"port {port} for {service.title} {reason}",
                    hint=f"stop it, or use another port: cv-yolo up --{name}-port {port + 1}",
                )


def holder(port: int) -> str:
    """The process that listens there: `process 4711 (python -m http.server)`; another user's has no name for us."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        found = []
    for connection in found:
        if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
            return f"process {connection.pid} ({_command(connection.pid)})"
    return "another process"


def _reason_not_to_listen(host: str, port: int) -> str | None:
    with socket.socket() as probe:
        if os.name == "posix":  # the ports of a server that has just stopped are free for the next one
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "needs administrator rights"
        except OSError as error:
            return f"is in use by {holder(port)}" if error.errno == errno.EADDRINUSE else f"on {host}: {error.strerror}"
    return None


def _command(pid: int) -> str:
    try:
        words = " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return "just exited"
    return words if len(words) <= SHOWN else f"{words[: SHOWN - 1]}…"
