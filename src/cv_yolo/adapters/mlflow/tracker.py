"""MLflow behind the port `ExperimentTracker`: explicit run ids, no process-wide state."""

import logging
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cv_yolo.adapters.mlflow import conventions
from cv_yolo.adapters.mlflow.conventions import restoring, translated
from cv_yolo.domain.training.runs import DatasetInput, Run, RunStatus
from cv_yolo.domain.training.tracking_events import (
    LoggedModel,
    RunDetails,
    RunEnding,
    RunFiles,
    StepMetrics,
    TakesTrackingEvents,
    TrackingEvent,
)
from cv_yolo.errors import AccessRefusedError, CvYoloError, NotFoundError, RunFailedError, one_line
from cv_yolo.ports.records import NewRun

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
DELETED: Final = "deleted"
INPUT_ATTEMPTS: Final = 5
TAG_LENGTH: Final = 5000  # what every store takes; MLflow's client shortens tags in some calls only


def load() -> None:
    """Import MLflow, which takes seconds that no server is to blame for."""
    import mlflow.tracking  # noqa: F401


def moves_files(method: str, arguments: tuple[object, ...]) -> bool:
    """Whether the call of a tracker moves files, which takes as long as the line and their size make it."""
    return method == "artifact" or (method == "deliver" and isinstance(arguments[0], RunFiles))


