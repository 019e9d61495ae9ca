"""What a pipeline run does while ZenML's server or the artifact store does not answer."""

import logging
import math
import os
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

SERVICE: Final = "ZenML"  # in the shared outage
STORE: Final = "object store"
LONGEST_PAUSE_S: Final = 20  # of both client libraries: 0 2 4 8 16 20 20 20 makes 90 s
LEAST_READ_S: Final = 5.0
STATUS_ATTEMPTS: Final = 4  # 0 2 4 8: a server that is only slow has answered by then
OWN_ERRORS: Final = ("An unexpected error occurred", "OperationalError")  # of ZenML's server without its database
STEP_LOGS: Final = "zenml.log_stores.artifact.artifact_log_exporter"
REPORT_EVERY_S: Final = 120.0
NEW_KEY: Final = "`cv-yolo stack key NAME` on the servers' machine makes a new one, `cv-yolo connect URL` takes it"


def configure_clients() -> None:
    """Make ZenML's clients retry as long as ours do."""
    container = runtime.container()
    total_s = container.retry.total_s
    # read by the S3 client of ZenML's artifact store; its pauses have jitter, and are half as long as ours on average
    os.environ |= {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": str(attempts(total_s) + 2)}
    if container.settings.connection is not None:
        limit_store_client(total_s)
    note_lost_step_logs(container.report)
    store = Client().zen_store
    if isinstance(store, RestZenStore):
        waiting = f"ZenML at {store.url} does not answer; retrying for {total_s:g} s"
        retry_requests(store.session, lambda: container.report(waiting), container.retry)


def limit_store_client(total_s: float) -> None:
    """Make the client of ZenML's artifact store retry a hung store for `total_s`, and not for a quarter of an hour.

    Its own repetitions multiply those of the library below it, which alone grow their pauses.
    """
    from s3fs import S3FileSystem

    S3FileSystem.retries = 1
    S3FileSystem.read_timeout = max(LEAST_READ_S, total_s / (attempts(total_s) + 2))


def note_lost_step_logs(report: Callable[[str], None]) -> None:
    """Report once that the artifact store takes no step logs; ZenML would print a traceback for each attempt."""

    class Once(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - its signature
            report("the artifact store does not answer: ZenML's logs of the steps are lost in the meantime")
            self.setLevel(logging.CRITICAL)

    logger = logging.getLogger(STEP_LOGS)
    logger.propagate, logger.handlers = False, [Once()]


def retry_requests(session: Any, report: Callable[[], None], retry: RetryPolicy) -> None:
    """Make ZenML's client retry as long as the policy says; `report` is called once for each outage.

    A server that lost its database answers with status 500. One that was killed during a request takes its repetition
    for one that is still in progress, and refuses it forever (429). Both are sent again, with another idempotency key.
    """
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each attempt
    report_outage = _at_intervals(report)

    def unanswered() -> None:
        retry.outage.unanswered(SERVICE, asked_at_s=time.monotonic())
        report_outage()

    for adapter in session.adapters.values():
        adapter.max_retries = _with_attempts(adapter.max_retries, unanswered, attempts=attempts(retry.total_s))
    session.request = _retrying(session.request, retry, unanswered)


def _retrying(genuine: Callable[..., Any], retry: RetryPolicy, unanswered: Callable[[], None]) -> Callable[..., Any]:
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


def attempts(total_s: float) -> int:
    """How many attempts it takes until the pauses of urllib3, which double each time, add up to `total_s`."""
    number, waited_s = 1, 0.0
    while waited_s < total_s:
        waited_s += min(2**number, LONGEST_PAUSE_S)
        number += 1
    return number


def _at_intervals(report: Callable[[], None]) -> Callable[[], None]:
    """Report, but only once in `REPORT_EVERY_S`."""
    reported_at_s = -math.inf

    def report_seldom() -> None:
        nonlocal reported_at_s
        if time.monotonic() - reported_at_s >= REPORT_EVERY_S:
            reported_at_s = time.monotonic()
            report()

    return report_seldom


def _with_attempts(wanted: Any, report: Callable[[], None], *, attempts: int) -> Retry:
    class Reporting(Retry):
        def increment(self, *args: Any, **kwargs: Any) -> "Reporting":
            report()
            return super().increment(*args, **kwargs)

    return Reporting(
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
    """Give up once the artifact store has not answered for the whole retry time while no child process was at work.

    ZenML's own requests to it, around each step, are no calls of ours: they may never return, whatever our limits.
    """
    container = runtime.container()
    if container.settings.connection is None:
        yield
        return
    problem = f"the {STORE} at {container.servers.stack_addresses.objects.endpoint_url} does not answer"
    error = ServiceUnavailableError(f"{problem} (waited {container.retry.total_s:g} s)", hint=GOES_ON)
    watchdog = Watchdog(
        answers=container.servers.store_answers, busy=lambda: container.stop.is_set() or container.children.at_work
    )
    with watching(watchdog, lambda: give_up(error), after_s=container.retry.total_s):
        yield


def keep(call: Callable[[], Answer], uri: str) -> Answer:
    """Call the artifact store, with retries and a time limit."""
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
    """Turn errors of ZenML's client into ours: it lets the errors of its HTTP library through."""
    try:
        yield
    except (AuthorizationException, CredentialsNotValid) as error:
        raise AccessRefusedError(
            f"ZenML at {Client().zen_store.url} refuses our API key: {error}", hint=NEW_KEY
        ) from error
    except RuntimeError as error:
        if not any(mark in str(error) for mark in OWN_ERRORS):
            raise
        message = f"ZenML at {Client().zen_store.url} answers with an error of its own; is its database up?"
        raise ServiceUnavailableError(message, hint=f"see `cv-yolo status`; {GOES_ON}") from error
    except OSError as error:
        if not type(error).__module__.startswith("requests."):
            raise
        url = Client().zen_store.url
        message = f"ZenML at {url} does not answer: {type(error).__name__}"
        raise ServiceUnavailableError(message, hint=GOES_ON) from error


@contextmanager
def storing(uri: str) -> Iterator[None]:
    """Turn errors of the artifact store into ours: each flavor raises those of its own library."""
    try:
        yield
    except CvYoloError:
        raise
    except Exception as error:
        message = f"the artifact store does not keep or give {uri}: {one_line(error)}"
        if isinstance(error, PermissionError):
            raise AccessRefusedError(message, hint="`cv-yolo doctor` checks keys and clocks") from error
        raise ServiceUnavailableError(message, hint="run `cv-yolo doctor` for details") from error
