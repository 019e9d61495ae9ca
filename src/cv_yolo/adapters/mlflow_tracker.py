"""MLflow behind the port `ExperimentTracker`: explicit run ids, no process-wide state."""

import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.domain.letters import Ending, Facts, Figures, Files, Letter, TakesLetters
from cv_yolo.domain.runs import Run, RunStatus
from cv_yolo.errors import (
    AccessRefusedError,
    CvYoloError,
    NotFoundError,
    RunFailedError,
    ServiceUnavailableError,
    one_line,
)
from cv_yolo.ports import NewRun

if TYPE_CHECKING:
    from mlflow import MlflowClient

SERVICE: Final = "MLflow"
STATUS_TO_MLFLOW = {
    RunStatus.RUNNING: "RUNNING",
    RunStatus.FINISHED: "FINISHED",
    RunStatus.FAILED: "FAILED",
    RunStatus.STOPPED: "KILLED",
}
STATUS_FROM_MLFLOW = {name: status for status, name in STATUS_TO_MLFLOW.items()} | {"SCHEDULED": RunStatus.RUNNING}
REASON_TAG = "reason"
PAGE = 1000
TAG_LENGTH: Final = 5000  # what every store takes; MLflow's client shortens tags in some calls only
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_UNANSWERED: Final = re.compile(r"API request to \S+ failed with (timeout exception|exception)")
_CAUSE = re.compile(r"too many \d+ error responses|(?!ResponseE)[A-Z]\w+(Error|Disconnected)(?=\()|Read timed out")
_UP_HINT: Final = "is it up, with its database and its object store? `cv-yolo status` tells"
_LOGIN_HINT: Final = "the stack's tracker holds user and password: `cv-yolo stack register` sets them anew"
MALFORMED: Final = frozenset({400, 411, 413, 415, 422})  # asked again, it would be refused again


def load() -> None:
    """Import MLflow, which takes seconds that no server is to blame for."""
    import mlflow.tracking  # noqa: F401


def moves_files(method: str, arguments: tuple[object, ...]) -> bool:
    """Whether the call of a tracker moves files, which takes as long as the line and their size make it."""
    return method == "artifact" or (method == "deliver" and isinstance(arguments[0], Files))


