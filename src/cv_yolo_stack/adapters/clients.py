"""The clients that the probes try servers with: those that our commands use, handed in by the container."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol
from urllib.parse import urlsplit

from cv_yolo.errors import ServiceUnavailableError, one_line
from cv_yolo.http import Answer
from cv_yolo.ports.servers import StoredObject


class ObjectClient(Protocol):
    """An object store, and the S3 client under it."""

    @property
    def client(self) -> Any: ...
    def translated(self, action: str) -> AbstractContextManager[None]:
        """Translate the client's errors into `CvYoloError`s."""

    def put(self, bucket: str, key: str, content: bytes) -> None: ...
    def get(self, bucket: str, key: str) -> bytes: ...
    def delete(self, bucket: str, key: str) -> None: ...
    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]: ...


class TrackingClient(Protocol):
    """MLflow's REST interface, asked as one user."""

    def use(self) -> None: ...
    def scratch_run(self) -> tuple[str, str]:
        """The ids of a scratch experiment and of its run, which are used again each time."""

    def ask(self, method: str, path: str, json: Any = None, *, content: bytes | None = None) -> Answer: ...


class PipelineClient(Protocol):
    """ZenML's REST interface, asked as one person or service account."""

    def info(self) -> dict[str, Any]: ...
    def done(self, method: str, path: str, json: Any = None) -> Any: ...
    def ask(self, method: str, path: str, json: Any = None, *, authenticated: bool = True) -> Answer: ...
    def ask_login(self) -> Answer: ...


class DatabaseClient(Protocol):
    """One database, asked as its user."""

    def use(self) -> None: ...
    def version(self) -> str: ...
    def clock(self) -> datetime: ...
    def answer_to(self, password: str) -> int:
        """Log in with that password and return the server's error number, 0 on success."""

    def stored_secret(self, secret_id: str) -> bytes: ...


PORTS = {"http": 80, "https": 443}


def reach(url: str, *, timeout_s: float) -> None:
    """Open and close a connection; raises `ServiceUnavailableError` that says what is wrong."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return
    except socket.gaierror as error:
        reason = f"the name {host!r} does not resolve on this machine"
        raise ServiceUnavailableError(reason) from error
    except TimeoutError as error:
        raise ServiceUnavailableError(f"no answer from {host}:{port} within {timeout_s:g} s") from error
    except ConnectionRefusedError as error:
        raise ServiceUnavailableError(f"nothing listens at {host}:{port}") from error
    except OSError as error:
        raise ServiceUnavailableError(f"{host}:{port} cannot be reached: {error.strerror or error}") from error


@contextmanager
def sense(name: str) -> Iterator[None]:
    """Raise `ServiceUnavailableError` where a response does not have the shape that this kind of server returns."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ServiceUnavailableError(f"unexpected response from {name} ({one_line(error)})") from error


def installed(name: str) -> str:
    """The version of a library, `none` where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
