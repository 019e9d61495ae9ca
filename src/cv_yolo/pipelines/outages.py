"""How a pipeline run meets services that do not answer: with patience, and in our words."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from urllib3 import Retry
from zenml.client import Client
from zenml.exceptions import AuthorizationException, CredentialsNotValid
from zenml.zen_stores.rest_zen_store import RestZenStore

from cv_yolo.errors import AccessRefusedError, CvYoloError, ServiceUnavailableError, one_line
from cv_yolo.pipelines import runtime
from cv_yolo.workflows.retry import GOES_ON, Answer, RetryPolicy, pauses_s
from cv_yolo.workflows.time_limit import Watchdog, watching

SERVICE: Final = "ZenML"  # whose time to wait it is
STORE: Final = "object store"
LONGEST_PAUSE_S: Final = 20  # 0 2 4 8 16 20 20 20: 90 s, where ZenML's client itself gives up after 30
LEAST_READ_S: Final = 5.0
STATUS_ATTEMPTS: Final = 4  # 0 2 4 8: a server that is only slow has answered by then
OWN_ERRORS: Final = ("An unexpected error occurred", "OperationalError")  # what ZenML's server says without database
STEP_LOGS: Final = "zenml.log_stores.artifact.artifact_log_exporter"
TOLD_AGAIN_AFTER_S: Final = 120.0
NEW_KEY: Final = "`cv-yolo stack key NAME` on the servers' machine makes a new one, `cv-yolo connect URL` takes it"


def attend() -> None:
    """Have ZenML's clients be as patient with services that do not answer as ours are."""
    container = runtime.container()
    patience_s = container.retry.total_s
    # read by the S3 client of ZenML's artifact store; its pauses, cut short by chance, are half as long as ours
    os.environ |= {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": str(attempts(patience_s) + 2)}
    if container.settings.connection is not None:
        limit_store_client(patience_s)
    note_lost_step_logs(container.report)
    store = Client().zen_store
    if isinstance(store, RestZenStore):
        told = f"ZenML at {store.url} does not answer; asking again for {patience_s:g} s"
        outlast(store.session, lambda: container.report(told), patience_s=patience_s, shared=container.retry)


def limit_store_client(patience_s: float) -> None:
    """Have the client of ZenML's artifact store ask a hung store for `patience_s`, and not for a quarter of an hour.

    Its own repetitions multiply those of the library below it, which alone grow their pauses.
    """
    from s3fs import S3FileSystem

    S3FileSystem.retries = 1
    S3FileSystem.read_timeout = max(LEAST_READ_S, patience_s / (attempts(patience_s) + 2))


def note_lost_step_logs(report: Callable[[str], None]) -> None:
    """Tell, once, that the artifact store takes no step logs; ZenML would print a traceback for each attempt."""

    class Once(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - its signature
            report("the artifact store does not answer: what ZenML logs of its steps is lost meanwhile")
            self.setLevel(logging.CRITICAL)

    logger = logging.getLogger(STEP_LOGS)
    logger.propagate, logger.handlers = False, [Once()]


def outlast(session: Any, report: Callable[[], None], *, patience_s: float, shared: RetryPolicy | None = None) -> None:
    """Let ZenML's client wait so long for its server; `report` is told of an outage, once.

    A server that lost its database answers with an error of its own. One that was killed at a request takes its
    repetition for one that is still at work, and refuses it for ever. Both are sent again, under another key. With a
    `shared` patience, the time counts from the first request of all that was not answered, of whatever service.
    """
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each attempt
    retry = shared or RetryPolicy(total_s=patience_s, wait=threading.Event().wait)
    told = _seldom(report)

    def unanswered() -> None:
        retry.outage.unanswered(SERVICE, asked_at_s=time.monotonic())
        told()

    for adapter in session.adapters.values():
        adapter.max_retries = _longer(adapter.max_retries, unanswered, attempts=attempts(patience_s))
    session.request = _asking_anew(session.request, retry, unanswered)


def _asking_anew(genuine: Callable[..., Any], retry: RetryPolicy, unanswered: Callable[[], None]) -> Callable[..., Any]:
    def request(method: str, url: str, **more: Any) -> Any:
        pauses = pauses_s()
        while True:
            try:
                response = genuine(method, url, **more)
            except OSError as error:
                unanswered()
                if type(error).__name__ != "RetryError" or not retry.remaining_s:
                    raise
                if str(HTTPStatus.TOO_MANY_REQUESTS.value) not in str(error):
                    continue
            else:
                if response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                    retry.outage.answered(SERVICE)
                    return response
                unanswered()
                if not retry.remaining_s or retry.wait(next(pauses)):
                    return response
            more["headers"] = more.get("headers", {}) | {"Idempotency-Key": str(uuid4())}

    return request


def attempts(patience_s: float) -> int:
    """How often to ask again until the pauses, which double each time, make up so long."""
    number, waited_s = 1, 0
    while waited_s < patience_s:
        waited_s += min(2**number, LONGEST_PAUSE_S)
        number += 1
    return number


def _seldom(report: Callable[[], None]) -> Callable[[], None]:
    """Report, but not twice of the same outage."""
    told_at_s = -math.inf

    def tell() -> None:
        nonlocal told_at_s
        if time.monotonic() - told_at_s >= TOLD_AGAIN_AFTER_S:
            told_at_s = time.monotonic()
            report()

    return tell


def _longer(wanted: Any, report: Callable[[], None], *, attempts: int) -> Retry:
    class Told(Retry):
        def increment(self, *args: Any, **kwargs: Any) -> "Told":
            report()
            return super().increment(*args, **kwargs)

    return Told(
        total=None,
        connect=attempts,
        read=wanted.read,
        redirect=wanted.redirect,
        status=STATUS_ATTEMPTS,
        other=wanted.other,
        allowed_methods=wanted.allowed_methods,
        status_forcelist=wanted.status_forcelist,
        backoff_factor=wanted.backoff_factor,
        backoff_max=LONGEST_PAUSE_S,
    )


def require_store() -> None:
    """Raise where the server's artifact store keeps nothing for us, before anything is trained to be kept there."""
    container = runtime.container()
    if container.settings.connection is None:
        return
    bucket = urlsplit(Client().active_stack.artifact_store.path).netloc
    store = container.servers.object_store(container.servers.stack_addresses.objects)
    container.retry.ask(lambda: store.use(bucket), report=container.report, service=STORE)


@contextmanager
def watching_store(give_up: Callable[[ServiceUnavailableError], None]) -> Iterator[None]:
    """Give up once the artifact store has been silent for the whole patience while no child was at work.

    ZenML's own requests to it, around each step, are no calls of ours: they may never return, whatever our limits.
    """
    container = runtime.container()
    if container.settings.connection is None:
        yield
        return
    silent = f"the {STORE} at {container.servers.stack_addresses.objects.endpoint_url} does not answer"
    error = ServiceUnavailableError(f"{silent} (waited {container.retry.total_s:g} s)", hint=GOES_ON)
    watchdog = Watchdog(
        answers=container.servers.store_answers, busy=lambda: container.stop.is_set() or container.children.at_work
    )
    with watching(watchdog, lambda: give_up(error), after_s=container.retry.total_s):
        yield


def keep(call: Callable[[], Answer], uri: str) -> Answer:
    """Do what needs the artifact store, with patience; a store that is hung is no reason to wait for ever."""
    container = runtime.container()

    def attempt() -> Answer:
        if container.settings.connection is None:
            return call()
        return container.time_limit.run(
            call, name=f"the artifact store of {uri}", alive=container.servers.store_answers
        )

    return container.retry.ask(attempt, report=container.report, service=STORE)


@contextmanager
def answering() -> Iterator[None]:
    """Say in our words that ZenML's server does not answer; its client lets its library's errors through."""
    try:
        yield
    except (AuthorizationException, CredentialsNotValid) as error:
        raise AccessRefusedError(f"ZenML at {Client().zen_store.url} refuses our key: {error}", hint=NEW_KEY) from error
    except RuntimeError as error:
        if not any(mark in str(error) for mark in OWN_ERRORS):
            raise
        message = f"ZenML at {Client().zen_store.url} answers with an error of its own; is its database up?"
        raise ServiceUnavailableError(message, hint=f"`cv-yolo status` tells; {GOES_ON}") from error
    except OSError as error:
        if not type(error).__module__.startswith("requests."):
            raise
        url = Client().zen_store.url
        message = f"ZenML at {url} does not answer: {type(error).__name__}"
        raise ServiceUnavailableError(message, hint=GOES_ON) from error


@contextmanager
def storing(uri: str) -> Iterator[None]:
    """Say in our words that the artifact store does not answer; each flavor raises what its own library does."""
    try:
        yield
    except CvYoloError:
        raise
    except Exception as error:
        message = f"the artifact store does not keep or give {uri}: {one_line(error)}"
        if isinstance(error, PermissionError):
            raise AccessRefusedError(message, hint="`cv-yolo doctor` tells whether keys or clocks are wrong") from error
        raise ServiceUnavailableError(message, hint="`cv-yolo doctor` tells more") from error