class MlflowTracker(TakesTrackingEvents):
    """Keeps runs in one MLflow experiment at `uri`; a new experiment keeps its files under `artifacts`.

    `ids` are those of experiments that were found before: what is in it is not asked for again.
    """

    def __init__(
        self, *, uri: str, experiment: str, artifacts: Path | None = None, ids: dict[str, str] | None = None
    ) -> None:
        self._uri, self._experiment, self._artifacts = uri, experiment, artifacts
        self._ids = {} if ids is None else ids

    def connect(self) -> None:
        """Create the store and the experiment if they do not exist, before several threads need them.

        Raises `NotFoundError` if the experiment was deleted: MLflow keeps its name, and accepts no runs for it.
        """
        with translated(self._uri):
            self._ids.pop(self._experiment, None)
            conventions.show_trainings(self._client, self._experiment_id)

    def page(self) -> str:
        """The path of the experiment's trainings among MLflow's pages."""
        with suppress(AccessRefusedError):  # a read-only user changes nothing, and still sees the page
            self.connect()
        with translated(self._uri):
            return conventions.runs_page(self._experiment_id)

    def run_page(self, run_id: str) -> str:
        """The path of a run's page among MLflow's; sends no request."""
        return conventions.run_page(self._ids.get(self._experiment), run_id)

    def start(self, run: NewRun) -> str:
        """Start a run and return its id; one that could not be started whole is left as failed, not as running."""
        from mlflow.entities import Param, RunTag

        with translated(self._uri):
            tags = run.tags | conventions.tags_of(run)
            short = {key: value for key, value in tags.items() if len(value) <= TAG_LENGTH}
            made = self._client.create_run(self._experiment_id, run_name=run.name, tags=short)
            run_id = str(made.info.run_id)
            try:
                self._client.log_batch(
                    run_id,
                    params=[Param(key, value) for key, value in run.params.items()],
                    tags=[RunTag(key, value) for key, value in tags.items()],
                )
                if run.inputs:
                    self._log_inputs(run_id, conventions.datasets_of(run.inputs))
            except Exception as error:
                with suppress(CvYoloError):  # if that is not possible either, the next command finds it abandoned
                    self.finish(run_id, RunStatus.FAILED, f"could not be started: {one_line(error)}")
                raise
        return run_id

    def _log_inputs(self, run_id: str, datasets: list[Any]) -> None:
        """Runs that start at once use the same data: MLflow lets one of them record it, the others try again."""
        from mlflow.exceptions import MlflowException

        for attempt in range(1, INPUT_ATTEMPTS + 1):
            try:
                self._client.log_inputs(run_id, datasets)
            except MlflowException as error:
                if attempt == INPUT_ATTEMPTS or "IntegrityError" not in str(error):
                    raise
            else:
                return

    def deliver(self, event: TrackingEvent) -> None:
        """Record the event as of its own time; once, however often it is delivered.

        MLflow takes figures of the same name, step, time and value for the same; the others replace what was there.
        """
        with translated(self._uri):
            match event:
                case StepMetrics():
                    self._log(event)
                case RunDetails():
                    self._tag(event.run_id, event.tags)
                case RunFiles():
                    self._keep(event)
                case LoggedModel():
                    conventions.log_model(self._client, event)
                case RunEnding():
                    self._end(event)

    def get(self, run_id: str) -> Run:
        """One run by its id."""
        with translated(self._uri):
            return _run(self._client.get_run(run_id))

    def runs(self) -> tuple[Run, ...]:
        """All runs of the experiment, newest first."""
        with translated(self._uri):
            found = self._client.search_runs([self._experiment_id], max_results=PAGE)
            pages = list(found)
            while found.token:
                found = self._client.search_runs([self._experiment_id], max_results=PAGE, page_token=found.token)
                pages += found
        return tuple(_run(run) for run in pages)

    def history(self, run_id: str, metric: str) -> tuple[tuple[int, float], ...]:
        """All values of one metric as (step, value), in the order of the steps."""
        with translated(self._uri):
            values = self._client.get_metric_history(run_id, metric)
        return tuple(sorted((value.step, value.value) for value in values))

    def artifact(self, run_id: str, path: str) -> bytes:
        """The content of one file that is kept with the run."""
        with translated(self._uri), tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(run_id, path, folder)).read_bytes()

    def artifacts(self, run_id: str, folder: str) -> tuple[str, ...]:
        """The paths of the files that are kept directly in a folder of the run."""
        with translated(self._uri):
            return tuple(sorted(each.path for each in self._client.list_artifacts(run_id, folder) if not each.is_dir))

    def _log(self, event: StepMetrics) -> None:
        from mlflow.entities import Metric

        at_ms = _milliseconds(event.at)
        links = {} if event.data is None else conventions.links_of(self._client, event.run_id, event.data)
        metrics = [Metric(key, value, at_ms, event.step, **links) for key, value in event.values.items()]
        self._client.log_batch(event.run_id, metrics=metrics)

    def _tag(self, run_id: str, tags: dict[str, str]) -> None:
        from mlflow.entities import RunTag

        self._client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def _keep(self, event: RunFiles) -> None:
        for file in event.paths:
            if not file.is_file():
                raise RunFailedError(f"{file}: an artifact of run {event.run_id} is missing")
            self._client.log_artifact(event.run_id, str(file), event.folder or None)

    def _end(self, event: RunEnding) -> None:
        if event.reason is not None:
            self._tag(event.run_id, {REASON_TAG: event.reason})
        elif REASON_TAG in self._client.get_run(event.run_id).data.tags:
            self._client.delete_tag(event.run_id, REASON_TAG)
        if event.status is RunStatus.RUNNING:  # resumed
            self._client.update_run(event.run_id, status=STATUS_TO_MLFLOW[event.status])
            return
        self._client.set_terminated(event.run_id, STATUS_TO_MLFLOW[event.status], _milliseconds(event.at))

    @cached_property
    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a warning for each attempt
        if self._uri.startswith("sqlite:///"):
            Path(self._uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=self._uri, registry_uri=self._uri)

    @property
    def _experiment_id(self) -> str:
        if self._experiment not in self._ids:
            self._ids[self._experiment] = self._found_or_made()
        return self._ids[self._experiment]

    def _found_or_made(self) -> str:
        from mlflow.exceptions import MlflowException

        found = self._found()
        if found is not None:
            return found
        location = None if self._artifacts is None else self._artifacts.resolve().as_uri()
        try:
            tags = conventions.EXPERIMENT_TAGS
            return str(self._client.create_experiment(self._experiment, artifact_location=location, tags=tags))
        except MlflowException:
            found = self._found()  # another process was faster
            if found is None:
                raise
            return found

    def _found(self) -> str | None:
        found = self._client.get_experiment_by_name(self._experiment)
        if found is None:
            return None
        if found.lifecycle_stage == DELETED:
            raise NotFoundError(
                f"the experiment {self._experiment} was deleted in MLflow",
                hint=f"{restoring('experiment', found.experiment_id, self._uri)} with its runs; "
                "or use another one: `experiment:` in the configuration, `--experiment` of the commands that read",
            )
        return str(found.experiment_id)


def run_of(
    *,
    run_id: str,
    name: str,
    status: str,
    started_ms: int,
    ended_ms: int | None,
    params: dict[str, str],
    tags: dict[str, str],
    metrics: dict[str, float],
    inputs: Iterable[DatasetInput],
) -> Run:
    """The domain's value of an MLflow run."""
    ours = STATUS_FROM_MLFLOW[status]
    return Run(
        run_id=run_id,
        name=name,
        status=ours,
        reason=tags.get(REASON_TAG),
        started_at=_time(started_ms),
        ended_at=_time(ended_ms) if ended_ms and ours is not RunStatus.RUNNING else None,
        params=params,
        tags={key: value for key, value in tags.items() if not key.startswith("mlflow.")},
        metrics=metrics,
        user=tags.get(conventions.USER_TAG, ""),
        inputs=tuple(sorted(inputs, key=lambda each: each.context)),
    )


def _run(run: Any) -> Run:
    return run_of(
        run_id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        started_ms=run.info.start_time,
        ended_ms=run.info.end_time,
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        metrics=dict(run.data.metrics),
        inputs=conventions.inputs_of(run),
    )


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
