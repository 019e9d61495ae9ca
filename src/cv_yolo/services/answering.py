"""Whether servers say anything at their addresses: a process may live and be hung."""

import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from cv_yolo.http import is_answering
from cv_yolo.services.stack_state import ServiceState, Status

PATIENCE_S: Final = 10.0


def silent(services: Sequence[ServiceState], *, patience_s: float = PATIENCE_S) -> frozenset[str]:
    """The names of those that were usable once, and say nothing now; all are asked at the same time."""
    ready = [each for each in services if each.status is Status.READY]
    with ThreadPoolExecutor(len(ready) or 1) as threads:
        heard = list(threads.map(lambda each: answers(each.url, patience_s=patience_s), ready))
    return frozenset(each.name for each, says_something in zip(ready, heard, strict=True) if not says_something)


def answers(url: str, *, patience_s: float = PATIENCE_S) -> bool:
    """A page, a refusal, or a database's greeting: each is an answer. Amazon's own store has no address to be asked."""
    place = urlsplit(url)
    if place.scheme in {"http", "https"}:
        return is_answering(url, patience_s=patience_s)
    if place.scheme != "mysql":
        return True
    try:
        with socket.create_connection((place.hostname, place.port), patience_s) as connection:
            return bool(connection.recv(1))
    except OSError:
        return False
