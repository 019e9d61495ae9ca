"""What MLflow's errors mean, in our own; for the adapters of MLflow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cv_yolo.errors import AccessRefusedError, CvYoloError, NotFoundError, RunFailedError, ServiceUnavailableError

UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_UNANSWERED: Final = re.compile(r"API request to \S+ failed with (timeout exception|exception)")
_CAUSE = re.compile(r"too many \d+ error responses|(?!ResponseE)[A-Z]\w+(Error|Disconnected)(?=\()|Read timed out")
_DELETED: Final = re.compile(r"The (run|experiment) (\w+) must be in the 'active' state")
_UP_HINT: Final = "is it up, with its database and its object store? `cv-yolo status` shows it"
_LOGIN_HINT: Final = "the stack's tracker holds user and password: `cv-yolo stack register` sets them again"
MALFORMED: Final = frozenset({400, 411, 413, 415, 422})  # asked again, it would be refused again


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raise what MLflow or its database at `uri` raises as an error of ours."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError
    from sqlalchemy.exc import SQLAlchemyError

    place = f"MLflow at {shown(uri)}"
    try:
        yield
    except MlflowException as error:
        raise _meaning(error, place) from error
    except HTTPError as error:  # how MLflow's server answers for files
        status = 0 if error.response is None else error.response.status_code
        raise _answered(status, place, shown(str(error))) from error
    except (SQLAlchemyError, OSError) as error:  # no connection, a database that is damaged, a disk that is full
        raise ServiceUnavailableError(f"{place}: {shown(' '.join(str(error).split()))}") from error


def _meaning(error: Any, place: str) -> CvYoloError:
    """What MLflow's exception means: not there, refused for good, or not now."""
    message, status = shown(" ".join(error.message.split())), error.get_http_status_code()
    if deleted := _DELETED.search(message):
        return RunFailedError(f"{place}: {deleted[1]} {deleted[2]} was deleted", hint=restoring(deleted[1], deleted[2]))
    if unanswered := _UNANSWERED.match(message):
        why = _CAUSE.search(message)
        silence = f"{place} does not answer ({why[0] if why else unanswered[1]})"
        return ServiceUnavailableError(silence, hint=_UP_HINT)
    if error.error_code == "RESOURCE_DOES_NOT_EXIST":
        return NotFoundError(f"not in MLflow: {message}", hint="`cv-yolo runs` lists what there is")
    # a server that has lost its database says BAD_REQUEST too, but not with these
    if error.error_code == "BAD_REQUEST" and not re.search(r"DataError|IntegrityError", message):
        return ServiceUnavailableError(f"{place}: {message}")
    if status == NOT_FOUND:  # no word of MLflow's: a proxy whose server is gone, or another server
        return ServiceUnavailableError(f"{place}: {message}", hint="is this the address of an MLflow server?")
    return _answered(status, place, message)


def _answered(status: int, place: str, message: str) -> CvYoloError:
    if status == NOT_FOUND:
        return NotFoundError(f"not in MLflow: {message}", hint="`cv-yolo show RUN` lists what a run keeps")
    if status == UNAUTHENTICATED:
        return AccessRefusedError(f"{place}: user or password is wrong: {message}", hint=_LOGIN_HINT)
    if status == FORBIDDEN and "host" in message.lower():
        hint = "start it with this name in --allowed-hosts"
        return ServiceUnavailableError(f"{place}: does not answer to this host name: {message}", hint=hint)
    if status == FORBIDDEN:
        return AccessRefusedError(f"{place}: this user may not do that: {message}", hint=_LOGIN_HINT)
    if status in MALFORMED:
        return RunFailedError(f"{place} refuses it: {message}")
    return ServiceUnavailableError(f"{place}: {message}")


def restoring(kind: str, id: str, uri: str = "") -> str:
    """The command of MLflow that restores a run or an experiment that somebody deleted."""
    address = f"MLFLOW_TRACKING_URI={shown(uri)} " if uri else ""
    login = " (with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)" if uri.startswith("http") else ""
    return f"`{address}mlflow {kind}s restore --{kind}-id {id}`{login} restores it"


def shown(text: str) -> str:
    """The text without the user and password that an address in it may hold."""
    return re.sub(r"//[^/@\s]+@", "//", text)
