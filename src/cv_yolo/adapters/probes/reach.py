"""Whether somebody listens at an address, and if not, why: the name, the port, or silence."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from cv_yolo.errors import ServiceUnavailableError, one_line

PORTS = {"http": 80, "https": 443}


def reach(url: str, *, patience_s: float) -> None:
    """Open and close a connection; raises `ServiceUnavailableError` that says what is wrong."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS.get(parts.scheme, 443)
    try:
        with socket.create_connection((host, port), timeout=patience_s):
            return
    except socket.gaierror as error:
        reason = f"the name {host!r} does not resolve on this machine"
        raise ServiceUnavailableError(reason) from error
    except TimeoutError as error:
        raise ServiceUnavailableError(f"no answer from {host}:{port} within {patience_s:g} s") from error
    except ConnectionRefusedError as error:
        raise ServiceUnavailableError(f"nothing listens at {host}:{port}") from error
    except OSError as error:
        raise ServiceUnavailableError(f"{host}:{port} cannot be reached: {error.strerror or error}") from error


@contextmanager
def sense(name: str) -> Iterator[None]:
    """What a server answers must have the shape that its kind of server answers with."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ServiceUnavailableError(f"this is no answer of {name}'s ({one_line(error)})") from error