class MlflowTracker(TakesLetters):
    """Keeps runs in one MLflow experiment at `uri`; a new experiment keeps its files under `artifacts`."""

    def __init__(self, *, uri: str, experiment: str, artifacts: Path | None = None) -> None:
        self._uri, self._experiment, self._artifacts = uri, experiment, artifacts

    def connect(self) -> None:
        """Make the store and the experiment where there are none yet, before several threads need them."""
        with _translated(self._uri):
            _ = self._experiment_id

    def start(self, run: NewRun) -> str:
        """Start a run and return its id; one that could not be started whole is left as failed, not as running."""
        from mlflow.entities import Param, RunTag

        with _translated(self._uri):
            short = {key: value for key, value in run.tags.items() if len(value) <= TAG_LENGTH}
            made = self._client.create_run(self._experiment_id, run_name=run.name, tags=short)
            run_id = str(made.info.run_id)
            try:
                self._client.log_batch(
                    run_id,
                    params=[Param(key, value) for key, value in run.params.items()],
                    tags=[RunTag(key, value) for key, value in run.tags.items()],
                )
            except Exception as error:
                with suppress(CvYoloError):  # if that is not possible either, the next command finds it abandoned
                    self.finish(run_id, RunStatus.FAILED, f"could not be started: {one_line(error)}")
                raise
        return run_id

    def deliver(self, letter: Letter) -> None:
        """Record what the letter says, as of its time; once, however often it is delivered.

        MLflow takes figures of the same name, step, time and value for the same; the others replace what was there.
        """
        with _translated(self._uri):
            match letter:
                case Figures():
                    self._log(letter)
                case Facts():
                    self._tag(letter.run_id, letter.tags)
                case Files():
                    self._keep(letter)
                case Ending():
                    self._end(letter)

    def get(self, run_id: str) -> Run:
        """One run by its id."""
        with _translated(self._uri):
            return _run(self._client.get_run(run_id))

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first."""
        with _translated(self._uri):
            found = self._client.search_runs([self._experiment_id], max_results=PAGE)
            pages = list(found)
            while found.token:
                found = self._client.search_runs([self._experiment_id], max_results=PAGE, page_token=found.token)
                pages += found
        return tuple(_run(run) for run in pages)

    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        """All values of one metric as (step, value), in the order of the steps."""
        with _translated(self._uri):
            values = self._client.get_metric_history(run_id, metric)
        return tuple(sorted((value.step, value.value) for value in values))

    def artifact(self, run_id: str, path: str) -> bytes:
        """The content of one file that is kept with the run."""
        with _translated(self._uri), tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, path, folder)).read_bytes()

    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run."""
        with _translated(self._uri):
            return tuple(sorted(each.path for each in self._client.list_artifacts(run_id, folder) if not each.is_dir))

    def _log(self, letter: Figures) -> None:
        from mlflow.entities import Metric

        at_ms = _milliseconds(letter.at)
        metrics = [Metric(key, value, at_ms, letter.step) for key, value in letter.values.items()]
        self._client.log_batch(letter.run_id, metrics=metrics)

    def _tag(self, run_id: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _keep(self, letter: Files) -> None:
        for file in letter.paths:
            if not file.is_file():
                raise RunFailedError(f"{file}: to be kept with run {letter.run_id}, and not there")
            self._client.log_artifact(letter.run_id, str(file), letter.folder or None)

    def _end(self, letter: Ending) -> None:
        if letter.reason is not None:
            self._tag(letter.run_id, {REASON_TAG: letter.reason})
        elif REASON_TAG in self._client.get_run(letter.run_id).data.tags:
            self._client.delete_tag(letter.run_id, REASON_TAG)
        self._client.set_terminated(letter.run_id, STATUS_TO_MLFLOW[letter.status], _milliseconds(letter.at))

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each attempt
        if self._uri.startswith("sqlite:///"):
            Path(self._uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @cached_property
    def _experiment_id(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(self._experiment)
        if found is not None:
            return str(found.experiment_id)
        location = None if self._artifacts is None else self._artifacts.resolve().as_uri()
        try:
            return str(self._client.create_experiment(self._experiment, artifact_location=location))
        except MlflowException:
            found = self._client.get_experiment_by_name(self._experiment)  # another process was faster
            if found is None:
                raise
            return str(found.experiment_id)


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from requests import HTTPError
    from sqlalchemy.exc import SQLAlchemyError

    place = f"MLflow at {_shown(uri)}"
    try:
        yield
    except MlflowException as error:
        raise _meaning(error, place) from error
    except HTTPError as error:  # how MLflow's server answers for files
        status = 0 if error.response is None else error.response.status_code
        raise _answered(status, place, _shown(str(error))) from error
    except (SQLAlchemyError, OSError) as error:  # no connection, a database that is damaged, a disk that is full
        raise ServiceUnavailableError(f"{place}: {_shown(' '.join(str(error).split()))}") from error


def _meaning(error: Any, place: str) -> CvYoloError:
    """What MLflow's exception means: not there, refused for good, or not now."""
    message, status = _shown(" ".join(error.message.split())), error.get_http_status_code()
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


def _shown(text: str) -> str:
    """The text without the user and password that an address in it may hold."""
    return re.sub(r"//[^/@\s]+@", "//", text)


def _run(run: Any) -> Run:
    tags = dict(run.data.tags)
    return Run(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=STATUS_FROM_MLFLOW[run.info.status],
        reason=tags.get(REASON_TAG),
        started_at=_time(run.info.start_time),
        ended_at=_time(run.info.end_time) if run.info.end_time else None,
        params=dict(run.data.params),
        tags={key: value for key, value in tags.items() if not key.startswith("mlflow.")},
        metrics=dict(run.data.metrics),
    )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
